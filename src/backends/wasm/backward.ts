/**
 * Backward: undoes the steps of one sample, and takes its cotangent g = ∂L/∂s through each of them. With
 * s' = s + m ⊙ U(P(s)) and s ← s' where life:
 *
 *  [g ← g · the derivative of the bounds]           bounds.ts
 *   g ← g where life                                the living mask is a constant
 *   g ← g + Pᵀ (∂U)ᵀ g      over the cells of act   the others only pass g on
 *
 * The log of each step holds the old values of the cells that changed: writing them back restores the state, bit for bit.
 * Segments whose log did not fit the budget are run again from the state at their beginning.
 *
 * Each band has its own part of g, with a halo for what its cells add to cells of other bands or across the border. So
 * threads never add to the same number; halos are added afterwards, in a fixed order.
 *
 * The gradient of the weights is a sum over the cells of a band and over all steps, in which single precision would lose
 * digits. So at most 256 rows are summed in single precision, and then settled: added to a sum in double precision.
 */
import { unbind } from './bounds.ts'
import { roams } from './deformable-layout.ts'
import { forwardStep, logged } from './forward.ts'
import { give, take } from './given.ts'
import { listOthers } from './noise.ts'
import { blockRows, type Band, type PlaneName } from './layout.ts'
import { freeSteps, type BandStep, type Sample, type SampleHistory, type Segment } from './sample.ts'
import type { CacheEntry } from './cache.ts'

/** The most rows of cells that are summed in single precision. */
const mostRows = 256

/** From the cotangents of the readouts to the gradients of each band, and ∂L/∂x where it is wanted. */
export function backward(s: Sample, { segments, end }: SampleHistory): void {
  const { job, thread, team, planes, each, attending } = s
  const { kernels: k } = thread
  const { layout, program: { width, channels, given }, readouts } = job
  const { rowsAt, cellBytes } = layout
  const { g } = team.layout
  s.load(end)
  each(band => {
    k.zero(g + band.part, band.partBytes)
    if (attending) k.zero(team.layout.gn + band.part, band.partBytes)
    k.zero(unsettled(s, band), layout.gradientBytes)
    k.zero(settled(s, band), 2 * layout.gradientBytes)
    planes.fill('held', band) // from here on `held` means: where the cotangent may differ from zero
  })
  const waiting = s.bands.map(() => 0)
  const last = readouts[job.cotangents.lastIndexOf(true)] ?? 0
  for (let n = segments.length - 1; n >= 0; n--) {
    const kept = segments[n].steps ?? again(s, segments[n], n)
    for (let i = kept.length - 1; i >= 0; i--) {
      const t = n * job.segment + i
      if (t >= last) { // no later state has a cotangent
        each((band, j) => {
          undo(s, t, band, kept[i][j], false)
          take(s, t, band)
        })
        team.barrier()
        continue
      }
      const readout = readouts.indexOf(t + 1)
      if (job.cotangents[readout]) {
        each(band => {
          const { first, last, shift } = band
          const given = s.dense(layout.outputs[readout])
          k.addRows(g + shift, rowsAt, cellBytes, given, first, last, width, channels)
          planes.fill('held', band)
        })
      }
      backwardStep(s, t, kept[i], waiting, t > 0 || job.wantX || given !== null)
    }
    if (!segments[n].steps) freeSteps(thread, kept)
  }
  each(band => settle(s, band))
  if (!job.wantX) return
  each(({ first, last, shift }) =>
    k.storeRows(g + shift, rowsAt, cellBytes, s.dense(layout.gx), first, last, width, channels))
}

/** The address of the settled part of a band's gradient. */
function settled({ job: { layout }, number }: Sample, band: Band): number {
  return layout.gradients + (number * layout.bands.length + layout.bands.indexOf(band)) * 2 * layout.gradientBytes
}

function unsettled({ job: { layout }, team }: Sample, band: Band): number {
  return team.layout.gradients + layout.bands.indexOf(band) * layout.gradientBytes
}

function settle(s: Sample, band: Band): void {
  s.thread.kernels.settle(unsettled(s, band), s.job.layout.gradientBytes, settled(s, band))
}

/** Runs a segment again whose log was dropped. In the backward pass `held` is about cotangents, so it is saved and restored. */
function again(s: Sample, { start }: Segment, n: number): BandStep[][] {
  const { job: { steps, segment, againBytes }, thread: { store, bytes }, planes, bands, each } = s
  const held = bands.map(band => store.write('state', bytes, planes.at('held', band), planes.words(band) * 8))
  s.load(start!)
  const kept: BandStep[][] = []
  for (let t = n * segment; t < Math.min(steps, (n + 1) * segment); t++) kept.push(forwardStep(s, t, true, againBytes))
  each((band, i) => {
    store.read(held[i], bytes, planes.at('held', band))
    store.free(held[i])
  })
  return kept
}

/**
 * Undoes a step, and takes the cotangent from after it to before it; without `wantG` only the gradient of the weights. `waiting`
 * is the number of rows of each band that are not settled yet.
 */
function backwardStep(s: Sample, t: number, kept: readonly BandStep[], waiting: number[], wantG: boolean): void {
  const { job: { layout }, thread: { kernels: k }, team, planes, each, attending } = s
  const { cellBytes } = layout
  const { g, gn } = team.layout
  each((band, i) => {
    undo(s, t, band, kept[i], true)
    planes.andNot('kill', 'held', 'life', band)
    k.erase(g + band.shift, planes.listOf(band), planes.list('kill', band), cellBytes, layout.keep)
  })
  team.barrier()
  each((band, i) => {
    if (wantG) k.erase(g, band.halo, band.haloCount, cellBytes, layout.none)
    if (wantG && attending) k.erase(gn, band.halo, band.haloCount, cellBytes, layout.none)
    waiting[i] = throughLayers(s, band, kept[i].hidden, waiting[i], wantG)
  })
  if (wantG) spreadHeld(s)
  team.barrier()
  if (!wantG) return
  each(band => {
    k.copyPairs(g, band.fold, band.foldCount, cellBytes, 1)
    if (attending) k.copyPairs(gn, band.fold, band.foldCount, cellBytes, 1)
    attending?.normaliseBack(band)
    take(s, t, band)
  })
}

/** Reads the planes of a step back, takes the cotangent through its bounds, and writes the old values into the state. */
function undo(s: Sample, t: number, band: Band, kept: BandStep, owed: boolean): void {
  const { job: { program: { bound, noise }, layout: { cellBytes } }, thread: { kernels: k, store, bytes }, team: { layout: { x } }, planes } = s
  const rows = s.rowsOf(band), cells = planes.listOf(band), size = planes.words(band) * 8
  store.read(kept.log, bytes, rows - 3 * size)
  logged.forEach((name, i) => planes.move(planes.at(name, band), rows - (3 - i) * size, band))
  if (bound) {
    planes.and('grow', 'act', 'life', band)
    const changed = planes.list('grow', band) + planes.list('kill', band)
    unbind(s, band, rows + (changed + listOthers(s, band)) * cellBytes, owed)
  }
  planes.and('grow', 'act', 'life', band)
  const grown = planes.list('grow', band)
  k.put(x, cells, grown, cellBytes, rows)
  const killed = planes.list('kill', band)
  k.put(x, cells, killed, cellBytes, rows + grown * cellBytes)
  if (noise?.on === 'state') k.put(x, cells, listOthers(s, band), cellBytes, rows + (grown + killed) * cellBytes)
  else give(s, t, band)
  s.updateRing(band)
}

/** The derivative of the changes: weight gradients, and g += Pᵀ(…). Returns how many rows are not settled yet. */
function throughLayers(
  s: Sample, band: Band, hidden: readonly (CacheEntry | null)[], waiting: number, wantG: boolean,
): number {
  const { job: { layout }, thread: { kernels: k }, team: { layout: { x, g } }, planes, blocks } = s
  const { cellBytes, changeStride } = layout
  const cells = planes.listOf(band), rows = s.rowsOf(band), gBand = g + band.shift
  const count = planes.list('act', band)
  k.gather(gBand, cells, count, cellBytes, rows, changeStride, layout.keep) // before any of them is added to
  for (let i = 0, b = 0; i < count; i += blockRows, b++) {
    const size = Math.min(blockRows, count - i)
    const [block, change] = [cells + 4 * i, rows + i * changeStride]
    blocks.look(x, block, size, hidden[b] ? null : blocks.hidden)
    const at = hidden[b]?.at ?? blocks.hidden
    if (waiting + size > mostRows) {
      settle(s, band)
      waiting = 0
    }
    blocks.back(x, block, size, at, change, unsettled(s, band), wantG ? gBand : null)
    waiting += size
  }
  return waiting
}

/** held = life ∨ what the filters reach from `act`: outside of it the cotangent is zero. */
function spreadHeld({ job: { program, layout }, team, planes, each }: Sample): void {
  if (program.updated.length < program.channels || roams(program)) return each(band => planes.fill('held', band))
  let reached: PlaneName = 'act'
  for (let r = 0; r < layout.reach; r++) {
    const [from, to]: PlaneName[] = [reached, reached === 'next' ? 'post' : 'next']
    if (r > 0) team.barrier()
    each(band => planes.dilate(to, from, band))
    reached = to
  }
  each(band => planes.or('held', 'life', reached, band))
}
