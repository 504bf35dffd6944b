/**
 * Deformable convolution: a convolution whose taps each cell can move.
 *
 *   o = reach · tanh( K ∗ s + b )                     offsets (o_y, o_x) of each of the size² taps
 *   y_i = Σ_t s(i + t + o_t) · W_t + bias             s(·) interpolated bilinearly between cells
 *
 * (Dai et al., "Deformable Convolutional Networks", ICCV 2017, equations 2 to 4, where offsets are not bounded.) With
 * the hat function, which is 1 at 0 and falls to 0 at ±1, bilinear interpolation is a sum over all cells that bounded
 * offsets can reach,
 *
 *   s(p + o) = Σ_n hat(o_y − n_y) · hat(o_x − n_x) · s[p + n]          n_y, n_x = −reach … reach
 *
 * in which no address depends on data: it has every derivative that interpolation has, for every border, on every
 * backend. The samples are computed again for the derivative instead of being kept.
 *
 * K and b are initialised with zeros, so every offset is 0 and the part begins as a plain convolution. That is at a kink of the
 * hats, where the derivative is a matter of choice. It must not be 0, or offsets would never be learned. Written as a second
 * difference of |·|, whose derivative at 0 is 0,
 *
 *   hat(u) = ½ (|u − 1| − 2|u| + |u + 1|)
 *
 * takes the mean of its slopes on both sides, so that ∂s(p + o)/∂o is ½ (s[p + 1] − s[p − 1]) at o = 0.
 *
 * Without a reach, offsets are not bounded, o = K ∗ s + b, as in the paper. Then the three cells around ⌊o + ½⌋ are looked up
 * on each axis, and no others: the hats of all further ones are 0. Modulated taps (Zhu et al., "Deformable ConvNets v2", CVPR
 * 2019, equation 1) are also weighted, each by a number between 0 and 1 that the cell chooses and that begins at ½:
 *
 *   y_i = Σ_t σ(K' ∗ s + b')_t · s(i + t + o_t) · W_t + bias
 */
import { checkpoint } from '../../autograd/checkpoint.ts'
import { dataOf, orNull } from '../../backends/fields.ts'
import { flag, wholeFrom } from '../../backends/options.ts'
import type { Padding } from '../../backends/window.ts'
import { add, div, minimum, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { and, greaterEqual, less, where } from '../../tensor/ops/compare.ts'
import { splitAxis } from '../../tensor/ops/concat.ts'
import { range } from '../../tensor/ops/create.ts'
import { conv2d } from '../../tensor/ops/conv2d/conv2d.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { abs, clamp, floor, sigmoid, tanh } from '../../tensor/ops/functions.ts'
import { takeAlong } from '../../tensor/ops/gather.ts'
import { pad, slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { stopGradient } from '../../tensor/ops/stop-gradient.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { total } from '../../tensor/ops/total.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { oddSize, units } from '../rule/limits.ts'
import type { PartKind } from './kind.ts'

/** A deformable convolution from all channels to `outputs` numbers, of `size`×`size` taps. */
export type Deformable = {
  readonly type: 'deformable'
  readonly outputs: number
  /** Taps along each axis, an odd number; default 3. */
  readonly size: number
  /**
   * How many cells a tap can be moved along each axis: 1, 2 or 3; default 1. Null: any number. Fused, all of them take the same
   * time. Composed of operators, the time grows with (2·reach + 1)²; null, which looks cells up, takes about twice the time of 1.
   */
  readonly reach: number | null
  /** Whether each cell also weights its taps, from 0 to 1; default false. */
  readonly modulated: boolean
}

export type DeformableOptions = Partial<Omit<Deformable, 'type' | 'outputs'>>

/**
 * A deformable convolution for a rule's `perceive`. Its parameters are `kernel` `[size²·channels, outputs]` and `bias`,
 * and those of the convolution that moves the taps, `offsets` `[size, size, channels, 2·size²]` and `offsetBias`. Its outputs
 * are how far each tap is moved down, tap after tap row by row, then how far each is moved to the right. Modulated, it has
 * 3·size² outputs: the weights of the taps follow.
 *
 * @param outputs a whole number > 0
 * @throws where there are no outputs, the size is not odd, or the reach is not 1, 2, 3 or null
 * @example defineRule({ channels: { rgb: 3, hidden: 9 }, perceive: ['identity', deformable(32)], update: mlp(64) })
 * @example deformable(80, { reach: null, modulated: true })
 */
export function deformable(outputs: number, options: DeformableOptions = {}): Deformable {
  return dataOf('deformable', deformableKind, { outputs }, options)
}

/** @internal */
export const deformableKind: PartKind<Deformable> = {
  type: 'deformable',
  planar: true,
  fields: {
    outputs: { ...units, about: 'Number of its outputs' },
    size: { ...oddSize, default: 3, about: 'Taps along each axis' },
    reach: { ...orNull<number>(wholeFrom(1, 3)), default: 1, about: 'Cells by which a tap can be moved along each axis; null: any number' },
    modulated: { ...flag, default: false, about: 'Whether each cell also computes weights of its taps' },
  },
  outputs: ({ outputs }) => outputs,
  params({ outputs, size, modulated }, channels) {
    const taps = size * size
    const moves = (modulated ? 3 : 2) * taps
    return {
      kernel: { shape: [taps * channels, outputs], init: { glorot: [taps * channels, taps * outputs] } },
      bias: { shape: [outputs], init: 'zeros' },
      offsets: { shape: [size, size, channels, moves], init: 'zeros' },
      offsetBias: { shape: [moves], init: 'zeros' },
    }
  },
  perceive({ size, reach, modulated }, { kernel, bias, offsets, offsetBias }, x, { padding, mask }) {
    const taps = size * size
    const chosen = splitAxis(add(conv2d(x, offsets, { padding, mask }), offsetBias), new Array(modulated ? 3 : 2).fill(taps))
    const sampled = reach === null
      ? looked(x, size, [chosen[0], chosen[1]], padding)
      : moved(x, size, [chosen[0], chosen[1]].map(o => mul(reach, tanh(o))), reach, padding)
    const weights = modulated ? sigmoid(chosen[2]) : null
    const c = x.shape[3]
    const tap = checkpoint((t: number): Tensor => {
      const seen = weights ? mul(ofTap(weights, t), sampled(t)) : sampled(t)
      return dense(seen, slice(kernel, [t * c, 0], [c, kernel.shape[1]]), { mask })
    })
    return add(total(taps, tap), bias)
  },
  words({ outputs, size, reach, modulated }) {
    const moves = `moved ${reach === null ? 'freely' : `by up to ${reach}`}${modulated ? ' and weighed' : ''}`
    return `a deformable ${size}×${size} convolution, of taps ${moves}, to ${outputs}`
  },
}

/** What tap t sees in every cell `[b,h,w,c]`. */
type Sampled = (t: number) => Tensor

/** The numbers of tap t, `[b,h,w,1]`, from those of all taps, `[b,h,w,taps]`. */
function ofTap(all: Tensor, t: number): Tensor {
  return slice(all, [0, 0, 0, t], [...all.shape.slice(0, 3), 1])
}

/** Taps moved by at most `reach`, as a sum over all cells that they can reach. */
function moved(x: Tensor, size: number, offsets: readonly Tensor[], reach: number, padding: Padding): Sampled {
  const [b, h, w, c] = x.shape
  const [down, right] = offsets.map(checkpoint(each => hats(each, reach)))
  const border = (size - 1) / 2 + reach
  const around = [border, border] as const
  const padded = pad(x, [[0, 0], around, around, [0, 0]], { mode: padding })
  const span = 2 * reach + 1
  return t => {
    const [y, x] = [down, right].map(list => list.map(each => ofTap(each, t)))
    return total(span * span, n => {
      const [i, j] = [Math.floor(n / span), n % span]
      const shifted = slice(padded, [0, Math.floor(t / size) + i, t % size + j, 0], [b, h, w, c])
      return mul(mul(y[i], x[j]), shifted)
    })
  }
}

/** Taps moved anywhere, as a sum over the nine cells around each place, which are looked up. */
function looked(x: Tensor, size: number, offsets: readonly Tensor[], padding: Padding): Sampled {
  const [b, h, w, c] = x.shape
  const cells = reshape(x, [b, h * w, c])
  const border = (size - 1) / 2
  const along = (n: number, shape: readonly number[]): Tensor => reshape(cast(range(n, { backend: x.backend }), x.dtype), shape)
  return t => {
    const places = [[Math.floor(t / size), h, [h, 1, 1]], [t % size, w, [w, 1]]] as const
    const [ys, xs] = places.map(([tap, n, shape], i) =>
      nearest(add(add(ofTap(offsets[i], t), along(n, shape)), tap - border), n, padding))
    return total(9, k => {
      const [y, x] = [ys[Math.floor(k / 3)], xs[k % 3]]
      const at = broadcastTo(reshape(add(mul(y.at, w), x.at), [b, h * w, 1]), [b, h * w, c])
      const seen = reshape(takeAlong(cells, at, 1), [b, h, w, c])
      return mul(mul(y.weight, x.weight), padding === 'zero' ? where(and(y.inside, x.inside), seen, 0) : seen)
    })
  }
}

/** The three cells around each place along an axis of n cells: their indices, whether they are in the grid, and their hats. */
function nearest(place: Tensor, n: number, padding: Padding): { at: Tensor; inside: Tensor; weight: Tensor }[] {
  const middle = floor(add(stopGradient(place), 0.5))
  const weights = hats(sub(place, middle), 1)
  return [-1, 0, 1].map((d, i) => {
    const cell = add(middle, d)
    const inside = and(greaterEqual(cell, 0), less(cell, n))
    return { at: cast(clamp(wrapped(cell, n, padding), 0, n - 1), 'int32'), inside, weight: weights[i] }
  })
}

/** Whole numbers as indices of cells: wrapped on a torus, reflected at mirrors, and unchanged with other borders. */
function wrapped(i: Tensor, n: number, padding: Padding): Tensor {
  if (padding === 'zero' || padding === 'replicate') return i
  const period = padding === 'circular' ? n : Math.max(1, 2 * (n - 1))
  const within = sub(i, mul(period, floor(div(i, period))))
  return padding === 'circular' ? within : minimum(within, sub(period, within))
}

/** hat(o − n) for n = −reach … reach. */
function hats(o: Tensor, reach: number): Tensor[] {
  const distances = Array.from({ length: 2 * reach + 3 }, (_, i) => abs(sub(o, i - reach - 1)))
  return distances.slice(1, -1).map((middle, i) =>
    mul(0.5, sub(add(distances[i], distances[i + 2]), mul(2, middle))))
}
