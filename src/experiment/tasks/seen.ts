/**
 * Pictures of results: channels as colours, cells in the colours of their classes.
 */
import { classColours } from '../../nca/files/class-colours.ts'
import { filmStrip, type Image } from '../../nca/files/image.ts'
import { tensorToImage } from '../../nca/files/image-tensor.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, div, sub } from '../../tensor/ops/arithmetic.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { argMax } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { outputsOf } from './experiment.ts'
import { amountsOf } from './told.ts'

/** The picture of a tensor `[1,h,w,m]`: RGBA, RGB, or shades of grey; of `[1,d,h,w,m]` that of the middle plane. */
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

/**
 * The picture of output channels `[1,h,w,o]`, as the loss of the training says: classes in their colours, depths, masks, or
 * values; with `ink`, large values are dark.
 */
export function seenOutput(loss: unknown, make: () => Tensor, ink: boolean = false): Promise<Image> {
  const kind = outputsOf(loss)
  if (kind === 'classes') return seenClasses(() => argMax(make()))
  return seen(() => {
    const made = amountsOf(loss, make())
    return kind === 'depths' ? nearness(made) : ink ? sub(1, made) : made
  })
}

/** Depths ≥ 0 as shades of grey: the nearer, the brighter. */
export function nearness(depth: Tensor): Tensor {
  return div(1, add(1, depth))
}

/** Classes of cells `[1,h,w]` in their colours, of `[1,d,h,w]` those of the middle plane; cells where `there` is 0 are black. */
export async function seenClasses(classes: () => Tensor, there?: () => Tensor): Promise<Image> {
  const said = scope(() => plane(classes(), 3))
  const [, height, width] = said.shape
  const mask = there ? await scope(() => plane(there(), 3)).data() : new Uint8Array(width * height).fill(1)
  return coloured(width, height, await said.data(), mask)
}

/** The middle plane of a volume, a line as a plane, or a plane itself, as a tensor with `axes` axes. */
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

/** The states of a batch, each `[1,h,w,c]`. */
export function each(x: Tensor): (() => Tensor)[] {
  const [n, ...shape] = x.shape
  return Array.from({ length: n }, (_, i) => () => slice(x, [i, ...shape.map(() => 0)], [1, ...shape]))
}

/** A row of pictures, one for each item. */
export async function row<T>(list: readonly T[], picture: (one: T, i: number) => Promise<Image>): Promise<Image> {
  return rows([await Promise.all(list.map(picture))])
}

/** Rows of pictures, one above the other. */
export function rows(images: readonly (readonly Image[])[]): Image {
  return filmStrip(images.flat(), { columns: images[0].length, gap: 2 })
}
