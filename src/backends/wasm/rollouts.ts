/**
 * Fused rollouts on the CPU: the arrays of a call are packed into the arena, all threads work, results are copied out.
 */
import type { RolloutHistory, RolloutKernels, RolloutProgram, RolloutRun } from '../rollout.ts'
import { workerSource } from './generated.ts'
import { instantiate } from './kernels.ts'
import { ceilTo, layOut } from './layout.ts'
import type { Layout, Tap } from './layout.ts'
import { compile, newMemory, reserve } from './module.ts'
import { participant } from './participant.ts'
import type { Message } from './participant.ts'
import type { Job } from './sample.ts'
import { crew } from './threads.ts'

export type WasmRollouts = RolloutKernels & {
  /** Gives memory that is not needed back to the system. */
  trim(): void
}

/** A history is a number, known to the threads. */
type History = RolloutHistory & { readonly number: number }

/** Rollouts on `threads` threads. Nothing is compiled or started before the first call. */
export function wasmRollouts(
  { build, threads, historyBytes }: { build: 'fma' | 'plain'; threads: number; historyBytes: number },
): WasmRollouts {
  let started: ReturnType<typeof start> | null = null
  const engine = (): ReturnType<typeof start> => (started ??= start(build, threads))
  let histories = 0

  function pass(
    direction: 'forward' | 'backward', program: RolloutProgram, inputs: readonly Float32Array[], run: RolloutRun,
    options: { history: number; keep: boolean; cotangents: readonly (Float32Array | null)[]; wantX: boolean },
  ): { layout: Layout; memory: WebAssembly.Memory } {
    const { memory, work } = engine()
    const { batch, height, width } = program
    const parts = unpackInputs(program, inputs)
    const filters = filtersOf(program, parts.kernel)
    const radius = Math.floor(program.perception.size / 2)
    // One sample a thread where that keeps all of them busy; otherwise all of them on each sample.
    const alone = threads === 1 || batch % threads === 0 || batch >= 4 * threads
    const { layout, tables } = layOut(program, {
      filters, radius, readouts: run.readouts.length, maskSteps: run.masks?.length ?? 0,
      backward: direction === 'backward', teams: alone ? threads : 1, threads,
    })
    reserve(memory, layout.bytes)
    const floats = new Float32Array(memory.buffer), words = new Uint32Array(memory.buffer)
    for (const [at, table] of tables) words.set(table, at / 4)
    packFilters(floats, layout, filters.flat())
    packLayers(floats, layout, program, parts.layers)
    if (direction === 'forward') floats.set(parts.x, layout.input / 4)
    if (run.masks) packMasks(words, layout, program, run.masks as readonly Uint32Array[])
    options.cotangents.forEach((g, i) => { if (g) floats.set(g, layout.outputs[i] / 4) })
    const job: Job = {
      program, layout, steps: run.steps, keys: run.keys, masked: run.masks !== null, readouts: run.readouts,
      segment: run.segment, budget: (run.budget === 'auto' ? historyBytes : run.budget) / threads, keep: options.keep,
      cotangents: options.cotangents.map(g => g !== null), wantX: options.wantX,
    }
    const order = byCost(program, parts.x, batch, height * width)
    work({ do: direction, job, history: options.history, order })
    return { layout, memory }
  }

  return {
    forward(program, inputs, run, outputs, keep): History | null {
      const number = histories++
      const { layout, memory } = pass('forward', program, inputs as Float32Array[], run, {
        history: number, keep, cotangents: [], wantX: false,
      })
      outputs.forEach((out, i) => copyOut(memory, layout.outputs[i], out as Float32Array))
      return keep ? { number, release: () => engine().tell({ do: 'release', history: number }) } : null
    },
    backward(program, inputs, run, history, cotangents, gradients): void {
      const { layout, memory } = pass('backward', program, inputs as Float32Array[], run, {
        history: (history as History).number, keep: false,
        cotangents: cotangents as (Float32Array | null)[], wantX: gradients[0] !== null,
      })
      if (gradients[0]) copyOut(memory, layout.gx, gradients[0] as Float32Array)
      unpackGradients(program, layout, sumGradients(memory, layout, program.batch), gradients.slice(1) as (Float32Array | null)[])
    },
    trim(): void {
      started?.tell({ do: 'trim' })
    },
  }
}

function start(build: 'fma' | 'plain', threads: number): {
  memory: WebAssembly.Memory; tell: (message: Message) => void; work: (message: Message) => void
} {
  const shared = threads > 1
  const module = compile(build, shared)
  const memory = newMemory(shared)
  const workers = crew(module, memory, threads, workerSource)
  const hear = participant(memory, instantiate(module, memory), 0)
  return {
    memory,
    tell(message) {
      workers.tell(message)
      hear(message)
    },
    work: message => workers.run(message, () => hear(message)),
  }
}

function copyOut(memory: WebAssembly.Memory, from: number, to: Float32Array): void {
  to.set(new Float32Array(memory.buffer, from, to.length))
}

type Parts = {
  readonly x: Float32Array
  readonly kernel: Float32Array | null
  readonly layers: readonly { readonly w: Float32Array; readonly bias: Float32Array | null }[]
}

function unpackInputs(program: RolloutProgram, [x, ...rest]: readonly Float32Array[]): Parts {
  const kernel = program.perception.type === 'filters' ? rest.shift()! : null
  const layers = program.layers.map(({ bias }) => ({ w: rest.shift()!, bias: bias ? rest.shift()! : null }))
  return { x, kernel, layers }
}

/** Taps in the order of the kernel's rows. Fixed filters do without taps of weight zero. */
function filtersOf({ perception, channels }: RolloutProgram, kernel: Float32Array | null): Tap[][] {
  const { size } = perception, r = Math.floor(size / 2)
  const cells = Array.from({ length: size * size }, (_, t) => ({ dy: Math.floor(t / size) - r, dx: t % size - r }))
  if (perception.type === 'window') return cells.map(at => [{ ...at, weights: new Array<number>(channels).fill(1) }])
  const { filters, learned } = perception
  return Array.from({ length: filters }, (_, f) => cells.map((at, t): Tap => ({
    ...at, weights: Array.from({ length: channels }, (__, c) => kernel![(t * channels + c) * filters + f]),
  })).filter(({ weights }) => learned || weights.some(w => w !== 0)))
}

function packFilters(floats: Float32Array, { tapWeights, cellBytes }: Layout, taps: readonly Tap[]): void {
  taps.forEach(({ weights }, i) => {
    const at = (tapWeights + i * cellBytes) / 4
    floats.fill(0, at, at + cellBytes / 4)
    floats.set(weights, at)
  })
}

/**
 * For each row of W as the caller has it, its row as the kernels see it (channels are padded; filters come first, then
 * channels), and for each column likewise (the last layer's are channels).
 */
function layerMaps(program: RolloutProgram, { cellBytes, filters }: Layout, l: number): { rows: number[]; columns: number[] } {
  const { channels, perception, layers, updated } = program
  const padded = cellBytes / 4
  const seen = Array.from({ length: filters * channels }, (_, i) => (perception.type === 'filters'
    ? (i % filters) * padded + Math.floor(i / filters)
    : Math.floor(i / channels) * padded + i % channels))
  const rows = l === 0 ? seen : Array.from({ length: layers[l - 1].outputs }, (_, i) => i)
  const columns = l === layers.length - 1 ? [...updated] : Array.from({ length: layers[l].outputs }, (_, j) => j)
  return { rows, columns }
}

/** Where W[i, j] stands in panels of 8 columns, for a matrix of `inner` rows. */
const inPanel = (inner: number, i: number, j: number): number => (j >> 3) * inner * 8 + i * 8 + (j & 7)

function packLayers(floats: Float32Array, layout: Layout, program: RolloutProgram, layers: Parts['layers']): void {
  layout.layers.forEach((layer, l) => {
    const { inputs, outputs, columns } = layer
    const { w, bias } = layers[l]
    const map = layerMaps(program, layout, l)
    const at = layer.w / 4, transposed = layer.wt / 4
    floats.fill(0, at, at + inputs * columns)
    floats.fill(0, transposed, transposed + outputs * ceilTo(inputs, 8))
    for (let i = 0, n = map.columns.length; i < map.rows.length; i++) {
      for (let j = 0; j < n; j++) {
        floats[at + inPanel(inputs, map.rows[i], map.columns[j])] = w[i * n + j]
        floats[transposed + inPanel(outputs, map.columns[j], map.rows[i])] = w[i * n + j]
      }
    }
    if (!bias) return
    floats.fill(0, layer.bias / 4, layer.bias / 4 + columns)
    map.columns.forEach((column, j) => { floats[layer.bias / 4 + column] = bias[j] })
  })
}

/** Fire masks as planes of bits. */
function packMasks(words: Uint32Array, layout: Layout, { batch, height, width }: RolloutProgram, masks: readonly Uint32Array[]): void {
  masks.forEach((mask, t) => {
    for (let b = 0, i = 0; b < batch; b++) {
      const plane = (layout.masks + (t * batch + b) * layout.maskBytes) / 4
      words.fill(0, plane, plane + layout.maskBytes / 4)
      for (let y = 0; y < height; y++) {
        const row = plane + y * layout.planeRow / 4
        for (let x = 0; x < width; x++, i++) if (mask[i] !== 0) words[row + (x >> 5)] |= 1 << (x & 31)
      }
    }
  })
}

/** Samples with the most living cells first, so that no thread begins a long one when the others are done. */
function byCost({ living, channels }: RolloutProgram, x: Float32Array, batch: number, cells: number): number[] {
  const order = Array.from({ length: batch }, (_, b) => b)
  if (!living) return order
  const alive = order.map(b => {
    let count = 0
    for (let i = b * cells * channels + living.channel; i < (b + 1) * cells * channels; i += channels) {
      if (x[i] > living.above) count++
    }
    return count
  })
  return order.sort((a, b) => alive[b] - alive[a])
}

/** Sums over samples and bands, in this order. */
function sumGradients(memory: WebAssembly.Memory, layout: Layout, batch: number): Float64Array {
  const size = layout.gradientBytes / 4
  const total = new Float64Array(size)
  const all = new Float32Array(memory.buffer, layout.gradients, batch * layout.bands.length * size)
  for (let at = 0; at < all.length; at += size) {
    for (let i = 0; i < size; i++) total[i] += all[at + i]
  }
  return total
}

function unpackGradients(program: RolloutProgram, layout: Layout, sums: Float64Array, gradients: (Float32Array | null)[]): void {
  const { perception, channels } = program
  const rest = [...gradients]
  if (perception.type === 'filters') {
    const kernel = rest.shift()
    const { filters, size } = perception
    for (let i = 0; kernel && i < kernel.length; i++) {
      const f = i % filters, c = Math.floor(i / filters) % channels, t = Math.floor(i / filters / channels)
      kernel[i] = sums[(f * size * size + t) * layout.cellBytes / 4 + c]
    }
  }
  layout.layers.forEach(({ columns, gw, gb }, l) => {
    const map = layerMaps(program, layout, l)
    const n = map.columns.length
    const w = rest.shift(), bias = program.layers[l].bias ? rest.shift() : null
    if (w) {
      for (let i = 0; i < map.rows.length; i++) {
        for (let j = 0; j < n; j++) w[i * n + j] = sums[gw / 4 + map.rows[i] * columns + map.columns[j]]
      }
    }
    if (bias) map.columns.forEach((column, j) => { bias[j] = sums[gb / 4 + column] })
  })
}
