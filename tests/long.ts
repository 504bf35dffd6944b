/**
 * Whether there is time. `npm test` is to answer within three minutes; `npm run test:long`, which CI runs, takes
 * longer: what repeats itself on a software GPU is repeated three times as often, and tests that begin with
 * `it.runIf(long)` run too.
 */
export const long: boolean = Boolean(process.env.CELLGRAD_LONG)
