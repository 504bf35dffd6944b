/**
 * Attention: each cell chooses what to take from which of its neighbours.
 *
 * With z = LN(s) the normalised state, every cell asks (q) and every neighbour n of its window answers with a key (k)
 * and a value (v). In head h, each d numbers wide,
 *
 *   q_i = z_i·Q     k_i = z_i·K     v_i = z_i·V
 *   a_i[n] = softmax_n( q_i · k_(i+n) / √d + r[n] )          r, one number per tap and head: a position bias
 *   y_i = [ Σ_n a_i[n] · v_(i+n)  of all heads ]·O + o
 *
 * (Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2; on the neighbourhood of a cell: Tesfaldet et
 * al., "Attention-based neural cellular automata", NeurIPS 2022.) With a feed-forward network, y ← y + F(LN(y)), where
 * F(u) = σ(u·W₁ + b₁)·W₂ + b₂ and σ the leaky ReLU. Layer norm (Ba et al. 2016) takes mean and variance over the
 * channels of a cell,
 *
 *   LN(s) = scale ⊙ (s − mean s) / √(var s + ε) + shift
 *
 * so the part sees how the channels of a cell compare, not their overall size (and nothing at all of a single channel).
 *
 * With zero padding, neighbours beyond the border are cells whose state is 0, not absent: LN(0) = shift, so they answer
 * with the key shift·K and the value shift·V and have their share in the softmax. While the shift is 0, its initial value,
 * that means a score of r[n] and a value of 0, so that cells at the border take less from the others.
 *
 * Keys and values are computed once for the grid with its border, and each tap reads a shifted slice of them. The
 * slices are cut again for the derivative instead of being kept: k² copies of the state would dominate a step's memory.
 */
import { checkpoint } from '../../autograd/checkpoint.ts'
import { dataOf } from '../../backends/fields.ts'
import { wholeFrom } from '../../backends/options.ts'
import { add, mul } from '../../tensor/ops/arithmetic.ts'
import { stack, unstack } from '../../tensor/ops/concat.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { layerNorm } from '../../tensor/ops/layer-norm.ts'
import { pad, slice } from '../../tensor/ops/pad-slice.ts'
import { softmax } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { total } from '../../tensor/ops/total.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { activate } from '../mlp.ts'
import { most, oddSize, units } from '../rule/limits.ts'
import type { ParamSpec, PartKind } from './kind.ts'

/** Attention of `heads` heads over `size`×`size` cells. */
export type Attention = {
  readonly type: 'attention'
  readonly outputs: number
  /** Attention heads, default 1. */
  readonly heads: number
  /** Cells of the neighbourhood along each axis, an odd number; default 3. */
  readonly size: number
  /** Width of the query, keys and values of each head; default ⌈outputs/heads⌉. */
  readonly keys: number
  /** Hidden units of a feed-forward network that follows; default 0, no network. */
  readonly feedForward: number
}

export type AttentionOptions = Partial<Omit<Attention, 'type' | 'outputs'>>

/**
 * Attention for a rule's `perceive`. Its parameters are `scale` and `shift` of the layer norm `[channels]`, `query`,
 * `key` and `value` `[channels, heads·keys]`, `position` `[size, size, heads]`, `output` `[heads·keys, outputs]` and
 * `bias`; with a network, also its layer norm `scale2`, `shift2`, and `w1`, `b1`, `w2`, `b2`.
 *
 * @param outputs a whole number > 0
 * @throws for numbers that attention cannot have
 * @example defineRule({ channels: { rgb: 3 }, perceive: ['identity', attention(32, { heads: 4 })], update: mlp(64) })
 * @example attention(80, { heads: 4, keys: 16, feedForward: 160 })
 */
export function attention(outputs: number, options: AttentionOptions = {}): Attention {
  return dataOf('attention', attentionKind, { outputs }, options)
}

/** @internal */
export const attentionKind: PartKind<Attention> = {
  type: 'attention',
  planar: true,
  fields: {
    outputs: { ...units, about: 'Number of its outputs' },
    heads: { ...units, default: 1, about: 'Heads, each with its own weights' },
    size: { ...oddSize, default: 3, about: 'Cells of the neighbourhood along each axis' },
    keys: {
      ...units, default: ({ outputs, heads }: Attention) => Math.ceil(outputs / heads),
      about: 'Width of the query, keys and values of each head; by default outputs / heads, rounded up',
    },
    feedForward: { ...wholeFrom(0, most.units), default: 0, about: 'Hidden units of a network that follows; 0 for none' },
  },
  outputs: ({ outputs }) => outputs,
  params({ outputs, heads, size, keys, feedForward }, channels) {
    const width = heads * keys
    return {
      scale: { shape: [channels], init: 'ones' },
      shift: { shape: [channels], init: 'zeros' },
      query: matrix(channels, width),
      key: matrix(channels, width),
      value: matrix(channels, width),
      position: { shape: [size, size, heads], init: 'zeros' },
      output: matrix(width, outputs),
      bias: { shape: [outputs], init: 'zeros' },
      ...(feedForward > 0 ? {
        scale2: { shape: [outputs], init: 'ones' },
        shift2: { shape: [outputs], init: 'zeros' },
        w1: matrix(outputs, feedForward),
        b1: { shape: [feedForward], init: 'zeros' },
        w2: matrix(feedForward, outputs),
        b2: { shape: [outputs], init: 'zeros' },
      } : {}),
    }
  },
  perceive({ heads, size, keys, feedForward }, params, x, { padding, mask }) {
    const [b, h, w, c] = x.shape
    const border = (size - 1) / 2
    const around = [border, border] as const
    const padded = pad(x, [[0, 0], around, around, [0, 0]], { mode: padding })
    const z = layerNorm(padded, { scale: params.scale, shift: params.shift })
    const inside = slice(z, [0, border, border, 0], [b, h, w, c])
    const split = (t: Tensor): Tensor => reshape(t, [...t.shape.slice(0, 3), heads, keys])
    const q = split(mul(dense(inside, params.query, { mask }), 1 / Math.sqrt(keys)))
    const k = split(dense(z, params.key))
    const v = split(dense(z, params.value))

    const shifted = (t: Tensor, n: number): Tensor =>
      slice(t, [0, Math.floor(n / size), n % size, 0, 0], [b, h, w, heads, keys])
    const score = checkpoint((n: number) => sum(mul(q, shifted(k, n)), -1, { keepDims: true }))
    const scores = Array.from({ length: size * size }, (_, n) => score(n))
    const places = reshape(params.position, [size * size, 1, 1, 1, heads, 1])
    const weights = unstack(softmax(add(stack(scores), places), 0))
    const taken = checkpoint((n: number) => mul(weights[n], shifted(v, n)))
    const seen = total(size * size, taken)

    const y = dense(reshape(seen, [b, h, w, heads * keys]), params.output, { bias: params.bias, mask })
    if (feedForward === 0) return y
    const u = layerNorm(y, { scale: params.scale2, shift: params.shift2 })
    const hidden = activate('leakyRelu', dense(u, params.w1, { bias: params.b1, mask }))
    return add(y, dense(hidden, params.w2, { bias: params.b2, mask }))
  },
  words({ outputs, heads, size, feedForward }) {
    const network = feedForward > 0 ? `, and a network of ${feedForward} units` : ''
    return `attention to ${size}×${size} cells, ${heads} ${heads === 1 ? 'head' : 'heads'}, to ${outputs}${network}`
  },
}

function matrix(inputs: number, outputs: number): ParamSpec {
  return { shape: [inputs, outputs], init: { glorot: [inputs, outputs] } }
}
