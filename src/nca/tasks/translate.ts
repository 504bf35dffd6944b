/**
 * Image to image: a rule turns an image in its frozen input channels into another one in its output channels: a segmentation, a
 * depth map, an image without its noise; or the frames of a video into those that follow (`video.ts`). Images have the
 * dimensions of the rule's grid: planes `[h,w,m]`, or volumes `[d,h,w,m]`.
 *
 *   seed = the input in its channels, zero elsewhere          loss = ℓ(output channels, wanted output)
 */
import { callable, check, checkOptions, isObject, keysOf, text, type Options } from '../../backends/options.ts'
import { placementKinds, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { mse } from '../losses/loss.ts'
import { roleChannels } from '../rule/channels.ts'
import type { DataRule } from '../rule/types.ts'
import { takeRole } from '../state.ts'
import type { Task } from '../training/trainer-options.ts'
import { checkFrozenRole } from './conditional.ts'
import { checkExamples, pick, statesOf, type Examples } from './examples.ts'

export type TranslationOptions = Omit<Placement, 'like'> & {
  /** The frozen role of the input, default 'input'. */
  input?: string
  /** The role of the output, default 'output'. */
  output?: string
  /** The loss, from the output channels `[n,h,w,o]` and the wanted output to `[n]`; default `mse`. */
  loss?: (output: Tensor, wanted: Tensor) => Tensor
}

export const translationOptions: Options = keysOf<TranslationOptions>({
  dtype: placementKinds.dtype,
  backend: placementKinds.backend,
  input: text,
  output: text,
  loss: { fits: callable.fits, expected: 'a function (output, wanted) => [n], like mse' },
})

/**
 * The task of turning inputs into outputs.
 *
 * @param pairs inputs and outputs, `shape` is [h,w,m], of volumes [d,h,w,m], with the channels of their roles
 * @throws where the pairs do not fit the rule, or each other
 * @example
 * taskTrainer({ rule, task: imageToImageTask(rule, { inputs, outputs }, { loss: (y, mask) => diceLoss(y, mask) }), ...rest })
 * @example
 * // Edges to pictures, with a critic's score in addition to the mean of |x − y| (pix2pix, with the critic of WGAN-GP)
 * const task = imageToImageTask(rule, { inputs: edges, outputs: pictures }, { loss: l1 })
 * taskTrainer({ rule, task, critic: { widths: [32, 64], lossWeight: 100 }, ...rest })
 */
export function imageToImageTask(
  rule: DataRule, pairs: { inputs: Examples; outputs: Examples }, options: TranslationOptions = {},
): Task {
  const where = 'imageToImageTask'
  checkOptions(where, options, translationOptions)
  check(isObject(pairs), where, 'the second argument', pairs, 'inputs and outputs')
  const { inputs, outputs } = pairs
  const { input = 'input', output = 'output', loss = mse, ...placement } = options
  checkFrozenRole(where, rule, input)
  for (const [name, examples, role] of [['inputs', inputs, input], ['outputs', outputs, output]] as const) {
    checkExamples(where, name, examples, rule.grid + 1)
    const [from, to] = roleChannels(rule.channels, role)
    check(examples.shape[rule.grid] === to - from, where, `channels of the ${name}`, examples.shape[rule.grid], `${to - from}, as ${role}`)
  }
  const alike = inputs.n === outputs.n && inputs.shape.slice(0, rule.grid).every((n, i) => n === outputs.shape[i])
  const size = ({ n, shape }: Examples): string => `${n} of ${shape.slice(0, rule.grid).join('×')}`
  if (!alike) throw new Error(`${where}: the outputs are ${size(outputs)}, expected ${size(inputs)}, as the inputs.`)
  return {
    examples: inputs.n,
    seeds: ids => statesOf(rule, input, pick(inputs, ids, placement)),
    loss: (x, ids) => loss(takeRole(rule, x, output), pick(outputs, ids, { like: x })),
    images: {
      made: x => takeRole(rule, x, output), real: ids => pick(outputs, ids, placement), given: x => takeRole(rule, x, input),
    },
  }
}
