/**
 * Which of the runs are shown beside one another.
 */
import type { ServedRun } from 'cellgrad/experiment'

/** So many runs have a colour of their own. */
export const colours = 6

/** The runs whose names are asked for, or the first ones, as many as have a colour. */
export function shownOf(runs: readonly ServedRun[], names: readonly string[] | null): ServedRun[] {
  return names ? runs.filter(({ name }) => names.includes(name)) : runs.slice(0, colours)
}
