/**
 * What there is to see in results: channels as colours, cells in the colours of their classes.
 */
import { classColours } from '../../nca/files/class-colours.ts'
import { filmStrip, type Image } from '../../nca/files/image.ts'
import { tensorToImage } from '../../nca/files/image-tensor.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, div } from '../../tensor/ops/arithmetic.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** What a tensor `[1,h,w,m]` shows: red, green, blue and alpha, colours, or shades of grey; of `[1,d,h,w,m]` the plane in the middle. */
export async function seen(make: () => Tensor): Promise<Image> {
  const x = scope(() => plane(make(), 4))
  const [, height, width, m] = x.shape
  if (m === 4) return tensorToImage(x)
  const data = await x.data()
  const [r, g, b] = m >= 3 ? [0, 1, 2] : [0, 0, 0]
  const picture = new Float32Array(4 * width * height)
  for (let i = 0; i < width * height; i++) picture.set([data[i * m + r], data[i * m + g], data[i * m + b], 1], 4 * i)
  return { width, height, data: picture }
}

/** Depths from 0 on as shades of grey: the nearer, the brighter. */
export function nearness(depth: Tensor): Tensor {
  return div(1, add(1, depth))
}

/** Classes of cells `[1,h,w]` in their colours, of `[1,d,h,w]` those of the plane in the middle; where `there` is 0, cells are black. */
export async function seenClasses(classes: () => Tensor, there?: () => Tensor): Promise<Image> {
  const said = scope(() => plane(classes(), 3))
  const [, height, width] = said.shape
  const mask = there ? await scope(() => plane(there(), 3)).data() : new Uint8Array(width * height).fill(1)
  return coloured(width, height, await said.data(), mask)
}

/** The plane in the middle of a volume, or a line as a plane, or the plane itself, which has so many axes. */
function plane(x: Tensor, axes: number): Tensor {
  if (x.shape.length === axes) return x
  if (x.shape.length < axes) return reshape(x, [1, ...x.shape])
  const [, depth, ...rest] = x.shape
  return reshape(slice(x, [0, depth >> 1, ...rest.map(() => 0)], [1, 1, ...rest]), [1, ...rest])
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
  for (let i = 0; i < width * height; i++) data.set(there[i] ? [...classColours[classes[i] % classColours.length], 1] : [0, 0, 0, 1], 4 * i)
  return { width, height, data }
}

/** Each of some states by itself, `[1,h,w,c]`. */
export function each(x: Tensor): (() => Tensor)[] {
  const [n, ...shape] = x.shape
  return Array.from({ length: n }, (_, i) => () => slice(x, [i, ...shape.map(() => 0)], [1, ...shape]))
}

/** A row of pictures, one of each. */
export async function row<T>(list: readonly T[], picture: (one: T, i: number) => Promise<Image>): Promise<Image> {
  return rows([await Promise.all(list.map(picture))])
}

/** Rows of pictures above one another. */
export function rows(images: readonly (readonly Image[])[]): Image {
  return filmStrip(images.flat(), { columns: images[0].length, gap: 2 })
}
