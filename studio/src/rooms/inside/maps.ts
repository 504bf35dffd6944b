/**
 * Quantities of a step as pictures, in the worker: a map for each number that a cell has.
 *
 * All maps of a quantity share one scale, or each has its own: from −range to range, in the colours of the library's
 * `channelView`: blue below 0, white at 0, red above, and full colour beyond the range. The range is the 99th percentile of
 * the magnitudes of the numbers that are not 0, rounded up to 1, 2 or 5 times a power of ten. So a few large numbers do not
 * make all others pale, and the range seldom changes from step to step.
 */
import { channelView, imageToPixels, tensor } from 'cellgrad'

/** Several maps: `pixels` is `[n,h,w,4]`, red, green, blue, alpha. */
export type Maps = {
  readonly names: readonly string[]
  readonly width: number
  readonly height: number
  readonly pixels: Uint8ClampedArray<ArrayBuffer>
  /** For each map, the magnitude that has full colour. */
  readonly ranges: readonly number[]
}

/** One scale for all maps, one for each map, or a given range for all. */
export type Scale = 'shared' | 'own' | number

const shades = 255 // on each side of 0

/** The colours from −range to range, as the library draws them. */
export const palette: Promise<Uint8ClampedArray<ArrayBuffer>> = (async () => {
  const ramp = Float32Array.from({ length: 2 * shades + 1 }, (_, i) => (i - shades) / shades)
  return imageToPixels(await channelView(0)(tensor(ramp, { shape: [1, 1, ramp.length, 1] })))
})()

/** The smallest of the numbers …, 0.5, 1, 2, 5, 10, 20, … that is not below x. */
export function niceRange(x: number): number {
  if (!(x > 0 && x < Infinity)) return 1
  const power = 10 ** Math.floor(Math.log10(x))
  return [1, 2, 5, 10].map(n => n * power).find(n => n >= x * (1 - 1e-6))!
}

/**
 * The 99th percentile of the magnitudes of the values that are not 0, from a hundred thousand of them at most. With `from`
 * and `n`, only every n-th value counts, beginning with number `from`.
 */
function usualSize(values: ArrayLike<number>, from: number = 0, n: number = 1): number {
  const sizes: number[] = []
  const stride = n * (Math.max(1, Math.floor(values.length / n / 100_000)) | 1) // odd, so that it meets every channel
  for (let i = from; i < values.length; i += stride) if (values[i] !== 0) sizes.push(Math.abs(values[i]))
  return sizes.sort((a, b) => a - b)[Math.floor(0.99 * (sizes.length - 1))] ?? 0
}

/** The n maps of values `[h,w,n]`. */
export async function mapsOf(
  values: ArrayLike<number>, names: readonly string[], width: number, height: number, scale: Scale = 'shared',
): Promise<Maps> {
  const colours = new Uint32Array((await palette).slice().buffer)
  const n = names.length, cells = width * height
  const shared = scale === 'own' ? 0 : scale === 'shared' ? niceRange(usualSize(values)) : scale
  const ranges = names.map((_, c) => (scale === 'own' ? niceRange(usualSize(values, c, n)) : shared))
  const pixels = new Uint32Array(n * cells)
  for (let cell = 0; cell < cells; cell++) {
    for (let c = 0; c < n; c++) {
      const share = Math.min(Math.max(values[cell * n + c] / ranges[c], -1), 1)
      pixels[c * cells + cell] = Number.isNaN(share) ? 0xffff00ff : colours[shades + Math.round(share * shades)]
    }
  }
  return { names, width, height, pixels: new Uint8ClampedArray(pixels.buffer), ranges }
}
