/**
 * Whether slow tests run. `npm test` should take only a few minutes. `npm run test:long`, which CI runs, takes
 * longer: properties are tried on six times as many cases, and tests that begin with `it.runIf(long)` run too.
 */
export const long: boolean = Boolean(process.env.CELLGRAD_LONG)

/** The number of cases for a property whose cases are slow: as given, in `npm test` a third of that. */
export function runs(all: number): { numRuns: number } {
  return { numRuns: long || process.env.CELLGRAD_RUNS ? all : Math.ceil(all / 3) }
}
