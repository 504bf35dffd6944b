/**
 * Whether there is time. `npm test` is to answer in a few minutes; `npm run test:long`, which CI runs, takes
 * longer: properties are tried on three times as many cases, and tests that begin with `it.runIf(long)` run too.
 */
export const long: boolean = Boolean(process.env.CELLGRAD_LONG)
