/**
 * Pictures of numbers.
 */
import { classColours, type Image } from '../../src/index.ts'

/** Numbers from 0, black, to 1, white. */
export function grey(values: ArrayLike<number>, width: number): Image {
  return paint(values, width, v => [v, v, v])
}

/** Class numbers in colours; what is negative is black. */
export function coloured(classes: ArrayLike<number>, width: number): Image {
  return paint(classes, width, c => (c < 0 ? [0, 0, 0] : classColours[c % classColours.length]))
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
