/**
 * How similar two images look.
 *
 *   psnr    10 log₁₀(L² / max(mean (x − y)², 10⁻¹⁰ L²))        decibels of the peak signal L over the noise
 *
 * The root mean square error counts as at least a hundred-thousandth of the range, since the logarithm has no derivative at 0:
 * so equal images have 100 decibels, and a gradient of 0.
 *
 *   ssim    (2 μ_x μ_y + C₁)(2 σ_xy + C₂) / ((μ_x² + μ_y² + C₁)(σ_x² + σ_y² + C₂)),   C₁ = (0.01 L)², C₂ = (0.03 L)²
 *
 * with means, variances and covariance of the window around a cell, 11×11, weighted by a Gaussian of σ = 1.5 (Wang,
 * Bovik, Sheikh & Simoncelli, "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004). The
 * first factor compares brightness, the second contrast and structure. As in the paper, only windows that lie wholly inside
 * the image count, and variances are weighted ones, E x² − (E x)², not estimates from a sample.
 *
 * The two-dimensional Gaussian is separable, so it takes just five blurs, of x, y, x², y² and xy, each with 11 + 11 weights
 * instead of 121.
 */
import { add, div, maximum, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { concat, splitAxis } from '../../tensor/ops/concat.ts'
import { depthwiseConv } from '../../tensor/ops/depthwise-conv/depthwise-conv.ts'
import { log, square } from '../../tensor/ops/functions.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { floating, refuse } from '../../tensor/op.ts'
import { checkOptions, keysOf, numberAbove } from '../../backends/options.ts'
import { tensor, type Tensor } from '../../tensor/tensor.ts'
import { checkTarget, mse, perSample } from './loss.ts'

export type QualityOptions = {
  /** L, the difference between the greatest and the smallest possible value, a number > 0; default 1. */
  range?: number
}

const qualityOptions = keysOf<QualityOptions>({ range: numberAbove(0) })

function rangeOf(op: string, options: QualityOptions): number {
  checkOptions(op, options, qualityOptions)
  return options.range ?? 1
}

/**
 * Peak signal-to-noise ratio per sample, in decibels: 20 for errors of a tenth of the range (root mean square).
 *
 * @param x `[b,h,w,c]`
 * @param target `[h,w,c]` for all samples, or `[b,h,w,c]`
 * @returns `[b]`, at most 100, the value for equal images
 * @throws where shapes do not fit
 * @example psnr(rgba(state), target)
 */
export function psnr(x: Tensor, target: Tensor, options: QualityOptions = {}): Tensor {
  const range = rangeOf('psnr', options)
  floating('psnr', 'x', x)
  checkTarget('psnr', x, target)
  return mul(-10 / Math.LN10, log(maximum(div(mse(x, target), range ** 2), 1e-10)))
}

/** The side of the window. */
const side = 11

/** The weights of a window along one axis; their sum is 1. */
const gaussian: readonly number[] = ((): number[] => {
  const weights = Array.from({ length: side }, (_, i) => Math.exp(-(((i - (side - 1) / 2) / 1.5) ** 2) / 2))
  const total = weights.reduce((a, b) => a + b)
  return weights.map(v => v / total)
})()

/** Each channel blurred, at the centres of those windows that lie inside: `[b,h,w,c]` → `[b,h−10,w−10,c]`. */
function blur(x: Tensor): Tensor {
  const [b, h, w, c] = x.shape
  const weights = tensor(gaussian, { like: x })
  const along = (y: Tensor, kh: number, kw: number): Tensor =>
    depthwiseConv(y, broadcastTo(reshape(weights, [kh, kw, 1, 1]), [kh, kw, c, 1]))
  const edge = (side - 1) / 2
  const rows = slice(along(x, side, 1), [0, edge, 0, 0], [b, h - 2 * edge, w, c])
  return slice(along(rows, 1, side), [0, 0, edge, 0], [b, h - 2 * edge, w - 2 * edge, c])
}

/**
 * Structural similarity per sample: the mean over all windows inside the image and all channels. It is differentiable; as a
 * loss take one minus it.
 *
 * @param x `[b,h,w,c]`, at least 11×11 cells
 * @param target `[h,w,c]` for all samples, or `[b,h,w,c]`
 * @returns `[b]`, within [−1, 1]; 1 for equal images
 * @throws where shapes do not fit or an image is smaller than a window
 * @example mean(sub(1, ssim(rgba(state), target)))
 */
export function ssim(x: Tensor, target: Tensor, options: QualityOptions = {}): Tensor {
  const range = rangeOf('ssim', options)
  floating('ssim', 'x', x)
  checkTarget('ssim', x, target)
  if (x.shape.length !== 4 || x.shape[1] < side || x.shape[2] < side) {
    refuse('ssim', `x must be [b,h,w,c] with at least ${side}×${side} cells`, { x })
  }
  const y = broadcastTo(target, x.shape)
  const c = x.shape[3]
  const [mx, my, xx, yy, xy] = splitAxis(blur(concat([x, y, square(x), square(y), mul(x, y)])), [c, c, c, c, c])
  const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2]
  const product = mul(mx, my)
  const squares = add(square(mx), square(my))
  const bright = div(add(mul(2, product), c1), add(squares, c1))
  const structure = div(add(mul(2, sub(xy, product)), c2), add(sub(add(xx, yy), squares), c2))
  return perSample(mul(bright, structure))
}
