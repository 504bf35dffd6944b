/**
 * Pictures to tensors (targets) and tensors to pictures (states).
 *
 * The first four channels of a growing automaton are a premultiplied picture, but nothing keeps them in its range:
 * while a rule learns, alpha may be 1.3 and red −0.1. States are clamped to 0 ≤ colour ≤ alpha ≤ 1 when they are shown,
 * never when they are trained.
 */
import { checkOptions } from '../../backends/options.ts'
import { placementOptions, tensor, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { showShape } from '../../tensor/shape.ts'
import type { Image } from './image.ts'

/**
 * A picture as a target, premultiplied red, green, blue and alpha `[h,w,4]`.
 *
 * @example const target = imageToTensor(padImage(resize(await emoji('🦎'), 40, 40), 16))   // [72,72,4]
 */
export function imageToTensor(image: Image, placement: Placement = {}): Tensor {
  checkOptions('imageToTensor', placement, placementOptions)
  return tensor(image.data, { dtype: 'float32', ...placement, shape: [image.height, image.width, 4] })
}

/**
 * The picture that a state shows: its first four channels, clamped.
 *
 * @param x a state `[h,w,c]` or `[b,h,w,c]`, c ≥ 4
 * @param sample which state of a batch, the first by default
 * @throws where x has no four channels or no such sample
 * @example await writePng('grown.png', await tensorToImage(rollout(rule, params, x, key(0), { steps: 96 })))
 */
export async function tensorToImage(x: Tensor, sample = 0): Promise<Image> {
  const [batch, height, width, channels] = x.shape.length === 3 ? [1, ...x.shape] : x.shape
  if (x.shape.length < 3 || x.shape.length > 4 || channels < 4) {
    const got = showShape(x.shape)
    throw new Error(`tensorToImage: the state is ${got}, expected [h,w,c] or [b,h,w,c] with at least 4 channels.`)
  }
  if (!(Number.isInteger(sample) && sample >= 0 && sample < batch)) {
    throw new Error(`tensorToImage: there is no sample ${sample} in a batch of ${batch}.`)
  }
  const state = (await x.data()).subarray(sample * height * width * channels, (sample + 1) * height * width * channels)
  const data = new Float32Array(height * width * 4)
  for (let i = 0; i < height * width; i++) {
    const alpha = Math.min(Math.max(state[i * channels + 3], 0), 1)
    for (let c = 0; c < 3; c++) data[i * 4 + c] = Math.min(Math.max(state[i * channels + c], 0), alpha)
    data[i * 4 + 3] = alpha
  }
  return { width, height, data }
}
