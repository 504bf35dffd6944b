/**
 * A sample: everything that a thread needs while it works on one (forward.ts and backward.ts do the work).
 *
 * Threads that share a sample are a team. Each works on its own bands of rows, and waits at a barrier before it reads what
 * others wrote.
 */
import type { Program } from '../program.ts'
import { attendingOf, type Attending } from './attention.ts'
import { blocksOf, type Blocks } from './blocks.ts'
import type { Cache, CacheEntry } from './cache.ts'
import type { Kernels } from './kernels.ts'
import type { Band, BlockLayout, Layout, TeamLayout } from './layout.ts'
import { planesOf, type Planes } from './planes.ts'
import type { Piece, Store } from './store.ts'

/** The parts of a run that threads need; see ProgramRun. */
export type Job = {
  readonly program: Program
  readonly layout: Layout
  readonly steps: number
  readonly keys: Uint32Array
  readonly noiseKeys: Uint32Array | null
  readonly masked: boolean
  readonly readouts: readonly number[]
  readonly segment: number
  /** Bytes of logs and of hidden layers that each thread may keep; and of hidden layers while it runs a segment again. */
  readonly logBytes: number
  readonly hiddenBytes: number
  readonly againBytes: number
  readonly keep: boolean
  /** Which outputs have a cotangent, and whether ∂L/∂x is wanted. */
  readonly cotangents: readonly boolean[]
  readonly wantX: boolean
}

/** A thread, with its kernels and memory. */
export type Thread = {
  readonly kernels: Kernels
  /** The memory as it is during the job. */
  readonly bytes: Uint8Array
  readonly store: Store
  readonly cache: Cache
  readonly block: BlockLayout
}

/** The threads that share a sample. */
export type Team = {
  readonly layout: TeamLayout
  readonly size: number
  readonly index: number
  /** Waits until all have arrived. */
  barrier(): void
  /** Returns the value of the first thread to all. */
  agree(value: number): number
}

/** What a thread keeps of one band in one step: three planes and the old values of cells; hidden layers by block. */
export type BandStep = {
  log: Piece[]
  /** Null where they must be computed again. */
  readonly hidden: readonly (CacheEntry | null)[]
}

/** A state, band by band: the cells that may differ from zero, and their values. */
export type SavedState = { readonly held: Piece[]; readonly cells: Piece[] }[]

/** Consecutive steps: what was kept of them or, if that was dropped, the state from which to run them again. */
export type Segment = { start: SavedState | null; steps: BandStep[][] | null }

/** What a thread keeps of its bands of one sample. */
export type SampleHistory = { readonly segments: Segment[]; readonly end: SavedState }

export function freeSample(thread: Pick<Thread, 'store' | 'cache'>, { segments, end }: SampleHistory): void {
  for (const { start, steps } of segments) {
    if (start) freeState(thread.store, start)
    if (steps) freeSteps(thread, steps)
  }
  freeState(thread.store, end)
}

export function freeState(store: Store, state: SavedState): void {
  for (const { held, cells } of state) {
    store.free(held)
    store.free(cells)
  }
}

export function freeSteps(
  { store, cache }: Pick<Thread, 'store' | 'cache'>, steps: readonly BandStep[][],
): void {
  for (const step of steps) {
    for (const { log, hidden } of step) {
      store.free(log)
      for (const entry of hidden) if (entry) cache.free(entry)
    }
  }
}

export type Sample = {
  readonly job: Job
  readonly thread: Thread
  readonly team: Team
  readonly number: number
  readonly planes: Planes
  readonly blocks: Blocks
  readonly attending: Attending | null
  /** This thread's bands. */
  readonly bands: readonly Band[]
  each(work: (band: Band, i: number) => void): void
  /** The address of the rows for the changes of a band's cells, or for their old values. */
  rowsOf(band: Band): number
  /** The address of this sample in a dense array `[b,d,h,w,c]`. */
  dense(array: number): number
  /** Copies the cells of a band to the ring around the grid, and normalises them if there is attention. */
  updateRing(band: Band): void
  /** Clears the state, and fills the planes. */
  clear(): void
  /** Must be called after the state of a band has been written. */
  arrived(band: Band): void
  save(): SavedState
  load(state: SavedState): void
}

export function openSample(job: Job, thread: Thread, team: Team, number: number): Sample {
  const { program, layout } = job
  const { kernels: k, store, bytes, block } = thread
  const { depth, height, width, channels, living, updated } = program
  const { words, rowsAt, cellBytes } = layout
  const { x } = team.layout
  const planes = planesOf(k, program, layout, team.layout)
  const bands = layout.bands.filter((_, i) => i % team.size === team.index)
  const each = (work: (band: Band, i: number) => void): void => bands.forEach(work)
  const rowsOf = ({ rows }: Band): number => team.layout.rows + rows
  const attending = attendingOf(k, program, layout, block, team.layout)
  function updateRing(band: Band): void {
    const { ring, ringCount } = band
    k.copyPairs(x, ring, ringCount, cellBytes, 0)
    attending?.normalise(band)
    if (attending) k.copyPairs(team.layout.n, ring, ringCount, cellBytes, 0)
  }
  // `held` does not cover channels that never change.
  const present = updated.length < channels ? 'ones' : 'held'

  function clear(): void {
    team.barrier() // others may still be reading
    if (team.index === 0) k.zero(x, layout.stateBytes)
    if (team.index === 0 && attending) k.zero(team.layout.n, layout.stateBytes)
    for (const name of ['ones', 'held', 'pre', 'near', 'life'] as const) each(band => planes.fill(name, band))
    team.barrier()
  }

  function arrived(band: Band): void {
    updateRing(band)
    if (!living) return
    k.strong(team.layout.planes.strong, band.first, band.last, width, words, x + 4 * living.channel, rowsAt,
      cellBytes, living.above)
  }

  return {
    job, thread, team, number, planes, bands, each, rowsOf, updateRing, clear, arrived, attending,
    blocks: blocksOf(k, program, layout, block, attending),
    dense: array => array + number * depth * height * width * channels * 4,
    save: () => bands.map(band => {
      const count = planes.list(present, band)
      k.gather(x, planes.listOf(band), count, cellBytes, rowsOf(band), cellBytes, layout.none)
      return {
        held: store.write('state', bytes, planes.at('held', band), planes.words(band) * 8),
        cells: store.write('state', bytes, rowsOf(band), count * cellBytes),
      }
    }),
    load(state) {
      clear()
      each((band, i) => {
        store.read(state[i].held, bytes, planes.at('held', band))
        store.read(state[i].cells, bytes, rowsOf(band))
        k.put(x, planes.listOf(band), planes.list(present, band), cellBytes, rowsOf(band))
        arrived(band)
      })
      team.barrier()
    },
  }
}
