/**
 * Attention as fused rollouts compute it, without queries, keys and values of their own.
 *
 * With n the state of a cell, normalised but neither scaled nor shifted, LN(s) = γ⊙n + β, and head h of cell i gives its
 * neighbour j (src/nca/perceptions/attention.ts)
 *
 *   (γ⊙n_i + β)·Q_h·K_hᵀ·(γ⊙n_j + β) / √d + r        of which what comes from the last β is the same for every j
 *
 * That has no part in the softmax. So it may as well be n_j·u, a number for each channel that cell i asks with,
 *
 *   u_h = n_i·A_h + a_h          A_h = γ ⊙ (Q_h·K_hᵀ / √d) ⊙ γ          a_h = β·(Q_h·K_hᵀ / √d) ⊙ γ
 *
 * and since its parts add up to 1, the layer W behind it reads the mean p_h of the n_j alone:
 *
 *   y·W = Σ_h p_h·(γ ⊙ V_h·O_h·W) + Σ_h β·V_h·O_h·W + o·W
 */
import { ceilTo } from '../../backends/ceil-to.ts'
import { add, mul } from '../../tensor/ops/arithmetic.ts'
import { concat, stack } from '../../tensor/ops/concat.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Attention } from '../perceptions/attention.ts'
import { extend, inFours } from './extend.ts'

/**
 * What cells ask with, and what the first layer reads of each head.
 *
 * @param params of the attention, by name
 * @param w the rows of the first layer that read it `[outputs,n]`
 * @returns `asks`: A, a and r, as `ProgramRunner` has them behind its layers; `rows` `[c,heads,n]`; and what is added to the
 *   bias `[n]`
 */
export function attentionInputs(
  { heads, keys }: Attention, params: Readonly<Record<string, Tensor>>, w: Tensor,
): { asks: Tensor; rows: Tensor; bias: Tensor } {
  const { scale, shift, query, key, value, position, output, bias } = params
  const [channels] = scale.shape, n = w.shape[1]
  const asRow = (t: Tensor): Tensor => reshape(t, [1, -1])
  const read = dense(output, w)
  const each = (make: (own: (t: Tensor) => Tensor, h: number) => Tensor): Tensor[] =>
    Array.from({ length: heads }, (_, h) => make(t => slice(t, [0, h * keys], [channels, keys]), h))
  // Q·Kᵀ/√d ⊙ γ of head beside head, channels in whole fours and all of them in eights; and V·O·W of each.
  const asked = mul(asRow(scale), 1 / Math.sqrt(keys))
  const pairs = concat(each(own => inFours(mul(dense(own(query), transpose(own(key), [1, 0])), asked))))
  const wide = extend(pairs, 1, ceilTo(pairs.shape[1], 8))
  const values = each((own, h) => dense(own(value), slice(read, [h * keys, 0], [keys, n])))
  const parts = [inFours(mul(reshape(scale, [-1, 1]), wide), 0), dense(asRow(shift), wide), transpose(reshape(position, [-1, heads]), [1, 0])]
  return {
    asks: concat(parts.map(t => reshape(t, [-1])), 0),
    rows: mul(reshape(scale, [-1, 1, 1]), stack(values, 1)),
    bias: reshape(add(dense(asRow(shift), values.reduce(add)), dense(asRow(bias), w)), [n]),
  }
}
