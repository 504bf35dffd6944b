/**
 * Deformable convolution: a convolution whose taps each cell moves to where there is something to see.
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
 * backend. What is sampled is not kept for the derivative but computed again.
 *
 * K and b begin at zero, and so does every offset: the part begins as a convolution. That is a kink of the hats, where
 * the derivative is a choice. It must not be 0, or offsets would never be learned. Written as a second difference of
 * |·|, whose derivative at 0 is 0,
 *
 *   hat(u) = ½ (|u − 1| − 2|u| + |u + 1|)
 *
 * has the mean of its slopes on both sides, so that ∂s(p + o)/∂o is ½ (s[p + 1] − s[p − 1]) at o = 0.
 */
import { checkpoint } from '../../autograd/checkpoint.ts'
import { dataOf } from '../../backends/fields.ts'
import { wholeFrom } from '../../backends/options.ts'
import { add, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { splitAxis } from '../../tensor/ops/concat.ts'
import { conv2d } from '../../tensor/ops/conv2d/conv2d.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { abs, tanh } from '../../tensor/ops/functions.ts'
import { pad, slice } from '../../tensor/ops/pad-slice.ts'
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
  /** How many cells a tap can be moved along each axis: 1, 2 or 3; default 1. Time grows with (2·reach + 1)². */
  readonly reach: number
}

export type DeformableOptions = Partial<Omit<Deformable, 'type' | 'outputs'>>

/**
 * A deformable convolution for a rule's `perceive`. Its parameters are `kernel` `[size²·channels, outputs]` and `bias`,
 * and those of the convolution that moves the taps, `offsets` `[size, size, channels, 2·size²]` and `offsetBias`:
 * how far each tap is moved down, tap after tap row by row, then how far each is moved to the right.
 *
 * @param outputs a whole number > 0
 * @throws where there are no outputs, the size is not odd, or the reach is not 1, 2 or 3
 * @example defineRule({ channels: { rgb: 3, hidden: 9 }, perceive: ['identity', deformable(32)], update: mlp(64) })
 */
export function deformable(outputs: number, options: DeformableOptions = {}): Deformable {
  return dataOf('deformable', deformableKind, { outputs }, options)
}

export const deformableKind: PartKind<Deformable> = {
  type: 'deformable',
  planar: true,
  fields: {
    outputs: { ...units, about: 'Numbers that it computes' },
    size: { ...oddSize, default: 3, about: 'Taps along each axis' },
    reach: { ...wholeFrom(1, 3), default: 1, about: 'Cells by which a tap can be moved along each axis' },
  },
  outputs: ({ outputs }) => outputs,
  params({ outputs, size }, channels) {
    const taps = size * size
    return {
      kernel: { shape: [taps * channels, outputs], init: { glorot: [taps * channels, taps * outputs] } },
      bias: { shape: [outputs], init: 'zeros' },
      offsets: { shape: [size, size, channels, 2 * taps], init: 'zeros' },
      offsetBias: { shape: [2 * taps], init: 'zeros' },
    }
  },
  perceive({ size, reach }, { kernel, bias, offsets, offsetBias }, x, { padding, mask }) {
    const [b, h, w, c] = x.shape
    const taps = size * size
    const moved = mul(reach, tanh(add(conv2d(x, offsets, { padding, mask }), offsetBias)))
    const [down, right] = splitAxis(moved, [taps, taps]).map(checkpoint(each => hats(each, reach)))

    const border = (size - 1) / 2 + reach
    const around = [border, border] as const
    const padded = pad(x, [[0, 0], around, around, [0, 0]], { mode: padding })
    const span = 2 * reach + 1
    const tap = checkpoint((t: number): Tensor => {
      const [y, x] = [down, right].map(list => list.map(each => slice(each, [0, 0, 0, t], [b, h, w, 1])))
      const sample = total(span * span, n => {
        const [i, j] = [Math.floor(n / span), n % span]
        const shifted = slice(padded, [0, Math.floor(t / size) + i, t % size + j, 0], [b, h, w, c])
        return mul(mul(y[i], x[j]), shifted)
      })
      return dense(sample, slice(kernel, [t * c, 0], [c, kernel.shape[1]]), { mask })
    })
    return add(total(taps, tap), bias)
  },
  words({ outputs, size, reach }) {
    return `a deformable ${size}×${size} convolution, of taps moved by up to ${reach}, to ${outputs}`
  },
}

/** hat(o − n) for n = −reach … reach. */
function hats(o: Tensor, reach: number): Tensor[] {
  const distances = Array.from({ length: 2 * reach + 3 }, (_, i) => abs(sub(o, i - reach - 1)))
  return distances.slice(1, -1).map((middle, i) =>
    mul(0.5, sub(add(distances[i], distances[i + 2]), mul(2, middle))))
}
