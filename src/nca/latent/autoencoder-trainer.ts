/**
 * Training an autoencoder (`autoencoder.ts`), before an automaton lives in its latents. Means are over all numbers:
 *
 *   plain   L = mean (D(z) − x)²
 *   vae     L = mean (D(μ + σ ε) − x)² + β mean ½ (μ² + σ² − 1 − log σ²),  ε ~ N(0, 1)       (KL from N(0, 1), appendix B)
 *   vq      L = mean (D(q(z)) − x)² + mean (sg z − q(z))² + β mean (z − sg q(z))²     (equation 3; sg: stop-gradient)
 *
 * The codebook is initialised with outputs of the untrained encoder at cells of examples, so that each entry is nearest to some
 * of them (Łańcucki et al., "Robust Training of Vector Quantized Bottleneck Models", 2020).
 */
import { valueAndGradAux } from '../../autograd/grad.ts'
import { checkData, orNull, record, type Fields } from '../../backends/fields.ts'
import { isObject, numberAbove, wholeFrom } from '../../backends/options.ts'
import { checkKey, drawChoice, drawInteger, foldIn, split, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { exp, square } from '../../tensor/ops/functions.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { normal } from '../../tensor/ops/random.ts'
import { mean } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { stopGradient } from '../../tensor/ops/stop-gradient.ts'
import { place, placementKinds, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { takeChannels } from '../state.ts'
import { checkExamples, pick, type Examples } from '../tasks/examples.ts'
import { checkState, checkStateFor, checkTensors, tensorsIn } from '../training/check-state.ts'
import {
  adam, clipByGlobalNorm, globalNorm, initOptimiser, momentCount, optimiserField, updateParams, type Optimiser,
} from '../training/optimiser.ts'
import { rateAt } from '../training/schedule.ts'
import type { Metrics, Trainer, TrainerState } from '../training/trainer.ts'
import { autoencoderField, decodeLatents, encoded, initAutoencoder, shrinking, type Autoencoder, type AutoencoderParams } from './autoencoder.ts'
import { nearestEntries, straightThrough } from './codebook.ts'

export type AutoencoderTrainerOptions = Omit<Placement, 'like'> & {
  /** The autoencoder to train, from `defineAutoencoder`. */
  autoencoder: Autoencoder
  /** Images `[h,w,channels]`, sides that are multiples of f. */
  images: Examples
  /** Images per iteration, a whole number > 0. */
  batch: number
  /** The optimiser; default `adam({ rate: 1e-3 })`. */
  optimiser?: Optimiser
  /** The largest norm that the whole gradient may have; null, the default, for no limit. */
  clip?: number | null
}

/** The options of an autoencoder's training that a configuration file can give. */
export const autoencoderTrainingFields: Fields<Required<Pick<AutoencoderTrainerOptions, 'batch' | 'optimiser' | 'clip'>>> = {
  batch: { ...wholeFrom(1, 65_536), about: 'Images per iteration' },
  optimiser: { ...optimiserField, default: adam({ rate: 1e-3 }) },
  clip: { ...orNull(numberAbove(0)), default: null, about: 'Largest norm of the whole gradient, which is scaled down to it; null: no limit' },
}

const optionsField = record<Required<AutoencoderTrainerOptions>>({
  fields: {
    autoencoder: autoencoderField,
    images: { fits: isObject, expected: 'examples; make them with examplesOf(data, shape)' },
    ...autoencoderTrainingFields,
    dtype: { ...placementKinds.dtype, default: undefined },
    backend: { ...placementKinds.backend, default: undefined },
  },
  together({ autoencoder, images }, expect) {
    checkExamples('autoencoderTrainer', 'images', images, 3)
    const [h, w, channels] = images.shape, f = shrinking(autoencoder)
    expect(h % f === 0 && w % f === 0, ['images', 'shape'], images.shape, `sides that are multiples of ${f}`)
    expect(channels === autoencoder.channels, ['images', 'shape'], images.shape, `${autoencoder.channels} channels, as the autoencoder has`)
  },
})

/**
 * The trainer of an autoencoder. Its states are those of every trainer, without a pool: `train` drives it, and
 * `encodeCheckpoint` keeps them.
 *
 * @throws where images and autoencoder do not fit together
 * @example
 * const autoencoder = defineAutoencoder({ channels: 4, latent: 8, widths: [16, 32, 64], code: { type: 'vq' } })
 * const trainer = autoencoderTrainer({ autoencoder, images: examplesOf(pixels, [128, 128, 4]), batch: 8 })
 * for await (const { state } of train(trainer, { iterations: 2000 })) params = state.params
 * const task = latentTask(rule, targets, { autoencoder, params })        // constant from then on: only the rule learns
 */
export function autoencoderTrainer(given: AutoencoderTrainerOptions): Trainer<TrainerState<AutoencoderParams>> {
  const { autoencoder, images, batch, optimiser, clip, ...placement } = checkData('autoencoderTrainer', optionsField, given)
  type State = TrainerState<AutoencoderParams>

  function init(k: Key): State {
    checkKey('init', k)
    return scope(() => {
      const [kParams, kRun, kEntries] = split(k, 3)
      const first = initAutoencoder(autoencoder, kParams, place(placement, 'autoencoderTrainer'))
      const params = first.codebook ? { ...first, codebook: entriesOf(first, kEntries) } : first
      return { params, optimiser: initOptimiser(optimiser, params), pool: [], examples: [], iteration: 0, key: kRun }
    }, 'init()')
  }

  /** Codebook entries: outputs of the encoder at cells of examples. */
  function entriesOf(params: AutoencoderParams, k: Key): Tensor {
    const [entries, latent] = params.codebook!.shape
    const z = encoded(autoencoder, params, drawn(foldIn(k, 0), Math.min(images.n, 64)))
    const cells = reshape(z, [-1, latent])
    const count = cells.shape[0]
    const chosen = count >= entries
      ? drawChoice(foldIn(k, 1), count, entries)
      : Array.from({ length: entries }, (_, i) => i % count)
    return gather(cells, chosen, 0)
  }

  function drawn(k: Key, n: number): Tensor {
    return pick(images, Array.from({ length: n }, (_, i) => drawInteger(foldIn(k, i), 0, images.n)), placement)
  }

  function step(before: State): { state: State; metrics: Metrics } {
    return scope(() => {
      const [kDraw, kLoss] = split(foldIn(before.key, before.iteration))
      const x = drawn(kDraw, batch)
      const [[, loss], grads] = valueAndGradAux((params: AutoencoderParams) => {
        const whole = autoencoderLoss(autoencoder, params, x, kLoss)
        return [whole, whole] as const
      })(before.params)
      const rate = rateAt(optimiser.rate, before.iteration)
      const { params, state } = updateParams(
        optimiser, before.optimiser as never, before.params, clip === null ? grads : clipByGlobalNorm(grads, clip), rate,
      )
      return {
        state: { ...before, params, optimiser: state, iteration: before.iteration + 1 },
        metrics: { loss, gradNorm: globalNorm(grads), grads, steps: 0, rate },
      }
    }, 'an iteration of the autoencoder')
  }

  function hold(state: State, where: string): void {
    checkState(where, state)
    scope(() => {
      const like = initAutoencoder(autoencoder, foldIn(state.key, 0), place(placement, 'autoencoderTrainer'))
      checkStateFor(where, state, {
        seed: pick(images, [0], placement),
        params: (at, params) => checkTensors(at, 'params', params, tensorsIn(like)),
        learnt: params => params, moments: momentCount(optimiser), critic: undefined, slots: 0, examples: images.n,
      })
    }, 'the check of a state')
  }

  return { init, step, check: hold }
}

/**
 * The loss of an autoencoder, a scalar, see the top of this file.
 *
 * @param images `[n,h,w,channels]`
 * @param k draws ε for the code `vae`; the others draw nothing
 * @example const [loss, grads] = valueAndGrad((p: AutoencoderParams) => autoencoderLoss(autoencoder, p, images, key(0)))(params)
 */
export function autoencoderLoss(autoencoder: Autoencoder, params: AutoencoderParams, images: Tensor, k: Key): Tensor {
  const { latent, code } = autoencoder
  const z = encoded(autoencoder, params, images)
  const error = (latents: Tensor): Tensor => mean(square(sub(decodeLatents(autoencoder, params, latents), images)))
  if (code.type === 'plain') return error(z)
  if (code.type === 'vq') {
    const entries = nearestEntries(z, params.codebook!)
    const [moved, committed] = [sub(stopGradient(z), entries), sub(z, stopGradient(entries))].map(d => mean(square(d)))
    return add(error(straightThrough(z, entries)), add(moved, mul(code.commitment, committed)))
  }
  const [mu, logVariance] = [takeChannels(z, 0, latent), takeChannels(z, latent, 2 * latent)]
  const sample = add(mu, mul(exp(mul(0.5, logVariance)), normal(k, mu.shape, { like: mu })))
  const kl = mul(0.5, mean(sub(add(square(mu), exp(logVariance)), add(1, logVariance))))
  return add(error(sample), mul(code.weight, kl))
}
