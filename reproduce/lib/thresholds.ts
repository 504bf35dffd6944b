/**
 * The two thresholds of brightness that give most cells their class: 0 up to the lower one, 2 above the higher one, 1 between them.
 * What is better than these has seen more than a cell.
 */

/** From a value to its class, by the thresholds, in hundredths, that are best for these values and classes. */
export function bestThresholds(values: ArrayLike<number>, classes: ArrayLike<number>): (v: number) => number {
  const levels = Array.from({ length: 101 }, (_, i) => i / 100)
  // atMost[c][i]: cells of class c whose value is at most levels[i].
  const atMost = [0, 1, 2].map(c => {
    const counts = new Float64Array(levels.length)
    for (let i = 0; i < values.length; i++) if (classes[i] === c) counts[Math.min(100, Math.max(0, Math.ceil(values[i] * 100)))]++
    return counts.map((_, i) => counts.subarray(0, i + 1).reduce((a, b) => a + b, 0))
  })
  let best = { right: -1, low: 0, high: 0 }
  for (let i = 0; i < levels.length; i++) {
    for (let j = i; j < levels.length; j++) {
      const right = atMost[0][i] + (atMost[1][j] - atMost[1][i]) + (atMost[2].at(-1)! - atMost[2][j])
      if (right > best.right) best = { right, low: levels[i], high: levels[j] }
    }
  }
  return v => +(v > best.low) + +(v > best.high)
}
