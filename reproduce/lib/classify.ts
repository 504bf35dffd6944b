/**
 * How self-classifying pictures are trained here, in less than the published 100,000 iterations, and how digits are judged:
 *
 * - Muon in the place of Adam: `npm run reproduce -- optimisers` compares them.
 * - The rate follows a cosine from the first iteration on: one that stays high for 30,000 iterations and then drops makes sense
 *   only with 100,000 iterations.
 * - The loss is taken at three steps of each rollout: so cells learn to classify early and to stay right, and the gradient has
 *   less variance without more rollouts.
 * - At first all samples begin from seeds, since the states of an untrained rule, old ones above all, teach nothing. Then samples
 *   come from the pool, in which states grow old and get other pictures.
 */
import {
  accuracy, classificationTask, cosineDecay, defineRule, examplesOf, key, mean, muon, recipes, rollout, scope, seenCells, takeRole, tensor,
  totalAgreement, warmUp, type DataParams, type DataRule, type Optimiser, type PoolRatio, type Tensor,
} from '../../src/index.ts'
import type { Mnist } from '../../src/node/index.ts'

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

/** In percent: cells that are right, images that are right by the vote of their cells, and images whose cells all agree. */
export type Shares = { readonly right: number; readonly votes: number; readonly agreement: number }

export async function sharesOf(x: Tensor, labels: readonly number[]): Promise<Shares> {
  const truth = tensor(Int32Array.from(labels)), classes = takeRole(digitsRule, x, 'classes'), mask = seenCells(digitsRule, x)
  const percentOf = async (judge: () => Tensor): Promise<number> => 100 * await scope(() => mean(judge())).item()
  return {
    right: await percentOf(() => accuracy(classes, truth, { mask })),
    votes: await percentOf(() => accuracy(classes, truth, { mask, per: 'image' })),
    agreement: await percentOf(() => totalAgreement(classes, { mask })),
  }
}

/** The steps over which the paper takes the mean of the accuracy. */
const earlySteps = Array.from({ length: 11 }, (_, i) => 20 + i)

/** The mean over steps 20 to 30, of the first n digits. */
export async function earlyShares(params: DataParams, { images, labels }: Mnist, n: number): Promise<Shares> {
  const task = classificationTask(digitsRule, { ...examplesOf(images, [28, 28, 1]), labels })
  const all: Shares[] = []
  const atOnce = Math.min(n, 200)
  for (let from = 0; from < n; from += atOnce) {
    const ids = Array.from({ length: atOnce }, (_, i) => from + i)
    const states = scope(() => rollout(digitsRule, params, task.seeds(ids), key(0), { steps: 30, readouts: earlySteps }))
    for (const state of states) all.push(await sharesOf(state, ids.map(i => labels[i])))
  }
  const meanOf = (name: keyof Shares): number => all.reduce((sum, shares) => sum + shares[name], 0) / all.length
  return { right: meanOf('right'), votes: meanOf('votes'), agreement: meanOf('agreement') }
}
