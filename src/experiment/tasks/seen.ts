/**
 * What there is to see in results: channels as colours, cells in the colours of their classes.
 */
import type { Image } from '../../nca/files/image.ts'
import { tensorToImage } from '../../nca/files/image-tensor.ts'
import { scope } from '../../tensor/lifetime.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** What a tensor `[1,h,w,m]` shows: red, green, blue and alpha, colours, or shades of grey. */
export async function seen(make: () => Tensor): Promise<Image> {
  const x = scope(make)
  const [, height, width, m] = x.shape
  if (m === 4) return tensorToImage(x)
  const data = await x.data()
  const [r, g, b] = m >= 3 ? [0, 1, 2] : [0, 0, 0]
  const picture = new Float32Array(4 * width * height)
  for (let i = 0; i < width * height; i++) picture.set([data[i * m + r], data[i * m + g], data[i * m + b], 1], 4 * i)
  return { width, height, data: picture }
}

/** Shades of grey. */
export function grey(width: number, height: number, values: ArrayLike<number>): Image {
  const data = new Float32Array(4 * width * height)
  for (let i = 0; i < width * height; i++) data.set([values[i], values[i], values[i], 1], 4 * i)
  return { width, height, data }
}

/** Cells in the colours of their classes, the others black. */
export function coloured(width: number, height: number, classes: ArrayLike<number>, there: ArrayLike<number>): Image {
  const data = new Float32Array(4 * width * height)
  for (let i = 0; i < width * height; i++) data.set(there[i] ? [...palette[classes[i] % palette.length], 1] : [0, 0, 0, 1], 4 * i)
  return { width, height, data }
}

// The colours of the ten digits in Randazzo et al. are as far apart as these: hues of Okabe & Ito, lighter and darker.
const palette = [
  [0.9, 0.62, 0], [0.34, 0.71, 0.91], [0, 0.62, 0.45], [0.94, 0.89, 0.26], [0, 0.45, 0.7], [0.84, 0.37, 0], [0.8, 0.47, 0.65],
  [1, 1, 1], [0.55, 0.34, 0.29], [0.6, 0.6, 0.6],
] as const
