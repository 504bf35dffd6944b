/**
 * Planes: the masks of a sample, one bit per cell, by name (see assembly/bits.ts for their layout).
 *
 *   strong      the living channel exceeds its threshold              next    the same after the step
 *   pre, post   cells that live before and after the change           life    both, with the ring taken into account
 *   near        cells that can matter at all                          fire    the cells among them that fire
 *   act         the cells whose change is computed                    grow    those of them that live on
 *   undecided   cells that die unless a dead neighbour saves them     ring    those neighbours
 *   held        where the state (backward: its cotangent) may differ from zero
 *   kill        the cells of `held` that die                          ones    every cell
 */
import type { Program } from '../program.ts'
import type { Kernels } from './kernels.ts'
import type { Band, Layout, PlaneName, TeamLayout } from './layout.ts'

export type Planes = {
  /** The address of a band's rows in a plane, and their number of words. */
  at(name: PlaneName, band: Band): number
  words(band: Band): number
  and(to: PlaneName, a: PlaneName, b: PlaneName, band: Band): void
  /** a ∧ ¬b */
  andNot(to: PlaneName, a: PlaneName, b: PlaneName, band: Band): void
  or(to: PlaneName, a: PlaneName, b: PlaneName, band: Band): void
  copy(to: PlaneName, from: PlaneName, band: Band): void
  /** Copies the rows of a band between a plane and another place. */
  move(to: number, from: number, band: Band): void
  /** Sets all bits. */
  fill(to: PlaneName, band: Band): void
  /** Dilation by one cell along every axis. It reads rows of other bands. */
  dilate(to: PlaneName, from: PlaneName, band: Band): void
  /** Writes the list of the set cells of a band to `to`, by default the band's own place; returns their number. */
  list(name: PlaneName, band: Band, to?: number): number
  /** A band's own place for a list of cells. */
  listOf(band: Band): number
}

export function planesOf(k: Kernels, program: Program, layout: Layout, team: TeamLayout): Planes {
  const { depth, height, width, padding } = program
  const { words, planeRow, rowsAt, cellBytes } = layout
  const { planes } = team
  const wrap = +(padding === 'circular')
  const at = (name: PlaneName, band: Band): number => planes[name] + band.first * planeRow
  const count = ({ first, last }: Band): number => (last - first) * words
  const listOf = ({ first }: Band): number => team.list + first * width * 4
  return {
    at,
    words: count,
    and: (to, a, b, band) => k.and(at(to, band), at(a, band), at(b, band), count(band)),
    andNot: (to, a, b, band) => k.andNot(at(to, band), at(a, band), at(b, band), count(band)),
    or: (to, a, b, band) => k.or(at(to, band), at(a, band), at(b, band), count(band)),
    copy: (to, from, band) => k.and(at(to, band), at(from, band), at(from, band), count(band)),
    move: (to, from, band) => k.and(to, from, from, count(band)),
    fill: (to, { first, last }) => k.fill(planes[to], first, last, width, words),
    dilate: (to, from, { first, last }) =>
      k.dilate(planes[from], planes[to], first, last, depth, height, width, words, wrap),
    list: (name, band, to = listOf(band)) =>
      k.list(planes[name], band.first, band.last, words, rowsAt, cellBytes, to),
    listOf,
  }
}
