/**
 * The best that can be said of a cell by its brightness alone: of every hundredth of it the class that most cells of that brightness
 * have. So it is at least as good as any thresholds, however many. What is better than this has seen more than a cell.
 */

/** From a value, about 0 to 1, to its class, of so many, by these values and their classes. */
export function byBrightness(values: ArrayLike<number>, classes: ArrayLike<number>, count: number): (v: number) => number {
  const level = (v: number): number => Math.min(100, Math.max(0, Math.round(100 * v)))
  const cells = Array.from({ length: 101 }, () => new Float64Array(count))
  for (let i = 0; i < values.length; i++) cells[level(values[i])][classes[i]]++
  const said = cells.map(list => list.indexOf(Math.max(...list)))
  return v => said[level(v)]
}
