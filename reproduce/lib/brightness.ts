/**
 * The best classification of a cell by its brightness alone: for each of a hundred levels, the most frequent class of cells with
 * that brightness. It is at least as good as any number of thresholds. A better result must use more than a single cell.
 */

/** The classifier of values, roughly from 0 to 1, into `count` classes, fitted to these values and their classes. */
export function byBrightness(values: ArrayLike<number>, classes: ArrayLike<number>, count: number): (v: number) => number {
  const level = (v: number): number => Math.min(100, Math.max(0, Math.round(100 * v)))
  const cells = Array.from({ length: 101 }, () => new Float64Array(count))
  for (let i = 0; i < values.length; i++) cells[level(values[i])][classes[i]]++
  const said = cells.map(list => list.indexOf(Math.max(...list)))
  return v => said[level(v)]
}
