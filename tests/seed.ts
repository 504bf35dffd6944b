/**
 * The seed of everything random in tests.
 *
 * It is the same every time, so that the result of `npm test` depends on the change and not on luck, unless
 * CELLGRAD_SEED gives another: the number that a failure printed, or `new` for a random one, as in
 * `npm run test:long` and `npm run test:deep`.
 */
const { CELLGRAD_SEED } = process.env

export const seed: number = CELLGRAD_SEED === 'new' ? Math.floor(Math.random() * 2 ** 31) : Number(CELLGRAD_SEED || 20_201_211)
