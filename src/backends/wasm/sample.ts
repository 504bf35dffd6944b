/**
 * One sample's rollout, forward and backward, worked on by a team of one thread or of all.
 *
 * Forward, in each step, with masks as planes of bits (one a cell):
 *
 *   pre   = dilate(strong)            strong: the living channel exceeds its threshold
 *   near  = dilate(pre)               further away nothing can matter
 *   act   = fire ∧ pre                the cells whose change is computed
 *   post  = dilate(strong after the change)
 *   ring  = fire ∧ near ∧ ¬pre ∧ dilate(pre ∧ ¬post)
 *   life  = pre ∧ post                once the ring's would-be values have been seen too
 *
 * A dead cell stays zero, but what it would have become counts in its neighbours' `post`. It is needed only where a
 * neighbour would die otherwise: that is the ring, nearly always empty. The result is exactly that of the composed step.
 *
 * What changes is logged: the old values of the cells that grew or died. Backward, the log is undone step by step, so
 * that every state is there again, bit for bit, when its derivative is due; only a tenth of a state is kept per step.
 * Outputs of the hidden layers are kept too, as long as the budget lasts, and computed again otherwise. Segments of
 * steps whose log did not fit are run again from the state at their beginning.
 *
 * Each thread works on its own bands of rows; a barrier stands wherever it is about to read what others wrote.
 */
import type { RolloutProgram } from '../rollout.ts'
import { blockRows } from './layout.ts'
import type { Band, BlockLayout, Layout, PlaneName, TeamLayout } from './layout.ts'
import type { Kernels } from './kernels.ts'
import type { Piece, Store } from './store.ts'

/** The parts of a run that threads need; see RolloutRun. */
export type Job = {
  readonly program: RolloutProgram
  readonly layout: Layout
  readonly steps: number
  readonly keys: Uint32Array
  readonly masked: boolean
  readonly readouts: readonly number[]
  readonly segment: number
  /** Bytes that each thread may keep. */
  readonly budget: number
  readonly keep: boolean
  /** Which outputs have a cotangent, and whether ∂L/∂x is wanted. */
  readonly cotangents: readonly boolean[]
  readonly wantX: boolean
}

/** A thread with its tools. */
export type Thread = {
  readonly kernels: Kernels
  /** Fresh views of the memory. */
  bytes(): Uint8Array
  readonly store: Store
  readonly block: BlockLayout
}

/** The threads that share a sample. */
export type Team = {
  readonly layout: TeamLayout
  readonly size: number
  readonly index: number
  /** Waits until all have arrived. */
  barrier(): void
  /** The first thread's number, for all. */
  agree(value: number): number
}

/** What a thread keeps of one band in one step. */
type BandStep = {
  readonly planes: Piece[]
  readonly log: Piece[]
  /** Per block of rows; null where they must be computed again. */
  hidden: (Piece[] | null)[]
}

type Segment = { readonly start: Piece[][]; steps: BandStep[][] | null }

/** What a thread keeps of one sample: of its bands only. */
export type SampleHistory = { readonly segments: Segment[]; readonly end: Piece[][] }

export function freeSample(store: Store, { segments, end }: SampleHistory): void {
  for (const { start, steps } of segments) {
    start.forEach(p => store.free(p))
    if (steps) freeSteps(store, steps)
  }
  end.forEach(p => store.free(p))
}

function freeSteps(store: Store, steps: readonly BandStep[][]): void {
  for (const { planes, log, hidden } of steps.flat()) {
    store.free(planes)
    store.free(log)
    for (const pieces of hidden) if (pieces) store.free(pieces)
  }
}

/** The operations on one sample, by the bands of one thread. */
export function sampleRunner(job: Job, thread: Thread, team: Team, sample: number): {
  forward(): SampleHistory | null
  backward(history: SampleHistory): void
} {
  const { program, layout, steps, segment } = job
  const { kernels: k, store, block } = thread
  const { height, width, living, slope } = program
  const { channels, words, planeRow, origin, rowBytes, cellBytes, changeStride, yStride, layers } = layout
  const { x, g, list, planes } = team.layout
  const bands = layout.bands.filter((_, i) => i % team.size === team.index)
  const wrap = +(program.padding === 'circular')
  const hiddenStride = layers.slice(0, -1).map(({ columns }) => columns * 4)
  const sampleBytes = height * width * channels * 4
  const threshold = Math.round(program.fireRate * 2 ** 32)
  const living0 = living ? x + origin + living.channel * 4 : 0
  const bytes = thread.bytes()

  const each = (work: (band: Band, i: number) => void): void => bands.forEach(work)
  const plane = (name: PlaneName, band: Band): number => planes[name] + band.first * planeRow
  const planeWords = ({ first, last }: Band): number => (last - first) * words
  const and = (to: PlaneName, a: PlaneName, b: PlaneName, band: Band): void =>
    k.and(plane(to, band), plane(a, band), plane(b, band), planeWords(band))
  const andNot = (to: PlaneName, a: PlaneName, b: PlaneName, band: Band): void =>
    k.andNot(plane(to, band), plane(a, band), plane(b, band), planeWords(band))
  const or = (to: PlaneName, a: PlaneName, b: PlaneName, band: Band): void =>
    k.or(plane(to, band), plane(a, band), plane(b, band), planeWords(band))
  const copy = (to: PlaneName, a: PlaneName, band: Band): void => and(to, a, a, band)
  const dilate = (from: PlaneName, to: PlaneName, { first, last }: Band): void =>
    k.dilate(planes[from], planes[to], first, last, height, width, words, wrap)
  /** Lists the set cells of a band; each band has its own part of the list. */
  const listOf = ({ first }: Band): number => list + first * width * 4
  const rowsOf = ({ slot }: Band): number => team.layout.rows + slot * changeStride
  const cellsOf = (name: PlaneName, band: Band): number =>
    k.list(planes[name], band.first, band.last, words, origin, rowBytes, cellBytes, listOf(band))

  /** Perception and all hidden layers of `m` cells. Returns where the last hidden layer stands, and its stride. */
  function hiddenLayers(cells: number, m: number): [number, number] {
    perceive(cells, m)
    let from = block.y, stride = yStride, to = block.hidden
    layers.slice(0, -1).forEach(({ inputs, columns, w, bias, activation }, l) => {
      k.product(m, inputs, columns, from, stride, w, bias, to, hiddenStride[l])
      const rows = Math.ceil(m / 4) * 4
      k.activate(activation, to, rows * hiddenStride[l], slope)
      from = to
      stride = hiddenStride[l]
      to += rows * stride
    })
    return [from, stride]
  }
  const perceive = (cells: number, m: number): void =>
    k.perceive(x, cells, m, layout.filters, layout.counts, layout.taps, layout.tapWeights, cellBytes, block.y, yStride)
  const hiddenBytes = (m: number): number =>
    Math.ceil(m / 4) * 4 * hiddenStride.reduce((sum, stride) => sum + stride, 0)

  /** The changes of `count` listed cells, one row each. Calls `seen` after each block, while it is still there. */
  function changes(cells: number, count: number, rows: number, seen?: (m: number) => void): void {
    const last = layers[layers.length - 1]
    for (let i = 0; i < count; i += blockRows) {
      const m = Math.min(blockRows, count - i)
      const [h, stride] = hiddenLayers(cells + 4 * i, m)
      const to = rows + i * changeStride
      k.product(m, last.inputs, last.columns, h, stride, last.w, last.bias, to, changeStride)
      seen?.(m)
    }
  }

  const updateRing = ({ ring, ringCount }: Band): void => k.copyPairs(x, ring, ringCount, cellBytes)

  /** One step. What the backward pass needs of it is kept where `log` says so. */
  function forwardStep(t: number, log: boolean): BandStep[] {
    if (living) {
      each(band => dilate('strong', 'pre', band))
      team.barrier()
      each(band => dilate('pre', 'near', band))
    }
    const kept = bands.map((band): BandStep => {
      const { first, last } = band
      if (job.masked) {
        const mask = layout.masks + (t * program.batch + sample) * layout.maskBytes + first * planeRow
        k.and(plane('fire', band), plane('near', band), mask, planeWords(band))
      } else if (threshold < 2 ** 32) {
        const [k0, k1] = job.keys.subarray(2 * t)
        k.fire(planes.fire, planes.near, first, last, width, words, k0, k1, sample, threshold)
      } else copy('fire', 'near', band)
      and('act', 'fire', 'pre', band)
      const count = cellsOf('act', band)
      const hidden: (Piece[] | null)[] = []
      changes(listOf(band), count, rowsOf(band), log && hiddenStride.length > 0
        ? m => {
            const size = hiddenBytes(m)
            hidden.push(store.kept + size <= job.budget ? store.write(bytes, block.hidden, size) : null)
          }
        : undefined)
      if (living) {
        copy('next', 'strong', band)
        k.strongAfter(planes.next, planes.act, first, last, words, living0, rowBytes, cellBytes,
          rowsOf(band) + 4 * living.channel, changeStride, living.above)
      }
      return { planes: [], log: [], hidden }
    })
    if (living) seeTheRing(living)
    else team.barrier()
    each((band, i) => applyChanges(band, kept[i], log))
    team.barrier()
    return kept
  }

  /** Finds `life`, looking at dead neighbours of cells that would die. */
  function seeTheRing({ channel, above }: { channel: number; above: number }): void {
    team.barrier()
    each(band => {
      dilate('next', 'post', band)
      andNot('undecided', 'pre', 'post', band)
    })
    team.barrier()
    each(band => {
      const { first, last } = band
      dilate('undecided', 'ring', band)
      and('ring', 'ring', 'fire', band)
      andNot('ring', 'ring', 'pre', band)
      // The changes of this band come first in its list and rows, then those of the ring.
      const act = cellsOf('act', band)
      const cells = listOf(band) + 4 * act, rows = rowsOf(band) + act * changeStride
      const count = k.list(planes.ring, first, last, words, origin, rowBytes, cellBytes, cells)
      if (count === 0) return
      changes(cells, count, rows)
      k.strongAfter(planes.next, planes.ring, first, last, words, living0, rowBytes, cellBytes, rows + 4 * channel,
        changeStride, above)
    })
    team.barrier()
    each(band => {
      dilate('next', 'post', band)
      and('life', 'pre', 'post', band)
    })
  }

  /** Lets cells grow and die, and logs their old values. */
  function applyChanges(band: Band, kept: BandStep, log: boolean): void {
    const { first, last } = band
    const rows = rowsOf(band)
    andNot('kill', 'held', 'life', band)
    const grown = k.grow(planes.act, planes.life, first, last, words, x + origin, rowBytes, cellBytes, rows, changeStride)
    const killed = cellsOf('kill', band)
    const dead = rows + grown * cellBytes
    k.gather(x, listOf(band), killed, cellBytes, dead, cellBytes)
    k.erase(x, listOf(band), killed, cellBytes, layout.keep)
    if (log) {
      kept.log.push(...store.write(bytes, rows, (grown + killed) * cellBytes))
      for (const name of logged) kept.planes.push(...store.write(bytes, plane(name, band), planeWords(band) * 8))
    }
    if (living) {
      and('strong', 'next', 'life', band)
      if (living.above < 0) { // then a dead cell, which is zero, is strong
        andNot('undecided', 'ones', 'life', band)
        or('strong', 'strong', 'undecided', band)
      }
    }
    or('held', 'held', 'act', band)
    and('held', 'held', 'life', band)
    updateRing(band)
  }

  /** A clean state, full planes. */
  function clear(): void {
    team.barrier()
    if (team.index === 0) k.zero(x, layout.stateBytes)
    for (const name of ['ones', 'held', 'pre', 'near', 'life'] as const) {
      each(({ first, last }) => k.fill(planes[name], first, last, width, words))
    }
    team.barrier()
  }

  /** After the state of this band has been written: its ring, and who is strong. */
  function arrived(band: Band): void {
    const { first, last } = band
    updateRing(band)
    if (living) {
      k.strong(planes.strong, first, last, width, words, living0, rowBytes, cellBytes, living.above)
    }
  }

  const dense = (array: number): number => array + sample * sampleBytes

  /** The state of a band as its cells that may differ from zero, or whole where channels never change. */
  const everywhere = program.updated.length < channels
  const present = everywhere ? 'ones' : 'held'
  function saveState(band: Band): Piece[] {
    const count = cellsOf(present, band)
    k.gather(x, listOf(band), count, cellBytes, rowsOf(band), cellBytes)
    return [
      ...store.write(bytes, plane('held', band), planeWords(band) * 8),
      ...store.write(bytes, rowsOf(band), count * cellBytes),
    ]
  }
  function loadState(saved: readonly Piece[][]): void {
    clear()
    each((band, i) => {
      const [held, ...cells] = splitPieces(saved[i], planeWords(band) * 8)
      store.read(held, bytes, plane('held', band))
      store.read(cells.flat(), bytes, rowsOf(band))
      k.put(x, listOf(band), cellsOf(present, band), cellBytes, rowsOf(band))
      arrived(band)
    })
    team.barrier()
  }

  function forward(): SampleHistory | null {
    clear()
    each(band => {
      const { first, last } = band
      k.load2d(x + origin, rowBytes, cellBytes, dense(layout.input), first, last, width, channels)
      arrived(band)
    })
    team.barrier()
    const segments: Segment[] = []
    const logging = job.keep && job.budget > 0
    for (let t = 0; t < steps; t++) {
      if (job.keep && t % segment === 0) segments.push({ start: bands.map(saveState), steps: logging ? [] : null })
      const kept = forwardStep(t, logging)
      if (logging) segments[segments.length - 1].steps!.push(kept)
      const readout = job.readouts.indexOf(t + 1)
      if (readout >= 0) {
        each(({ first, last }) => k.store2d(x + origin, rowBytes, cellBytes, dense(layout.outputs[readout]), first, last, width, channels))
      }
      if (logging && ((t + 1) % segment === 0 || t + 1 === steps)) keepWithin(segments)
    }
    return job.keep ? { segments, end: bands.map(saveState) } : null
  }

  /** Forgets hidden layers, then whole logs, those of the first segments first, until the rest is within the budget. */
  function keepWithin(segments: readonly Segment[]): void {
    for (const { steps } of segments) {
      for (const { hidden } of steps?.flat() ?? []) {
        for (let i = 0; i < hidden.length && store.kept > job.budget; i++) {
          if (hidden[i]) store.free(hidden[i]!)
          hidden[i] = null
        }
      }
    }
    // All threads of a team must forget the same logs, since they have to run them again together.
    while (team.agree(+(store.kept > job.budget)) && segments.some(s => s.steps)) {
      const oldest = segments.find(s => s.steps)!
      freeSteps(store, oldest.steps!)
      oldest.steps = null
    }
  }

  function backward({ segments, end }: SampleHistory): void {
    loadState(end)
    each(band => {
      const { first, last, shift } = band
      k.zero(g + shift + first * rowBytes, (last - first + 2 * layout.radius) * rowBytes)
      k.zero(gradientOf(band), layout.gradientBytes)
      k.fill(planes.held, first, last, width, words) // from here on: where the cotangent may differ from zero
    })
    for (let s = segments.length - 1; s >= 0; s--) {
      let kept = segments[s].steps
      if (!kept) kept = again(segments[s], s)
      for (let i = kept.length - 1; i >= 0; i--) {
        const t = s * segment + i
        const readout = job.readouts.indexOf(t + 1)
        if (readout >= 0 && job.cotangents[readout]) {
          each(band => {
            const { first, last, shift } = band
            k.add2d(g + shift + origin, rowBytes, cellBytes, dense(layout.outputs[readout]), first, last, width, channels)
            k.fill(planes.held, first, last, width, words)
          })
        }
        backwardStep(kept[i], t === 0)
      }
      if (!segments[s].steps) freeSteps(store, kept)
    }
    if (job.wantX) {
      each(({ first, last, shift }) =>
        k.store2d(g + shift + origin, rowBytes, cellBytes, dense(layout.gx), first, last, width, channels))
    }
  }

  /** Runs a segment whose log was forgotten once more. `held` is about cotangents now, and comes back unchanged. */
  function again({ start }: Segment, s: number): BandStep[][] {
    const held = bands.map(band => store.write(bytes, plane('held', band), planeWords(band) * 8))
    loadState(start)
    const kept: BandStep[][] = []
    for (let t = s * segment; t < Math.min(steps, (s + 1) * segment); t++) kept.push(forwardStep(t, true))
    each((band, i) => {
      store.read(held[i], bytes, plane('held', band))
      store.free(held[i])
    })
    return kept
  }

  const gradientOf = (band: Band): number =>
    layout.gradients + (sample * layout.bands.length + layout.bands.indexOf(band)) * layout.gradientBytes

  /** Undoes a step, and takes the cotangent g from behind it to before it. */
  function backwardStep(kept: readonly BandStep[], first: boolean): void {
    each((band, i) => {
      let at = kept[i].planes
      for (const name of logged) {
        const [mine, ...rest] = splitPieces(at, planeWords(band) * 8)
        store.read(mine, bytes, plane(name, band))
        at = rest.flat()
      }
      undo(band, kept[i].log)
      // s ← s' where life, else 0: so is the cotangent.
      andNot('kill', 'held', 'life', band)
      k.erase(g + band.shift, listOf(band), cellsOf('kill', band), cellBytes, layout.keep)
    })
    team.barrier()
    const wantG = !first || job.wantX
    each((band, i) => {
      if (wantG) {
        k.erase(g, band.halo, band.haloCount, cellBytes, layout.none)
        copy('held', 'life', band)
      }
      throughLayers(band, kept[i], wantG)
    })
    if (wantG) spreadHeld()
    team.barrier()
    if (wantG) each(({ fold, foldCount }) => k.addPairs(g, fold, foldCount, cellBytes))
  }

  /** held = life ∨ what the filters reach from `act`: outside of it the cotangent is zero now. */
  function spreadHeld(): void {
    if (everywhere) return each(({ first, last }) => k.fill(planes.held, first, last, width, words))
    let reached: PlaneName = 'act'
    for (let r = 0; r < layout.radius; r++) {
      const [from, to]: PlaneName[] = [reached, reached === 'next' ? 'post' : 'next']
      if (r > 0) team.barrier()
      each(band => dilate(from, to, band))
      reached = to
    }
    each(band => or('held', 'held', reached, band))
  }

  /** Writes the old values back. */
  function undo(band: Band, log: readonly Piece[]): void {
    const rows = rowsOf(band)
    store.read(log, bytes, rows)
    and('grow', 'act', 'life', band)
    const grown = cellsOf('grow', band)
    k.put(x, listOf(band), grown, cellBytes, rows)
    k.put(x, listOf(band), cellsOf('kill', band), cellBytes, rows + grown * cellBytes)
    updateRing(band)
  }

  /** The derivative of x' = x + U(P(x)) in the cells that acted: weight gradients, and g += Pᵀ(…). */
  function throughLayers(band: Band, kept: BandStep, wantG: boolean): void {
    const gBand = g + band.shift, cells = listOf(band), rows = rowsOf(band)
    const gradient = gradientOf(band)
    const count = cellsOf('act', band)
    k.gather(gBand, cells, count, cellBytes, rows, changeStride) // before any of them is added to
    for (let i = 0, b = 0; i < count; i += blockRows, b++) {
      const m = Math.min(blockRows, count - i)
      const stored = kept.hidden[b]
      if (stored) {
        perceive(cells + 4 * i, m)
        store.read(stored, bytes, block.hidden)
      } else hiddenLayers(cells + 4 * i, m)
      throughBlock(cells + 4 * i, m, rows + i * changeStride, gradient, gBand, wantG)
    }
  }

  function throughBlock(cells: number, m: number, change: number, gradient: number, gBand: number, wantG: boolean): void {
    const rows = Math.ceil(m / 4) * 4
    const hidden = hiddenStride.map((_, l) => block.hidden + rows * hiddenStride.slice(0, l).reduce((a, b) => a + b, 0))
    let from = change, stride = changeStride
    for (let l = layers.length - 1; l >= 0; l--) {
      const { inputs, outputs, columns, wt, bias, gw, gb } = layers[l]
      const [a, aStride] = l > 0 ? [hidden[l - 1], hiddenStride[l - 1]] : [block.y, yStride]
      k.productTN(m, Math.ceil(inputs / 4) * 4, columns, a, aStride, from, stride, gradient + gw, columns * 4)
      if (bias) k.sumRows(m, columns, from, stride, gradient + gb)
      if (l === 0 && !wantG && !layout.tapCount) return
      const to = block.g[l % 2], toStride = aStride
      k.product(m, outputs, Math.ceil(inputs / 8) * 8, from, stride, wt, 0, to, toStride)
      if (l > 0) k.activateBack(layers[l - 1].activation, to, a, rows * toStride, slope)
      from = to
      stride = toStride
    }
    if (program.perception.type === 'filters' && program.perception.learned) {
      k.perceiveWeights(x, cells, m, layout.filters, layout.counts, layout.taps, gradient, cellBytes, from, stride)
    }
    if (wantG) {
      k.perceiveBack(gBand, cells, m, layout.filters, layout.counts, layout.taps, layout.tapWeights, cellBytes, from, stride)
    }
  }

  return { forward, backward }
}

/** The planes that the backward pass reads. */
const logged = ['act', 'life', 'kill'] as const

/** The first `size` bytes of a list of pieces, and the rest. Pieces never straddle what was written in one go. */
function splitPieces(pieces: readonly Piece[], size: number): [Piece[], ...Piece[][]] {
  let i = 0
  for (let seen = 0; seen < size; i++) seen += pieces[i].size
  return [pieces.slice(0, i), pieces.slice(i)]
}
