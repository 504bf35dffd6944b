/**
 * Forward: the steps of one sample. In each of them, with masks as planes of bits:
 *
 *   pre   = dilate(strong)            strong: the living channel exceeds its threshold; all cells with living 'after'
 *   near  = dilate(pre)               no other cell can matter
 *   act   = fire ∧ pre                the cells whose change is computed
 *   post  = dilate(strong after the change)
 *   ring  = fire ∧ near ∧ ¬pre ∧ dilate(pre ∧ ¬post)
 *   life  = pre ∧ post                with the candidate values of the ring in post
 *
 * A dead cell stays zero, but its candidate value counts in its neighbours' `post`. It is needed only where a neighbour would
 * die otherwise: these cells are the ring, nearly always empty. The result is exactly that of the composed step.
 *
 * The old values of the cells that grew or died are logged, so that the backward pass can undo the step. Outputs of the
 * hidden layers are kept too. Segments of steps are logged as long as there is room. Of the other segments only the state at
 * their beginning is kept, from which they are run again.
 */
import { bind } from './bounds.ts'
import { give } from './given.ts'
import { disturbChanges, disturbState, noteOthers } from './noise.ts'
import type { Band } from './layout.ts'
import { freeState, freeSteps, type BandStep, type Sample, type SampleHistory, type Segment } from './sample.ts'
import type { CacheEntry } from './cache.ts'

/** Runs all steps. Returns what the backward pass needs, if the job says that there will be one. */
export function forward(s: Sample): SampleHistory | null {
  const { job, thread, team, each } = s
  const { layout, program: { width, channels }, steps, segment, readouts } = job
  const { rowsAt, cellBytes } = layout, { x } = team.layout
  s.clear()
  each(band => {
    const { first, last } = band
    thread.kernels.loadRows(x, rowsAt, cellBytes, s.dense(layout.input), first, last, width, channels)
    s.arrived(band)
  })
  team.barrier()
  const segments: Segment[] = []
  let room = job.logBytes > 0
  for (let t = 0; t < steps; t++) {
    if (job.keep && t % segment === 0) segments.push({ start: s.save(), steps: room ? [] : null })
    const current = segments.at(-1), log = current?.steps
    const kept = forwardStep(s, t, !!log, job.hiddenBytes)
    log?.push(kept)
    const out = layout.outputs[readouts.indexOf(t + 1)]
    if (out !== undefined) {
      each(({ first, last }) =>
        thread.kernels.storeRows(x, rowsAt, cellBytes, s.dense(out), first, last, width, channels))
    }
    if (!log) continue
    // All threads of a team must decide alike, since they have to run these steps again together.
    if (team.agree(+(thread.store.kept > job.logBytes))) {
      freeSteps(thread, log)
      current!.steps = null
      room = false
    } else if ((t + 1) % segment === 0 || t + 1 === steps) {
      freeState(thread.store, current!.start!)
      current!.start = null
    }
  }
  return job.keep ? { segments, end: s.save() } : null
}

/**
 * One step. With `log` it keeps what the backward pass needs, and hidden layers as long as all of them take at most
 * `hiddenBytes`.
 */
export function forwardStep(s: Sample, t: number, log: boolean, hiddenBytes: number): BandStep[] {
  const { job: { program: { living, given, noise } }, team, planes, each } = s
  if (given || noise?.on === 'state') {
    each(band => {
      give(s, t, band)
      disturbState(s, t, band)
      planes.fill('held', band)
      s.arrived(band)
    })
    team.barrier()
  }
  if (living?.when === 'both') {
    each(band => planes.dilate('pre', 'strong', band))
    team.barrier()
    each(band => planes.dilate('near', 'pre', band))
  }
  const kept = s.bands.map((band): BandStep => {
    drawFire(s, t, band)
    planes.and('act', 'fire', 'pre', band)
    return { log: [], hidden: computeChanges(s, t, band, log ? hiddenBytes : 0) }
  })
  team.barrier()
  if (living) decideLife(s, t)
  each((band, i) => applyChanges(s, band, log ? kept[i] : null))
  team.barrier()
  return kept
}

/** fire = near ∧ the cells that fire in step t ∧ those of the input mask. */
function drawFire({ job, thread: { kernels: k }, team, number, planes }: Sample, t: number, band: Band): void {
  const { program: { batch, width, fireRate, inputMask }, layout, keys } = job
  const threshold = Math.round(fireRate * 2 ** 32)
  if (job.masked) {
    const mask = layout.masks + (t * batch + number) * layout.maskBytes + band.first * layout.planeRow
    k.and(planes.at('fire', band), planes.at('near', band), mask, planes.words(band))
  } else if (threshold < 2 ** 32) {
    k.fire(team.layout.planes.fire, team.layout.planes.near, band.first, band.last, width, layout.words, keys[2 * t],
      keys[2 * t + 1], number, threshold)
  } else planes.copy('fire', 'near', band)
  if (!inputMask) return
  const { words, rowsAt, cellBytes } = layout
  k.strong(team.layout.planes.undecided, band.first, band.last, width, words,
    team.layout.x + 4 * inputMask.channel, rowsAt, cellBytes, inputMask.above)
  planes.and('fire', 'fire', 'undecided', band)
}

/** Computes the changes of the cells in `act`, and `next`, the strong cells after them. Returns the hidden layers that it kept. */
function computeChanges(s: Sample, t: number, band: Band, hiddenBytes: number): (CacheEntry | null)[] {
  const { job: { program: { living } }, thread: { cache }, team, planes, blocks } = s
  const hidden: (CacheEntry | null)[] = []
  function place(size: number): number {
    const length = blocks.hiddenBytes(size)
    const entry = length > 0 && cache.used + length <= hiddenBytes ? cache.take(length) : null
    hidden.push(entry)
    return entry?.at ?? blocks.hidden
  }
  blocks.changes(team.layout.x, planes.listOf(band), planes.list('act', band), s.rowsOf(band), place)
  disturbChanges(s, t, 'act', band, s.rowsOf(band))
  if (living) {
    planes.copy('next', 'strong', band)
    strongAfter(s, 'act', band, s.rowsOf(band))
  }
  return hidden
}

/** Corrects `next` for the changes, given in `rows`, of the cells of a plane. */
function strongAfter({ job, thread, team }: Sample, changed: 'act' | 'ring', band: Band, rows: number): void {
  const { words, rowsAt, cellBytes, changeStride } = job.layout
  const { channel, above } = job.program.living!
  const { x, planes } = team.layout
  thread.kernels.strongAfter(planes.next, planes[changed], band.first, band.last, words, x + 4 * channel,
    rowsAt, cellBytes, rows + 4 * channel, changeStride, above)
}

/** Finds `life`, looking at the dead neighbours of cells that would die. */
function decideLife(s: Sample, t: number): void {
  const { job: { layout: { changeStride } }, team, planes, blocks, each } = s
  each(band => {
    planes.dilate('post', 'next', band)
    planes.andNot('undecided', 'pre', 'post', band)
  })
  team.barrier()
  each(band => {
    planes.dilate('ring', 'undecided', band)
    planes.and('ring', 'ring', 'fire', band)
    planes.andNot('ring', 'ring', 'pre', band)
    // In this band's list and rows, the cells of the ring come after those of `act`.
    const act = planes.list('act', band)
    const cells = planes.listOf(band) + 4 * act, rows = s.rowsOf(band) + act * changeStride
    const count = planes.list('ring', band, cells)
    if (count === 0) return
    blocks.changes(team.layout.x, cells, count, rows, () => blocks.hidden)
    disturbChanges(s, t, 'ring', band, rows)
    strongAfter(s, 'ring', band, rows)
  })
  team.barrier()
  each(band => {
    planes.dilate('post', 'next', band)
    planes.and('life', 'pre', 'post', band)
  })
}

/** Lets cells grow and die, keeps them within bounds, and logs their old values. */
function applyChanges(s: Sample, band: Band, kept: BandStep | null): void {
  const { job: { layout, program: { living, bound } }, thread: { kernels: k, store, bytes }, team, planes } = s
  const { words, rowsAt, cellBytes, changeStride } = layout
  const { x, planes: all } = team.layout
  const rows = s.rowsOf(band), cells = planes.listOf(band)
  planes.andNot('kill', 'held', 'life', band)
  const grown = k.grow(all.act, all.life, band.first, band.last, words, x, rowsAt, cellBytes, rows,
    changeStride, layout.keep)
  const killed = planes.list('kill', band)
  k.gather(x, cells, killed, cellBytes, rows + grown * cellBytes, cellBytes, layout.none)
  k.erase(x, cells, killed, cellBytes, layout.keep)
  const changed = (grown + killed) * cellBytes
  const noted = changed + noteOthers(s, band, rows + changed)
  const logBytes = noted + bind(s, band, rows + noted)
  if (kept) {
    const size = planes.words(band) * 8
    logged.forEach((name, i) => planes.move(rows - (3 - i) * size, planes.at(name, band), band))
    kept.log = store.write('log', bytes, rows - 3 * size, 3 * size + logBytes)
  }
  if (living && !bound) {
    planes.and('strong', 'next', 'life', band)
    if (Math.fround(living.above) < 0) { // then a dead cell, whose channels are zero, is strong
      planes.andNot('undecided', 'ones', 'life', band)
      planes.or('strong', 'strong', 'undecided', band)
    }
  }
  planes.or('held', 'held', 'act', band)
  planes.and('held', 'held', bound?.all ? 'ones' : 'life', band)
  if (bound) s.arrived(band) // bounds may have changed which cells are strong
  else s.updateRing(band)
}

/** The planes that the backward pass reads, in the order in which they precede the rows of the log. */
export const logged = ['act', 'life', 'kill'] as const
