/**
 * Textures: a rule covers the grid with a pattern like that of an image (Niklasson et al., "Self-Organising Textures",
 * Distill 2021). Where a patch is does not matter, only that the same patches occur equally often. The loss is the
 * sliced optimal transport of all patches of a pyramid, which needs no pre-trained network (Mordvintsev & Niklasson,
 * "µNCA: Texture Generation with Ultra-Compact Neural Cellular Automata", 2021), plus the overflow of the state.
 *
 *   colours = the first three channels + ½          seed = zero (noise and borders break the symmetry)
 */
import { refuse, requireTensor } from '../../tensor/op.ts'
import { check, checkOptions, isWhole, keysOf, later } from '../../backends/options.ts'
import { add } from '../../tensor/ops/arithmetic.ts'
import { zeros } from '../../tensor/ops/create.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { checkRanges, overflow, roleOverflow, type RoleRanges } from '../losses/loss.ts'
import { channelCount } from '../rule/channels.ts'
import type { Rule } from '../rule/types.ts'
import { takeChannels } from '../state.ts'
import type { Task } from '../training/trainer-options.ts'
import { patchTransport, patchTransportKinds, type PatchTransportOptions } from '../losses/transport.ts'

export type TextureOptions = PatchTransportOptions & {
  /** Rows and columns of the grid, by default those of the texture. */
  grid?: readonly [number, number]
  /**
   * The range of the channels of each role, see `roleOverflow`; by default [−1, 1] for all. Colours from 0 to 1 correspond to
   * channels from −½ to ½.
   */
  ranges?: RoleRanges
}

const textureOptions = keysOf<TextureOptions>({
  ranges: later,
  grid: {
    fits: x => Array.isArray(x) && x.length === 2 && x.every(n => isWhole(n, 1)),
    expected: 'two whole numbers > 0, rows and columns',
  },
  ...patchTransportKinds,
})

/**
 * The task of making a texture.
 *
 * @param texture red, green and blue from 0 to 1, `[h,w,3]`
 * @throws where the texture is no such image
 * @example taskTrainer({ ...recipes.texture, task: textureTask(recipes.texture.rule, bricks, { grid: [64, 64], levels: 4 }) })
 */
export function textureTask(rule: Rule, texture: Tensor, options: TextureOptions = {}): Task {
  const where = 'textureTask'
  checkOptions(where, options, textureOptions)
  requireTensor(where, 'the texture', texture)
  if (texture.shape.length !== 3 || texture.shape[2] !== 3) {
    refuse(where, 'the texture must be [h,w,3]', { texture }, 'takeChannels(image, 0, 3) leaves alpha out.')
  }
  const { grid = [texture.shape[0], texture.shape[1]], ranges, ...transport } = options
  if (ranges !== undefined) checkRanges(where, rule, ranges)
  const over = (x: Tensor): Tensor => (ranges ? roleOverflow(rule, x, ranges) : overflow(x))
  const { size = 5, levels = 5 } = transport
  const least = size * 2 ** (levels - 1)
  const smallest = Math.min(...grid, texture.shape[0], texture.shape[1])
  check(smallest >= least, where, 'the smallest side', smallest, `at least ${least} for ${levels} levels; fewer levels need less`)
  const channels = channelCount(rule.channels)
  return {
    examples: 1,
    seeds: ids => zeros([ids.length, ...grid, channels], { like: texture }),
    loss: (x, _, key) => add(patchTransport(colours(x), texture, key, transport), over(x)),
  }
}

/**
 * The colours of a texture's state, `[b,h,w,c]` → `[b,h,w,3]`, roughly from 0 to 1.
 *
 * @example patchTransport(colours(x), texture, key(0))
 */
export function colours(x: Tensor): Tensor {
  return add(takeChannels(x, 0, 3), 0.5)
}
