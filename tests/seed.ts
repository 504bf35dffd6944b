/**
 * The seed of what tests draw at random.
 *
 * The same one every time, so that `npm test` says something about a change and not about the luck of the draw, until
 * CELLGRAD_SEED names another: the number that a failure printed, or `new` for one that nobody has tried yet, as
 * `npm run test:long` and `npm run test:deep` do.
 */
const { CELLGRAD_SEED } = process.env

export const seed: number = CELLGRAD_SEED === 'new' ? Math.floor(Math.random() * 2 ** 31) : Number(CELLGRAD_SEED || 20_201_211)
