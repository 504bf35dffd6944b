/**
 * Logarithmic axes with numbers that are easy to read: 1, 2 and 5 times powers of ten.
 */

/** A domain that starts and ends on 1, 2 or 5 × 10ⁿ, with ticks on all of those, or, if they are many, on the powers of ten. */
export function logAxis(numbers: readonly number[]): { domain: [number, number]; ticks: number[] } {
  const [low, high] = numbers.reduce(([a, b], x) => [Math.min(a, x), Math.max(b, x)], [Infinity, 0])
  const ladder: number[] = []
  for (let n = Math.floor(Math.log10(low)) - 1; n <= Math.ceil(Math.log10(high)) + 1; n++) {
    ladder.push(Number(`1e${n}`), Number(`2e${n}`), Number(`5e${n}`))
  }
  const first = ladder.findLastIndex(step => step <= low)
  const last = ladder.findIndex(step => step >= high)
  const steps = ladder.slice(first, Math.max(last, first + 1) + 1)
  const ticks = steps.length <= 8 ? steps : steps.filter(step => ladder.indexOf(step) % 3 === 0)
  return { domain: [steps[0]!, steps.at(-1)!], ticks }
}

/** A number on such an axis. */
export function shortNumber(x: number): string {
  return x >= 1e-4 && x < 1000 ? String(x) : x.toExponential()
}
