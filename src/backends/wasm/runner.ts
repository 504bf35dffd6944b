/**
 * The runner of programs on the CPU: it packs the arrays of a call into the arena, lets all threads work, and copies results out.
 */
import type { History, ProgramRunner, Program, ProgramRun } from '../program.ts'
import { thread as generatedThread } from './generated.ts'
import { ceilTo } from '../ceil-to.ts'
import { roams } from './deformable-layout.ts'
import { layOut, type Layout } from './layout.ts'
import { compile, newMemory, reserve } from './module.ts'
import { filtersOf, packFilters, packLayers, packMasks, partsOf, unpackGradients } from './packing.ts'
import type { Message } from './participant.ts'
import type { Job } from './sample.ts'
import type { WorkerPool } from './threads.ts'

export type WasmRunner = ProgramRunner & {
  /** The number of threads that the next rollout will use. */
  threads(): number
  /** Gives unused memory back to the system. */
  trim(): void
}

/** The share of the budget for logs. A byte of them saves seven times as much time as a byte of hidden layers. */
const logShare = 0.75

/** The least cache, whatever the budget: segments that are run again keep their hidden layers there. */
const leastCache = 2 ** 21

/**
 * The default number of bytes that a rollout may keep. It grows with the batch, and so does the time that it saves: the more
 * cells a sample has, the less time a byte saves.
 */
const historyOf = (batch: number): number => Math.min(most, Math.max(2 ** 25, batch * perSample))
const perSample = 24 * 2 ** 20, most = 192 * 2 ** 20

/** A history is identified by a number that the threads of a team know. It is lost when a pass fails. */
type TeamHistory = History & { readonly number: number; readonly team: ThreadTeam; lost: boolean }

/**
 * A runner on `threads` threads. Nothing is compiled or started before the first call.
 *
 * @param options.thread the code of each thread (worker.ts), by default that of generated.ts
 */
export function wasmRunner(
  { build, threads, historyBytes, thread = generatedThread }: {
    build: 'fma' | 'plain'; threads: number; historyBytes: number | undefined; thread?: typeof generatedThread
  },
): WasmRunner {
  let all: ThreadTeam | null = null
  let alone: ThreadTeam | null = null
  /** The threads that the next rollout uses: all or, until they have started, only the caller's. */
  function team(): ThreadTeam {
    if (!all) {
      all = start(thread, build, threads, historyBytes ?? most)
      abandoned.register(runner, all.end)
    }
    if (!all.ready()) return (alone ??= start(thread, build, 1, historyBytes ?? most))
    alone = null
    return all
  }
  let histories = 0

  function pass(
    direction: 'forward' | 'backward', program: Program, inputs: readonly Float32Array[], run: ProgramRun,
    options: { history: TeamHistory; keep: boolean; cotangents: readonly (Float32Array | null)[]; wantX: boolean },
  ): { layout: Layout; memory: WebAssembly.Memory } {
    const { threads, memory, cacheBytes, work } = options.history.team
    const { batch, depth, height, width } = program
    const parts = partsOf(program, inputs)
    const filters = filtersOf(program, parts.kernel)
    // One sample per thread if that keeps all of them busy, or if samples cannot be cut; otherwise all of them on each sample.
    const alone = roams(program) || threads === 1 || batch % threads === 0 || batch >= 4 * threads
    const { layout, tables } = layOut(program, {
      filters, readouts: run.readouts.length, steps: run.steps, maskSteps: run.masks?.length ?? 0,
      backward: direction === 'backward', wantX: options.wantX, teams: alone ? threads : 1, threads, cacheBytes,
    })
    reserve(memory, layout.bytes)
    const floats = new Float32Array(memory.buffer), words = new Uint32Array(memory.buffer)
    for (const [at, table] of tables) words.set(table, at / 4)
    packFilters(floats, layout, filters.flat())
    packLayers(floats, program, layout, parts)
    if (direction === 'forward') floats.set(parts.x, layout.input / 4)
    if (parts.given) floats.set(parts.given, layout.given / 4)
    if (run.masks) packMasks(words, layout, program, run.masks as readonly Uint32Array[])
    options.cotangents.forEach((g, i) => { if (g) floats.set(g, layout.outputs[i] / 4) })
    const allowed = historyBytes ?? historyOf(batch)
    const budget = run.budget === 'auto' ? allowed : run.budget
    const job: Job = {
      program, layout, steps: run.steps, keys: run.keys, noiseKeys: run.noiseKeys, masked: run.masks !== null, readouts: run.readouts,
      segment: run.segment, logBytes: budget * logShare / threads, hiddenBytes: hiddenShare(budget, threads),
      againBytes: Math.max(hiddenShare(allowed, threads), leastCache), keep: options.keep,
      cotangents: options.cotangents.map(g => g !== null), wantX: options.wantX,
    }
    const order = direction === 'forward' ? byCost(program, parts.x, batch, depth * height * width) : []
    try {
      work({ do: direction, job, history: options.history.number, order })
    } catch (error) {
      options.history.drop() // what the threads have kept so far
      options.history.lost = true
      throw error
    }
    return { layout, memory }
  }

  const runner: WasmRunner = {
    features: [
      'filters beside a convolution with a function', 'volumes', 'given', 'noise on the state', 'residual networks',
      'changes through a function', 'attention', 'norms', 'deformable convolutions', 'bounds that exclude 0',
    ],
    mostLayers: Infinity,
    widestWindow: Infinity,
    multiples: { hidden: 8, last: 8 },
    forward(program, inputs, run, outputs, keep): TeamHistory | null {
      const number = histories++
      const own = team()
      const history = { number, team: own, lost: false, drop: () => own.tell({ do: 'release', history: number }) }
      const { layout, memory } = pass('forward', program, inputs as Float32Array[], run, {
        history, keep, cotangents: [], wantX: false,
      })
      outputs.forEach((out, i) => copyOut(memory, layout.outputs[i], out as Float32Array))
      return keep ? history : null
    },
    backward(program, inputs, run, history, cotangents, gradients): void {
      const kept = history as TeamHistory
      if (kept.lost) {
        throw new Error('cpu: a backward pass of this rollout failed and its history is gone; run the rollout again.')
      }
      const { layout, memory } = pass('backward', program, inputs as Float32Array[], run, {
        history: kept, keep: false, cotangents: cotangents as (Float32Array | null)[], wantX: gradients[0] !== null,
      })
      if (gradients[0]) copyOut(memory, layout.gx, gradients[0] as Float32Array)
      const sums = sumGradients(memory, layout, program.batch)
      const owed = new Float32Array(memory.buffer, layout.owed)
      unpackGradients(program, layout, { sums, owed }, gradients.slice(1) as (Float32Array | null)[])
    },
    threads: () => (all?.ready() ? threads : 1),
    trim(): void {
      all?.tell({ do: 'trim' })
      alone?.tell({ do: 'trim' })
    },
  }
  return runner
}

/** Ends the threads of runners that are no longer reachable. */
const abandoned = new FinalizationRegistry<() => void>(end => end())

/** How many bytes of hidden layers each thread may keep. */
const hiddenShare = (bytes: number, threads: number): number => Math.min(2 ** 30, bytes * (1 - logShare)) / threads

/** Threads that work together, and their memory. */
type ThreadTeam = {
  readonly threads: number
  readonly memory: WebAssembly.Memory
  readonly cacheBytes: number
  /** Whether all of them have started. */
  ready(): boolean
  tell(message: Message): void
  work(message: Message): void
  end(): void
}

/**
 * The program of workers: the text of the function. A bundler may have inserted calls of a helper that names functions (esbuild's
 * keepNames), which is not part of the text: a helper that is missing is replaced by one that does nothing.
 */
const workerSource = (thread: typeof generatedThread): string => `'use strict';
(thread => {
  for (const [name] of String(thread).matchAll(/[\\w$]+(?=\\()/g)) globalThis[name] ??= f => f
  thread(({ serve }) => serve())
})(${thread})`

function start(
  thread: typeof generatedThread, build: 'fma' | 'plain', threads: number, historyBytes: number,
): ThreadTeam {
  const cacheBytes = ceilTo(Math.max(hiddenShare(historyBytes, threads), leastCache), 64)
  const shared = threads > 1
  const module = compile(build, shared)
  const memory = newMemory(shared)
  let workers!: WorkerPool, hear!: (message: Message) => void
  thread(({ begin, workerPool }) => {
    workers = workerPool(workerSource(thread), threads, { module, memory, cacheBytes })
    hear = begin({ module, memory, index: 0, cacheBytes })
  })
  return {
    threads,
    memory,
    cacheBytes,
    ready: workers.ready,
    tell(message) {
      workers.tell(message)
      hear(message)
    },
    work: message => workers.run(message, () => hear(message)),
    end: workers.end,
  }
}

function copyOut(memory: WebAssembly.Memory, from: number, to: Float32Array): void {
  to.set(new Float32Array(memory.buffer, from, to.length))
}

/** Samples ordered by living cells, most first, so that no thread begins a long one when the others are done. */
function byCost({ living, channels }: Program, x: Float32Array, batch: number, cells: number): number[] {
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
  const all = new Float64Array(memory.buffer, layout.gradients, batch * layout.bands.length * size)
  for (let at = 0; at < all.length; at += size) {
    for (let i = 0; i < size; i++) total[i] += all[at + i]
  }
  return total
}
