/**
 * Automata in latents: a rule lives on the grid of an autoencoder's latents, and its loss compares their image with the target
 * (Spitznagel & Keuper 2026, algorithm 2). With E and D trained before, and constant:
 *
 *   z_0 = E(starting image), or a seed         z_t+1 = step(z_t)         loss = ℓ(D(z_T), target)
 *
 * The gradient flows through D and all steps; a pool holds latents. Latents are the channels of the role `latent`; the decoder
 * ignores other roles.
 */
import { callable, check, checkOptions, isObject, keysOf, text } from '../../backends/options.ts'
import { requireTensor } from '../../tensor/op.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { interpolate } from '../../tensor/ops/interpolate.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { viewOf, type View } from '../files/view.ts'
import { mse } from '../losses/loss.ts'
import type { Channels, DataRule } from '../rule/types.ts'
import { seed, setChannels, takeRole } from '../state.ts'
import { checkFrozenRole, codesOf } from '../tasks/conditional.ts'
import { checkExamples, pick, statesOf, type Examples } from '../tasks/examples.ts'
import type { Task } from '../training/trainer-options.ts'
import { checkCodec, decodeLatents, encodeLatents, shrinking, type Codec } from './autoencoder.ts'

export type LatentTaskOptions = {
  /**
   * The images from whose latents rollouts begin, one for each target, for instance the targets with a part missing; all other
   * channels begin at zero. By default rollouts begin from a seed, one living cell.
   */
  from?: Examples
  /** A frozen role that gives all cells the index of the target, one-hot; default none. */
  condition?: string
  /** The loss, from images `[n,h,w,m]` and targets to `[n]`; default `mse`. */
  loss?: (image: Tensor, target: Tensor) => Tensor
}

const latentTaskOptions = keysOf<LatentTaskOptions>({
  from: { fits: isObject, expected: 'examples; make them with examplesOf(data, shape)' }, condition: text, loss: callable,
})

/**
 * The task of making images in latents.
 *
 * @param rule one with a role `latent` of as many channels as a latent cell has
 * @param targets images `[h,w,m]` of the autoencoder's channels, sides that are multiples of f
 * @param codec an autoencoder and the parameters that `autoencoderTrainer` has trained
 * @throws where rule, images and autoencoder do not fit together
 * @example
 * const rule = defineRule({
 *   channels: { latent: 8, hidden: 16 }, perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(96), fireRate: 0.5,
 * })
 * const task = latentTask(rule, examplesOf(pixels, [128, 128, 4]), { autoencoder, params: trained })
 * taskTrainer({ rule, task, batch: 8, steps: [16, 32], pool: 256, reseed: 1, damaged: 2, optimiser: adam() })
 * @example latentTask(rule, faces, codec, { from: masked })                          // inpainting
 * @example latentTask(rule, emojis, codec, { condition: 'condition' })               // several, chosen by their index
 */
export function latentTask(rule: DataRule, targets: Examples, codec: Codec, options: LatentTaskOptions = {}): Task {
  const where = 'latentTask'
  checkOptions(where, options, latentTaskOptions)
  checkCodec(where, rule, codec)
  const { autoencoder, params } = codec
  const { from, condition, loss = mse } = options
  const f = shrinking(autoencoder)
  for (const [name, images] of [['targets', targets], ...(from ? [['from', from] as const] : [])] as const) {
    checkExamples(where, name, images, 3)
    const [h, w, m] = images.shape
    check(h % f === 0 && w % f === 0 && m === autoencoder.channels, where, `${name}.shape`, images.shape,
      `sides that are multiples of ${f}, and ${autoencoder.channels} channels`)
  }
  const alike = !from || (from.n === targets.n && from.shape.every((n, i) => n === targets.shape[i]))
  const size = ({ n, shape }: Examples): string => `${n} of ${shape.slice(0, 2).join('×')}`
  if (!alike) throw new Error(`${where}: from is ${size(from!)}, expected ${size(targets)}, as the targets.`)
  const like = params.decoder[0].w, [rows, columns] = targets.shape, height = rows / f, width = columns / f
  if (condition !== undefined) checkFrozenRole(where, rule, condition)
  const codes = condition === undefined ? undefined : codesOf(where, rule, condition, targets.n, undefined, { like })
  return {
    examples: targets.n,
    seeds: ids => {
      const x = from
        ? statesOf(rule, 'latent', encodeLatents(autoencoder, params, pick(from, ids, { like })))
        : seed(rule, { height, width, batch: ids.length, like })
      return codes ? setChannels(rule, x, { [condition!]: gather(codes, ids, 0) }) : x
    },
    loss: (x, ids) => loss(latentImages(rule, codec, x), pick(targets, ids, { like: x })),
    images: {
      made: x => latentImages(rule, codec, x), real: ids => pick(targets, ids, { like }),
      // The images it is made from, and the condition of each cell, for all of the pixels that it becomes.
      ...((from || codes) && { given: (x, ids) => concat([
        ...(from ? [pick(from, ids, { like })] : []),
        ...(codes ? [interpolate(takeRole(rule, x, condition!), [rows, columns], { mode: 'nearest' })] : []),
      ]) }),
    },
  }
}

/**
 * The images of states in latents.
 *
 * @param x `[n,h,w,c]`
 * @returns `[n,f·h,f·w,m]`
 * @example const grown = latentImages(rule, codec, rollout(rule, params, task.seeds([0]), key(0), { steps: 32 }))
 */
export function latentImages(rule: { readonly channels: Channels }, { autoencoder, params }: Codec, x: Tensor): Tensor {
  requireTensor('latentImages', 'x', x)
  const { channels: { latent } } = rule
  check(latent === autoencoder.latent, 'latentImages', 'channels.latent', latent, `${autoencoder.latent}, the latents of the autoencoder`)
  return decodeLatents(autoencoder, params, takeRole(rule, x, 'latent'))
}

/**
 * The view of states in latents: their images, with 4 channels as premultiplied red, green, blue and alpha, with 3 without
 * alpha, and with any other number as one map for each channel.
 *
 * @example await saveGif('lizard.gif', rule, params, { key: key(0), steps: 64, size: 16, view: latentView(rule, codec) })
 */
export function latentView(rule: { readonly channels: Channels }, codec: Codec): View {
  checkCodec('latentView', rule, codec)
  const { channels } = codec.autoencoder
  const view = viewOf({ channels: channels === 4 ? { rgba: 4 } : channels === 3 ? { rgb: 3 } : { image: channels } })
  return x => view(latentImages(rule, codec, x))
}
