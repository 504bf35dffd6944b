/**
 * Attention as fused rollouts compute it, without queries, keys and values of their own.
 *
 * With n the state of a cell, normalised but neither scaled nor shifted, LN(s) = γ⊙n + β, and head h of cell i gives its
 * neighbour j (src/nca/perceptions/attention.ts)
 *
 * the score
 *
 *   (γ⊙n_i + β)·Q_h·K_hᵀ·(γ⊙n_j + β) / √d + r
 *
 * The term with the last β is the same for every j, so the softmax cancels it. What remains is n_j·u + r, with a query u of
 * cell i that has a number for each channel,
 *
 *   u_h = n_i·A_h + a_h          A_h = γ ⊙ (Q_h·K_hᵀ / √d) ⊙ γ          a_h = β·(Q_h·K_hᵀ / √d) ⊙ γ
 *
 * and since the softmax weights add up to 1, a layer W after it needs only the weighted mean p_h of the n_j:
 *
 *   y·W = Σ_h p_h·(γ ⊙ V_h·O_h·W) + Σ_h β·V_h·O_h·W + o·W
 *
 * Where W has many more columns than y, it takes fewer products to compute y itself, by M and m, the same expressions without W.
 * A network after the attention, with the norm N and its γ and β, needs y in any case:
 *
 *   h = σ(N(y)·(γ ⊙ W₁) + β·W₁ + b₁)          (y + h·W₂ + b₂)·W = y·W + h·(W₂·W) + b₂·W
 */
import { ceilTo } from '../../backends/ceil-to.ts'
import type { Attention as AttentionProgram } from '../../backends/program.ts'
import { add, mul } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Attention } from '../perceptions/attention.ts'
import { channelCount } from '../rule/channels.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import { extend, inFours } from './extend.ts'
import { learnedIn, times } from './rows.ts'
import { isAttention, tapsOf } from './sight.ts'

/** The parameters of one attention, by name. */
type Params = Readonly<Record<string, Tensor>>

/** The attentions of a rule in the form of a program. */
export function attendedIn(rule: DataRule): AttentionProgram[] {
  return rule.perceive.filter(isAttention).map((part): AttentionProgram => {
    const { heads, outputs, feedForward: hidden } = part
    return {
      heads, taps: tapsOf(rule, 0, [part]),
      made: hidden > 0 || makingPays(rule, part) ? { outputs, hidden, activation: 'leakyRelu', slope: leakySlope } : null,
    }
  })
}

/** Whether computing y takes fewer products; those that compute it are done once forward and three times backward. */
function makingPays({ channels, update: { hidden: [n] } }: DataRule, { heads, outputs }: Attention): boolean {
  const seen = heads * channelCount(channels)
  return 4 * seen * outputs + 3 * outputs * n < 3 * seen * n
}

/** Attention in the arrays of `ProgramRunner`, after the layers: for each part what makes u, y and h, then r of each. */
export function askingOf(rule: DataRule, params: DataParams, attention: readonly AttentionProgram[]): Tensor[] {
  const all = learnedIn(rule, params).flatMap(({ part, own }) => (isAttention(part) ? [{ part, own }] : []))
  return [
    ...all.flatMap(({ part, own }, i) => [...asks(part, own), ...attention[i].made ? making(part, own) : []]),
    ...all.map(({ part, own }) => places(part, own)),
  ]
}

/** A and a: Q·Kᵀ/√d ⊙ γ, head beside head, each padded to a multiple of four columns, the whole to a multiple of eight. */
function asks(part: Attention, { scale, shift, query, key }: Params): Tensor[] {
  const asked = mul(reshape(scale, [1, -1]), 1 / Math.sqrt(part.keys))
  const pairs = concat(eachHead(part, (own): Tensor => inFours(mul(dense(own(query), transpose(own(key), [1, 0])), asked))))
  const wide = inEights(pairs)
  return [flat(inFours(mul(reshape(scale, [-1, 1]), wide), 0)), flat(dense(reshape(shift, [1, -1]), wide))]
}

/** M and m, and the hidden layer of a network: columns padded to multiples of eight, rows of four. */
function making(part: Attention, params: Params): Tensor[] {
  const { output, bias, scale2, shift2, w1, b1 } = params
  const hidden = part.feedForward === 0 ? []
    : [inFours(mul(reshape(scale2, [-1, 1]), w1), 0), add(times(shift2, w1), b1)]
  return [...headsReading(part, params, output, bias), ...hidden].map(t => flat(inEights(t)))
}

/** r, head by head, padded to a multiple of eight. */
function places({ heads }: Attention, { position }: Params): Tensor {
  return inEights(flat(transpose(reshape(position, [-1, heads]), [1, 0])))
}

/**
 * The rows of a layer that read the output of attention, and the bias, rewritten for what a program has instead: what its heads
 * see or, where it is `made`, y and h.
 */
export function attendedRows(part: Attention, params: Params, made: boolean, w: Tensor, b: Tensor): [rows: Tensor, bias: Tensor] {
  const { output, bias, w2, b2 } = params
  if (!made) return headsReading(part, params, dense(output, w), add(b, times(bias, w)))
  if (part.feedForward === 0) return [extend(w, 0, ceilTo(part.outputs, 8)), b]
  return [concat([w, dense(w2, w)].map(t => extend(t, 0, ceilTo(t.shape[0], 8))), 0), add(b, times(b2, w))]
}

/** Rows that read the values `[heads·keys,n]`, and the bias, rewritten to read what the heads see. */
function headsReading(
  part: Attention, { scale, shift, value }: Params, read: Tensor, bias: Tensor,
): [rows: Tensor, bias: Tensor] {
  const { keys } = part, n = read.shape[1]
  const values = eachHead(part, (own, h): Tensor => dense(own(value), slice(read, [h * keys, 0], [keys, n])))
  const rows = values.map(t => inFours(mul(reshape(scale, [-1, 1]), t), 0))
  return [concat(rows, 0), add(bias, times(shift, values.reduce(add)))]
}

/** Makes something for each head; `own` takes a head's columns `[c,keys]` of the queries, keys or values. */
function eachHead({ heads, keys }: Attention, make: (own: (t: Tensor) => Tensor, h: number) => Tensor): Tensor[] {
  return Array.from({ length: heads }, (_, h) => make(t => slice(t, [0, h * keys], [t.shape[0], keys]), h))
}

/** Padded to a multiple of eight along the last axis. */
const inEights = (t: Tensor): Tensor => extend(t, t.shape.length - 1, ceilTo(t.shape.at(-1)!, 8))

const flat = (t: Tensor): Tensor => reshape(t, [-1])
