/**
 * Denoising by diffusion: a rule learns to predict an image from the image with any amount of noise; applied repeatedly with less
 * and less noise, it makes images out of noise alone (Ho, Jain & Abbeel, "Denoising Diffusion Probabilistic Models",
 * NeurIPS 2020; for automata Kalkhof, Kühn, Frisch & Mukhopadhyay, "Frequency-Time Diffusion with Neural Cellular Automata",
 * 2024). With t from 0, the image, to 1, nothing but noise:
 *
 *   x_t  = a x₀ + b ε         a = cos(π t/2), b = sin(π t/2), ε ~ N(0, 1)       (Nichol & Dhariwal, ICML 2021, with s = 0)
 *   loss = mean (output − x₀)²,  t ~ U(0, 1) for each sample                  (Salimans & Ho, ICLR 2022: x₀ is predicted)
 *
 * x_t and t are in frozen channels. An image is made from x_1 = ε in n rollouts (Song, Meng & Ermon, "Denoising
 * Diffusion Implicit Models", ICLR 2021, with η = 0): from the output x̂₀ and the remaining noise, ε̂ = (x_t − a x̂₀)/b,
 *
 *   x_s  = a(s) x̂₀ + b(s) ε̂         s = t − 1/n
 *
 * Only the initial noise and the fire masks are random. In frozen channels of a condition, a class for instance, a rule can also be
 * told what is in the image; with conditions that are dropped in training, it can be guided (`guided`).
 */
import { check, checkOptions, isObject, isWhole, keysOf, required, text, wholeFrom } from '../../backends/options.ts'
import { checkKey, foldIn, key as keyOf, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, div, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { cos, sin } from '../../tensor/ops/functions.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { normal, uniform } from '../../tensor/ops/random.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { aTensor, placementKinds, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { mse } from '../losses/loss.ts'
import { channelCount, roleChannels } from '../rule/channels.ts'
import { dataRuleOf } from '../rule/define.ts'
import type { CustomRule, DataParams, DataRule } from '../rule/types.ts'
import { setChannels, takeRole } from '../state.ts'
import { rollout } from '../step.ts'
import type { Task } from '../training/trainer-options.ts'
import { checkFrozenRole, codesOf } from './conditional.ts'
import { checkExamples, pick, type Examples } from './examples.ts'

export type DenoisingOptions = Omit<Placement, 'like'> & {
  /** The frozen role of the noisy image, default 'noisy'. */
  noisy?: string
  /** The frozen role of the noise level t, one channel, default 'level'. */
  level?: string
  /** The role of the predicted image without noise, default 'output'. */
  output?: string
  /** A frozen role that gives all cells the condition of the image, which `dropped` empties; default none. */
  condition?: string
  /** A condition for each image, `[images.n,k]` for the k channels of that role; by default unit vectors, if k = images.n. */
  codes?: Tensor
}

const roleKinds = { noisy: text, level: text, output: text }
const denoisingOptions = keysOf<DenoisingOptions>({
  ...roleKinds, condition: text, codes: aTensor, dtype: placementKinds.dtype, backend: placementKinds.backend,
})

/**
 * The task of predicting images from noisy ones. Noise and level are drawn for each seed. Those of a sample of a pool stay the same
 * until it begins anew or is mutated (or, with `dropped` but no condition, in every iteration): so the rule also learns to keep its
 * prediction for more steps. All slots of an image begin with the same ones.
 *
 * @param images `shape` is [h,w,m], of volumes [d,h,w,m], m the channels of the noisy image and of the output; numbers should be
 *   roughly in [−1, 1], on the scale of the noise
 * @throws where images and rule do not fit together
 * @example
 * const rule = defineRule({
 *   channels: { noisy: 1, level: 1, output: 1, hidden: 13 }, frozen: ['noisy', 'level'], perceive: [conv(48)], update: mlp(64),
 * })
 * const trainer = taskTrainer({ rule, task: denoisingTask(rule, images), batch: 16, steps: [12, 20], optimiser: adam() })
 * for await (const { state } of train(trainer, { iterations: 5000 })) params = state.params
 * const made = denoise(rule, params, key(0), { size: [28, 28], levels: 20, steps: 16, batch: 8 })   // [8,28,28,1]
 * @example
 * // Digits of ten classes, in a rule with ten channels more, condition: 10, frozen as noisy and level are
 * const task = denoisingTask(rule, digits, { condition: 'condition', codes: gather(eye(10), labels, 0) })
 * taskTrainer({ rule, task, dropped: 0.1, ...rest })
 */
export function denoisingTask(rule: DataRule, images: Examples, options: DenoisingOptions = {}): Task {
  const where = 'denoisingTask'
  checkOptions(where, options, denoisingOptions)
  const { noisy = 'noisy', level = 'level', output = 'output', condition, codes: given, ...placement } = options
  const m = checkRoles(where, rule, { noisy, level, output })
  checkExamples(where, 'images', images, rule.grid + 1)
  check(images.shape[rule.grid] === m, where, 'channels of the images', images.shape[rule.grid], `${m}, as ${noisy}`)
  if (condition === undefined) check(given === undefined, where, 'codes', given, 'none without the role of a condition')
  else checkFrozenRole(where, rule, condition)
  const codes = condition === undefined ? undefined : codesOf(where, rule, condition, images.n, given, placement)
  const real = (ids: readonly number[]): Tensor => pick(images, ids, placement)
  return {
    examples: images.n,
    condition: condition ?? null,
    seeds: (ids, key = keyOf(0)) => {
      const x = real(ids), like = { like: x }
      const t = uniform(foldIn(key, 0), [ids.length, ...images.shape.map(() => 1)], like)
      const { a, b } = amounts(t)
      const told = codes && { [condition!]: gather(codes, ids, 0) }
      return stateOf(rule, { noisy, level }, add(mul(a, x), mul(b, normal(foldIn(key, 1), x.shape, like))), t, told)
    },
    loss: (x, ids) => mse(takeRole(rule, x, output), pick(images, ids, { like: x })),
    images: {
      made: x => takeRole(rule, x, output), real,
      given: x => concat([noisy, ...(codes ? [condition!] : [])].map(role => takeRole(rule, x, role))),
    },
  }
}

export type DenoiseOptions = Placement & Pick<DenoisingOptions, 'noisy' | 'level' | 'output'> & {
  /** Sides of the grid in cells: [h,w], of volumes [d,h,w], of lines [w]. */
  size: readonly number[]
  /** n, the number of rollouts, a whole number > 0, each under less noise than the one before. */
  levels: number
  /** Steps of each rollout, a whole number > 0; best as many as in training. */
  steps: number
  /** How many images are made, a whole number > 0, default 1. */
  batch?: number
  /** Values of other roles at the beginning of each rollout, as for `setChannels`: a condition, `[k]` of all images or `[batch,k]`. */
  values?: Readonly<Record<string, Tensor>>
}

const denoiseOptions = keysOf<DenoiseOptions>({
  ...roleKinds, ...placementKinds,
  size: required({ fits: x => Array.isArray(x) && x.every(n => isWhole(n, 1)), expected: 'whole numbers > 0, one for each side' }),
  levels: required(wholeFrom(1)), steps: required(wholeFrom(1)), batch: wholeFrom(1),
  values: { fits: isObject, expected: 'tensors by role' },
})

/**
 * Images out of noise, by a rule that was trained with `denoisingTask`.
 *
 * @param rule that of the training, or one that `guided` or `cascade` made of it
 * @param key draws the initial noise and the fire masks
 * @returns `[batch,h,w,m]`
 * @throws where the rule is other code or has no such roles, or `size` does not have the dimensions of its grid
 * @example const digits = denoise(rule, params, key(3), { size: [28, 28], levels: 20, steps: 16, batch: 16 })
 * @example denoise(guided(rule, 3, 'condition'), params, key(3), { ...how, batch: 10, values: { condition: eye(10) } })
 */
export function denoise(rule: DataRule | CustomRule<DataParams>, params: DataParams, key: Key, options: DenoiseOptions): Tensor {
  const where = 'denoise'
  checkKey(where, key)
  checkOptions(where, options, denoiseOptions)
  const { noisy = 'noisy', level = 'level', output = 'output', size, levels, steps, batch = 1, values = {}, ...placement } = options
  const own = dataRuleOf(rule)
  if (!own) throw new Error(`${where}: the rule is code, expected one of defineRule, or one that guided or cascade made of it.`)
  const m = checkRoles(where, own, { noisy, level, output })
  const taken = [noisy, level].find(role => Object.hasOwn(values, role))
  check(taken === undefined, where, 'values', taken, `roles other than ${noisy} and ${level}, which change from level to level`)
  check(size.length === rule.grid, where, 'size', size, `as many sides as the rule's grid has, ${rule.grid}`)
  return scope(() => {
    const noise = normal(foldIn(key, 0), [batch, ...size, m], placement)
    return fromNoise(noise, levels, (x, t) => takeRole(
      rule, rollout(rule, params, stateOf(rule, { noisy, level }, x, t, values), foldIn(key, 1 + Math.round(levels * t)), { steps }), output,
    ))
  }, 'denoise()')
}

/**
 * From noise `[b,…]` to images in `levels` steps; `clean` predicts x₀ from x_t and t.
 * @internal
 */
export function fromNoise(noise: Tensor, levels: number, clean: (x: Tensor, t: number) => Tensor): Tensor {
  let x = noise
  for (let i = levels; i > 0; i--) {
    x = scope(() => {
      const [now, next] = [i, i - 1].map(n => Math.PI * n / levels / 2)
      const image = clean(x, i / levels)
      const left = div(sub(x, mul(Math.cos(now), image)), Math.sin(now))
      return i === 1 ? image : add(mul(Math.cos(next), image), mul(Math.sin(next), left))
    })
  }
  return x
}

/** The factors a of the image and b of the noise at t. */
function amounts(t: Tensor): { a: Tensor; b: Tensor } {
  const angle = mul(t, Math.PI / 2)
  return { a: cos(angle), b: sin(angle) }
}

/** The number of channels of an image. Throws unless a rule has these roles. */
function checkRoles(where: string, rule: DataRule, { noisy, level, output }: { noisy: string; level: string; output: string }): number {
  checkFrozenRole(where, rule, noisy)
  checkFrozenRole(where, rule, level)
  const [m, one, out] = [noisy, level, output].map(role => {
    const [from, to] = roleChannels(rule.channels, role)
    return to - from
  })
  check(one === 1, where, `channels.${level}`, one, '1, the amount of noise')
  check(out === m, where, `channels.${output}`, out, `${m}, as ${noisy}`)
  return m
}

/** A state with a noisy image, its level, a tensor `[b,1,…]` or a number, and other values, zero elsewhere. */
function stateOf(
  rule: Pick<DataRule, 'channels'>, { noisy, level }: { noisy: string; level: string }, x: Tensor, t: Tensor | number, values?: DenoiseOptions['values'],
): Tensor {
  const cells = x.shape.slice(0, -1)
  const empty = zeros([...cells, channelCount(rule.channels)], { like: x })
  return setChannels(rule, empty, { ...values, [noisy]: x, [level]: add(zeros([...cells, 1], { like: x }), t) })
}
