/**
 * Pictures of numbers.
 */
import type { Image } from '../../src/index.ts'

/** A colour for each class, and a last one for what is of no class. */
const palette = [
  '#1f77b4', '#ff7f0e', '#2ca02c', '#d62728', '#9467bd', '#8c564b', '#e377c2', '#7f7f7f', '#bcbd22', '#17becf',
].map(hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16) / 255))

/** Numbers from 0, black, to 1, white. */
export function grey(values: ArrayLike<number>, width: number): Image {
  return paint(values, width, v => [v, v, v])
}

/** Class numbers in colours; what is negative is black. */
export function coloured(classes: ArrayLike<number>, width: number): Image {
  return paint(classes, width, c => (c < 0 ? [0, 0, 0] : palette[c % palette.length]))
}

/** Red, green and blue behind one another. */
export function rgbImage(values: ArrayLike<number>, width: number): Image {
  const cells = Array.from({ length: values.length / 3 }, (_, i) => i)
  return paint(cells, width, i => [0, 1, 2].map(c => values[3 * i + c]))
}

function paint(values: ArrayLike<number>, width: number, colour: (v: number) => readonly number[]): Image {
  const data = new Float32Array(4 * values.length)
  for (let i = 0; i < values.length; i++) {
    data.set([...colour(values[i]).map(v => Math.min(Math.max(v, 0), 1)), 1], 4 * i)
  }
  return { width, height: values.length / width, data }
}
