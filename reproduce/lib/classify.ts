/**
 * How pictures that classify themselves are trained here, in a third or less of the published 100,000 iterations:
 *
 * - The first rate is twice the published one and falls along a cosine, from the first iteration on: a rate that stands high for
 *   30,000 iterations and then drops is for those who have 100,000.
 * - A batch is judged at three steps of its rollout: so cells learn to know early and to go on knowing, and a gradient of less
 *   chance costs no more rollouts.
 * - At first all samples begin anew, since the states of a rule that knows nothing teach nothing, and old ones least of all. Then the
 *   pool is opened: states grow old in it, and are given other pictures.
 * - Gradients are normalised as published, one parameter after the other, which also bounds the few that are great.
 */
import { adam, cosineDecay, warmUp, type PoolRatio, type Optimiser } from '../../src/index.ts'

/** States of a rollout that are judged. */
export const readouts = 3

/** All anew for 4,000 iterations; after 4,000 more only those that the recipe reseeds. */
export const seedsFirst: PoolRatio = { delay: 4000, from: 0, to: 1, iterations: 4000 }

export function optimiserFor(iterations: number): Optimiser {
  return adam({ rate: warmUp(100, cosineDecay(2e-3, { length: iterations, final: 2e-5 })) })
}
