/**
 * The critic of WGAN-GP: a small network that distinguishes images made by a rule from real ones, and is trained together with
 * the rule (Arjovsky, Chintala & Bottou, "Wasserstein GAN", ICML 2017; Gulrajani et al., "Improved Training of Wasserstein GANs",
 * NeurIPS 2017; for automata Otte, Delfosse, Czech & Kersting, "Generative Adversarial Neural Cellular Automata", 2021, and
 * Spitznagel & Keuper 2026, section 3.1.3). With x real, x̃ generated, and c the condition of both, for instance the edges of
 * a drawing:
 *
 *   the critic     L_D = mean D(x̃, c) − mean D(x, c) + λ mean (‖∇_x̂ D(x̂, c)‖ − 1)²     see `gradientPenalty`
 *   the rule       L   = p · mean loss − w · mean D(x̃, c)
 *
 * D consists of convolutions with 4×4 taps that halve the image, leaky ReLUs, and one more convolution to a score for each place,
 * whose mean is the score of the image: it looks at patches, whatever the size of the image (Isola, Zhu, Zhou & Efros,
 * "Image-to-Image Translation with Conditional Adversarial Networks", CVPR 2017). It has no batch normalisation, which would
 * make the penalty of a sample depend on the others. As the critic converges, mean D(x) − mean D(x̃) estimates the Wasserstein
 * distance between generated and real images.
 */
import { valueAndGradAux } from '../../autograd/grad.ts'
import { list, record, type Field } from '../../backends/fields.ts'
import { numberAbove, numberFrom, wholeFrom } from '../../backends/options.ts'
import type { Key } from '../../tensor/key.ts'
import { add, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { conv2d } from '../../tensor/ops/conv2d/conv2d.ts'
import { leakyRelu } from '../../tensor/ops/functions.ts'
import { mean } from '../../tensor/ops/reduce.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { initConvLayers, type ConvLayers } from '../conv-layers.ts'
import { gradientPenalty } from '../losses/gradient-penalty.ts'
import { perSample } from '../losses/loss.ts'
import { adam, initOptimiser, optimiserField, updateParams, type Optimiser, type OptimiserState } from './optimiser.ts'

/**
 * A critic that is trained together with the rule, and its weight in the rule's loss.
 *
 * @example taskTrainer({ rule, task: imageToImageTask(rule, pairs, { loss: l1 }), critic: { lossWeight: 100 }, ...rest })
 * @example taskTrainer({ ...rest, critic: { widths: [64, 128, 128], steps: 3, optimiser: adam({ rate: 2e-4, beta1: 0, beta2: 0.9 }) } })
 */
export type CriticOptions = {
  /** Channels of its layers, each of which halves the image; default [32, 64]. */
  widths?: readonly number[]
  /** Batches that it is trained on in each iteration, before the rule; a whole number > 0, default 5. */
  steps?: number
  /** λ, the weight of the gradient penalty, a number ≥ 0; default 10. */
  penalty?: number
  /** w, the weight of its score in the loss of the rule, a number > 0; default 1. */
  weight?: number
  /** p, the weight of the task's own loss in the loss of the rule, a number ≥ 0; default 0, the score alone. */
  lossWeight?: number
  /** The critic's optimiser; default `adam({ rate: 1e-4, beta1: 0, beta2: 0.9 })`. */
  optimiser?: Optimiser
}

/** The options of a critic, completed by defaults. */
export type Critic = Required<CriticOptions>

export const criticField: Field<Critic> = record<Critic>({
  fields: {
    widths: { ...list<number>(wholeFrom(1, 4096), 'whole numbers', 1, 16), default: [32, 64], about: 'Channels of its layers, each of which halves the image' },
    steps: { ...wholeFrom(1, 1000), default: 5, about: 'Batches from which it learns in each iteration' },
    penalty: { ...numberFrom(0), default: 10, about: 'Weight of the gradient penalty' },
    weight: { ...numberAbove(0), default: 1, about: 'Weight of its score in the loss of the rule' },
    lossWeight: { ...numberFrom(0), default: 0, about: "Weight of the task's own loss there; 0: the score alone" },
    optimiser: { ...optimiserField, default: adam({ rate: 1e-4, beta1: 0, beta2: 0.9 }) },
  },
})

/** The layers of a critic, from the image on: kernels `[kh,kw,in,out]` and biases `[out]`. */
export type CriticParams = ConvLayers

/** The state of a critic during training. */
export type CriticState = { readonly params: CriticParams; readonly optimiser: OptimiserState<CriticParams> }

/** What a critic is shown: real and generated images `[n,h,w,m]`, and the condition of both, `[n,h,w,k]`, or null. */
export type Shown = { readonly real: Tensor; readonly made: Tensor; readonly given: Tensor | null }

/** The initial critic of images `[n,h,w,m]` and their condition: He's normal weights, biases of zero. */
export function initCritic({ widths, optimiser }: Critic, { made, given }: Omit<Shown, 'real'>, k: Key): CriticState {
  const place = { like: made }
  const channels = made.shape[3] + (given?.shape[3] ?? 0)
  const inputs = [channels, ...widths], outputs = [...widths, 1]
  const sizes = outputs.map((_, i) => (i < widths.length ? 4 : 3))
  const params = initConvLayers(k, outputs.map((out, i) => [sizes[i], sizes[i], inputs[i], out]), place)
  return { params, optimiser: initOptimiser(optimiser, params) }
}

/** The score `[n]` of images `[n,h,w,m]` with their condition: the greater, the more real. */
export function criticScore(params: CriticParams, images: Tensor, given: Tensor | null): Tensor {
  const x = given ? concat([images, given], -1) : images
  const places = params.reduce((h, { w, b }, i) => (i < params.length - 1
    ? leakyRelu(conv2d(h, w, { bias: b, stride: 2 }))
    : conv2d(h, w, { bias: b })), x)
  return perSample(places)
}

/** L_D, and mean D(x) − mean D(x̃). */
export function criticLoss(params: CriticParams, { real, made, given }: Shown, penalty: number, k: Key): readonly [Tensor, Tensor] {
  const distance = sub(mean(criticScore(params, real, given)), mean(criticScore(params, made, given)))
  const steep = gradientPenalty(x => criticScore(params, x, given), real, made, k)
  return [sub(mul(penalty, mean(steep)), distance), distance]
}

/** A critic after one step, and the distance between real and generated images before it. */
export function learnCritic(
  { optimiser, penalty }: Critic, state: CriticState, shown: Shown, k: Key, rate: number,
): { critic: CriticState; distance: Tensor } {
  const [[, distance], grads] = valueAndGradAux((params: CriticParams) => criticLoss(params, shown, penalty, k))(state.params)
  const { params, state: moments } = updateParams(optimiser, state.optimiser, state.params, grads, rate)
  return { critic: { params, optimiser: moments }, distance }
}

/** The loss of a rule, with the critic's score in it. */
export function lossWithCritic(
  { weight, lossWeight }: Critic, params: CriticParams, { made, given }: Omit<Shown, 'real'>, loss: Tensor,
): Tensor {
  const score = mul(-weight, mean(criticScore(params, made, given)))
  return lossWeight === 0 ? score : add(mul(lossWeight, loss), score)
}
