/**
 * Whether there is time. `npm test` is to answer in a few minutes; `npm run test:long`, which CI runs, takes
 * longer: properties are tried on six times as many cases, and tests that begin with `it.runIf(long)` run too.
 */
export const long: boolean = Boolean(process.env.CELLGRAD_LONG)

/** How many cases a property is tried on that takes long for each: as many as said, in `npm test` a third of them. */
export function runs(all: number): { numRuns: number } {
  return { numRuns: long || process.env.CELLGRAD_RUNS ? all : Math.ceil(all / 3) }
}
