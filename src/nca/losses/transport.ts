/**
 * Sliced optimal transport: how far the points of one cloud must move to become another, whichever point goes where.
 *
 * On a line the cheapest plan is known: the smallest goes to the smallest, the next to the next. So the clouds are projected
 * on random directions θ of length 1, sorted, and compared in that order (Rabin et al., "Wasserstein Barycenter and its
 * Application to Texture Mixing", 2011),
 *
 *   L(X, Y) = E_θ W₂²(θ·X, θ·Y),       W₂² = ∫₀¹ (F⁻¹(q) − G⁻¹(q))² dq = mean_k (x_(k) − y_(k))²  for equal counts
 *
 * where F⁻¹(q) is the entry at the fraction q of the sorted list. It is a step function, so for n and m points the integral
 * is a sum too, over the at most n + m − 1 pieces on which both are constant. Nothing is interpolated, and clouds of
 * different counts but equal proportions are at distance 0. Sorting is a permutation, constant almost everywhere, and
 * the gradient passes through it: each point is pulled towards the one that it is matched with.
 *
 * The colours of an image are such a cloud, and so are its patches of k×k cells, which make up its texture. Taken at
 * several levels of a pyramid of halved images they need no pre-trained network (Mordvintsev & Niklasson, "µNCA:
 * Texture Generation with Ultra-Compact Neural Cellular Automata", 2021). The projection of all patches on one
 * direction is a convolution with one filter, so the patches are never written out.
 */
import { checkKey, foldIn, type Key } from '../../tensor/key.ts'
import { add, div, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { conv2d } from '../../tensor/ops/conv2d/conv2d.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { square } from '../../tensor/ops/functions.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { norm } from '../../tensor/ops/norm.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { mean } from '../../tensor/ops/reduce.ts'
import { sort } from '../../tensor/ops/sort.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { floating, refuse, sameDtype } from '../../tensor/op.ts'
import { checkOptions, keysOf, wholeFrom, type Kinds } from '../../backends/options.ts'
import { normal } from '../../tensor/ops/random.ts'
import type { Shape } from '../../tensor/shape.ts'
import { tensor, type Tensor } from '../../tensor/tensor.ts'
import { perSample } from './loss.ts'

/** Random directions of length 1 in the last axis of `[…, projections]`, uniform on the sphere. */
function directions(k: Key, shape: Shape, like: Tensor): Tensor {
  const v = normal(k, shape, { like })
  return div(v, norm(v, shape.map((_, i) => i).slice(0, -1), { keepDims: true }))
}

/** The pieces on which two step functions of n and m equal steps are both constant: the step of each, and the length. */
function pieces(n: number, m: number): { from: number[]; to: number[]; length: number[] } {
  const [from, to, length]: [number[], number[], number[]] = [[], [], []]
  // In units of 1/nm, a step of the first has length m, and one of the second n.
  for (let at = 0; at < n * m;) {
    const [i, j] = [Math.floor(at / m), Math.floor(at / n)]
    const end = Math.min((i + 1) * m, (j + 1) * n)
    from.push(i)
    to.push(j)
    length.push((end - at) / (n * m))
    at = end
  }
  return { from, to, length }
}

/** W₂² between numbers `[b,n,p]` and `[b,m,p]`, or `[1,m,p]` for all, along axis 1, averaged over p: `[b]`. */
function transportOnLines(x: Tensor, y: Tensor): Tensor {
  const [xs, ys] = [sort(x, 1), sort(y, 1)]
  const [n, m] = [x.shape[1], y.shape[1]]
  if (n === m) return perSample(square(sub(xs, ys)))
  const { from, to, length } = pieces(n, m)
  const gap = mean(square(sub(gather(xs, from, 1), gather(ys, to, 1))), 2)
  return sum(mul(gap, tensor(length, { like: x })), 1)
}

/** y with a batch axis of size 1 where it has none. Throws unless x and y can be compared, in `layout`. */
function comparable(op: string, x: Tensor, y: Tensor, layout: string, rank: number): Tensor {
  floating(op, 'x', x)
  floating(op, 'y', y)
  sameDtype(op, { x, y })
  const all = y.shape.length === rank - 1 ? reshape(y, [1, ...y.shape]) : y
  const fits = x.shape.length === rank && all.shape.length === rank && [1, x.shape[0]].includes(all.shape[0])
    && x.shape[rank - 1] === all.shape[rank - 1] && [...x.shape.slice(1), ...all.shape].every(size => size > 0)
  if (!fits) refuse(op, `x must be [b,${layout}], and y [${layout}] or [b,${layout}] with as many channels`, { x, y })
  return all
}

export type TransportOptions = {
  /** Random directions, a whole number > 0, default 32. */
  projections?: number
}

const transportOptions = keysOf<TransportOptions>({ projections: wholeFrom(1) })

/**
 * Sliced optimal transport of point clouds, per sample: the mean over random directions of the squared distance of the
 * sorted projections. The order of the points does not matter; the same key gives the same directions for all samples.
 *
 * @param x `[b,n,c]`, n points with c coordinates
 * @param y `[m,c]` for all samples, or `[b,m,c]`
 * @param k use a different one in each iteration
 * @returns `[b]`, ≥ 0; 0 for clouds with the same points in equal proportions
 * @throws where shapes or types do not fit
 * @example slicedTransport(reshape(colours, [b, h * w, 3]), pixels, foldIn(k, i))     // colours, wherever they are
 */
export function slicedTransport(x: Tensor, y: Tensor, k: Key, options: TransportOptions = {}): Tensor {
  checkOptions('slicedTransport', options, transportOptions)
  const { projections = 32 } = options
  checkKey('slicedTransport', k)
  const target = comparable('slicedTransport', x, y, 'n,c', 3)
  const theta = directions(k, [x.shape[2], projections], x)
  return transportOnLines(dense(x, theta), dense(target, theta))
}

export type PatchTransportOptions = TransportOptions & {
  /** The side of a patch, a whole number > 0, default 5. */
  size?: number
  /** Levels of the pyramid, a whole number > 0, each half the size of the one before; default 5, which need 80 cells a side. */
  levels?: number
}

/** The kinds of these options, for functions that pass them on. */
export const patchTransportKinds: Kinds<PatchTransportOptions> = {
  projections: wholeFrom(1), size: wholeFrom(1), levels: wholeFrom(1),
}
const patchTransportOptions = keysOf<PatchTransportOptions>(patchTransportKinds)

/**
 * Sliced optimal transport of all k×k patches of images, per sample, the mean over the levels of a pyramid of 2×2
 * averages: a loss for textures, without a pre-trained network. Only patches that lie inside the image count. If a side
 * is odd, its last row or column is dropped when the image is halved.
 *
 * @param x `[b,h,w,c]`
 * @param y `[h,w,c]` for all samples, or `[b,h,w,c]`; of any height and width
 * @param k use a different one in each iteration
 * @returns `[b]`, ≥ 0
 * @throws where shapes or types do not fit, and where the smallest level is smaller than a patch
 * @example add(patchTransport(colours, texture, foldIn(k, i)), overflow(state))
 */
export function patchTransport(x: Tensor, y: Tensor, k: Key, options: PatchTransportOptions = {}): Tensor {
  checkOptions('patchTransport', options, patchTransportOptions)
  const { projections = 32, size = 5, levels = 5 } = options
  checkKey('patchTransport', k)
  let images = [x, comparable('patchTransport', x, y, 'h,w,c', 4)]
  const side = Math.min(...images.flatMap(image => image.shape.slice(1, 3)))
  const least = size * 2 ** (levels - 1)
  if (side < least) {
    refuse('patchTransport', `${levels} levels of ${size}×${size} patches need ${least}×${least} cells`, { x, y })
  }
  const costs = Array.from({ length: levels }, (_, level) => {
    if (level > 0) images = images.map(halved)
    const filters = directions(foldIn(k, level), [size, size, x.shape[3], projections], x)
    const [from, to] = images.map(image => patchesAlong(image, filters))
    return transportOnLines(from, to)
  })
  return div(costs.reduce(add), levels)
}

/** Means of 2×2 cells: `[b,h,w,c]` → `[b,⌊h/2⌋,⌊w/2⌋,c]`. */
function halved(x: Tensor): Tensor {
  const [b, h, w, c] = x.shape
  const [rows, columns] = [h >> 1, w >> 1]
  return mean(reshape(slice(x, [0, 0, 0, 0], [b, 2 * rows, 2 * columns, c]), [b, rows, 2, columns, 2, c]), [2, 4])
}

/** All patches inside the image projected on directions `[k,k,c,p]`: `[b,h,w,c]` → `[b,n,p]`. */
function patchesAlong(x: Tensor, filters: Tensor): Tensor {
  const [b, h, w] = x.shape
  const [k, , , p] = filters.shape
  const [rows, columns, before] = [h - k + 1, w - k + 1, (k - 1) >> 1]
  return reshape(slice(conv2d(x, filters), [0, before, before, 0], [b, rows, columns, p]), [b, rows * columns, p])
}
