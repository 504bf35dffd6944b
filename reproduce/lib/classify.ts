/**
 * How self-classifying pictures are trained here, in a tenth of the published 100,000 iterations or less:
 *
 * - Muon in the place of Adam: `npm run reproduce -- optimisers` compares them.
 * - The rate follows a cosine from the first iteration on: one that stays high for 30,000 iterations and then drops makes sense
 *   only with 100,000 iterations.
 * - The loss is taken at three steps of each rollout: so cells learn to classify early and to stay right, and the gradient has
 *   less variance without more rollouts.
 * - At first all samples begin from seeds, since the states of an untrained rule, old ones above all, teach nothing. Then samples
 *   come from the pool, in which states grow old and get other pictures.
 */
import { cosineDecay, defineRule, muon, recipes, warmUp, type DataRule, type Optimiser, type PoolRatio } from '../../src/index.ts'

/** The rule of digits. All cells update in every step: the paper does not say how many do, and with half of them ten updates must do for 20 steps. */
export const digitsRule: DataRule = defineRule({ ...recipes.digits.rule, fireRate: 1 })

/** Half of the published batch, of which a quarter begins anew and a quarter gets other pictures, as there. */
export const half = { batch: 8, reseed: 2, mutated: 2 } as const

/** How many states of a rollout the loss is taken at. */
export const readouts = 3

/** All samples are seeds for a quarter of the iterations; after another quarter only those that the recipe reseeds. */
export const seedsFirst = (iterations: number): PoolRatio =>
  ({ delay: Math.floor(iterations / 4), from: 0, to: 1, iterations: Math.ceil(iterations / 4) })

export function optimiserFor(iterations: number): Optimiser {
  return muon({ rate: warmUp(30, cosineDecay(2e-3, { length: iterations, final: 2e-5 })) })
}
