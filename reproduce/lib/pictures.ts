/**
 * Pictures of numbers.
 */
import { argMax, classColours, scope, seenCells, takeRole, type DataRule, type Image, type Tensor } from '../../src/index.ts'

/** Numbers from 0, black, to 1, white. */
export function grey(values: ArrayLike<number>, width: number): Image {
  return paint(values, width, v => [v, v, v])
}

/** Class numbers in colours; negative ones are black. */
export function coloured(classes: ArrayLike<number>, width: number): Image {
  return paint(classes, width, c => (c < 0 ? [0, 0, 0] : classColours[c % classColours.length]))
}

/** What the colours of `classColours` are called, in their order. */
const colourNames = ['orange', 'sky blue', 'green', 'yellow', 'blue', 'red', 'pink', 'purple', 'brown', 'grey']

/** The classes of these names and their colours, in words. */
export function legend(names: readonly string[]): string {
  return names.map((name, c) => `${name} ${colourNames[c]}`).join(', ')
}

/** The predicted classes of a sample's visible cells, in colours. */
export async function said(rule: DataRule, x: Tensor, sample: number): Promise<Image> {
  const [, height, width] = x.shape, from = sample * height * width
  const [classes, seen] = scope(() => [argMax(takeRole(rule, x, 'classes')), seenCells(rule, x)])
  const [numbers, mask] = [await classes.data(), await seen.data()]
  return coloured(Array.from({ length: height * width }, (_, i) => (mask[from + i] ? numbers[from + i] : -1)), width)
}

/** A picture of interleaved red, green and blue. */
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
