/**
 * The head of a rule: one answer for a whole image, which no single cell has to know.
 *
 *   p = the mean over cells of the channels that change          out = U(p)
 *
 * Cells perceive and update as usual; after the last step their channels are averaged (global average pooling: Lin, Chen & Yan,
 * "Network in network", ICLR 2014), and a network turns the mean into numbers, such as the scores of classes. If the rule
 * has an input mask, only the cells with an input count. Frozen channels are left out: averaging the image itself would answer
 * without the automaton.
 */
import { gather } from '../tensor/ops/gather.ts'
import { requireTensor } from '../tensor/op.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { voted } from './losses/class-loss.ts'
import { mlpLayers } from './mlp.ts'
import { updatedChannels } from './rule/channels.ts'
import { checkParams } from './rule/check-params.ts'
import type { DataParams, DataRule } from './rule/types.ts'
import { exceeds } from './step.ts'

/**
 * The output of a rule's head for states.
 *
 * @param x `[b,h,w,c]`, states at the end of a rollout
 * @returns `[b, outputs]`
 * @throws where the rule has no head, or the parameters are not those of the rule
 * @example
 * const rule = defineRule({ channels: { image: 1, hidden: 16 }, frozen: ['image'], head: { outputs: 10, network: mlp(64) }, … })
 * const digits = argMax(readHead(rule, params, rollout(rule, params, x, key(0), { steps: 32 })))   // [b]
 */
export function readHead(rule: DataRule, params: DataParams, x: Tensor): Tensor {
  requireTensor('readHead', 'x', x)
  const { head, inputMask, frozen } = rule
  if (!head) throw new Error('readHead: the rule has no head; give it one, like head: { outputs: 10, network: mlp(64) }.')
  checkParams('readHead', rule, params, { like: x, part: 'head' })
  const moving = frozen.length === 0 ? x : gather(x, updatedChannels(rule), -1)
  const pooled = voted(moving, inputMask ? exceeds(x, inputMask) : undefined)
  return mlpLayers(head.network, params.head!, pooled).at(-1)!
}
