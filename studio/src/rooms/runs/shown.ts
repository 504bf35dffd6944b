/**
 * The choice of the runs that are shown side by side.
 */
import type { ServedRun } from 'cellgrad/experiment'

/** The number of runs that have a colour of their own. */
export const colours = 6

/** The runs with the given names; without names the first ones, as many as there are colours. */
export function shownOf(runs: readonly ServedRun[], names: readonly string[] | null): ServedRun[] {
  return names ? runs.filter(({ name }) => names.includes(name)) : runs.slice(0, colours)
}
