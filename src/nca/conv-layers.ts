/**
 * Initial weights of stacked convolutions with leaky ReLUs between them, of which critics and autoencoders consist. He's
 * initialisation keeps the variance of the activations from layer to layer (He, Zhang, Ren & Sun, "Delving Deep into
 * Rectifiers", ICCV 2015): with slope a below 0,
 *
 *   w ~ N(0, 2 / ((1 + a²) kh kw in)), a = 0.2          b = 0
 */
import { foldIn, type Key } from '../tensor/key.ts'
import { zeros } from '../tensor/ops/create.ts'
import { leakySlope } from '../tensor/ops/functions.ts'
import { normal } from '../tensor/ops/random.ts'
import type { Shape } from '../tensor/shape.ts'
import type { Placement, Tensor } from '../tensor/tensor.ts'

/** Kernels `[kh,kw,in,out]` and biases `[out]`, from the first layer on. */
export type ConvLayers = readonly { readonly w: Tensor; readonly b: Tensor }[]

/** Initial layers with kernels of these shapes. */
export function initConvLayers(k: Key, kernels: readonly Shape[], placement: Placement): ConvLayers {
  return kernels.map((shape, i) => {
    const [kh, kw, inputs, outputs] = shape
    const std = Math.sqrt(2 / ((1 + leakySlope ** 2) * kh * kw * inputs))
    return { w: normal(foldIn(k, i), shape, { std, ...placement }), b: zeros([outputs], placement) }
  })
}
