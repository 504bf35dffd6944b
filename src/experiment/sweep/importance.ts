/**
 * How much each field of a sweep matters for the result, by itself: the share of the variance of the results that lies between
 * the values of the field and not within them, ε² (Kelley, "An unbiased correlation ratio measure", PNAS 1935):
 *
 *   ε² = (S_between − (g − 1) S_within / (n − g)) / S_total        over n results in g groups
 *
 * It does not show effects that a field has only together with others. A numeric field with many values is sorted and cut into
 * fifths, or into fewer groups so that each has at least two results: if each result had a value of its own, there would be no
 * variance within values. For a field where that is unavoidable, such as one of distinct words, there is no importance.
 */
import { check, isNumber } from '../../backends/options.ts'
import { groupBy } from '../../nca/tasks/folds.ts'
import type { Json } from '../flat.ts'
import { canonical, type Point } from './fields.ts'

const mostGroups = 5

/**
 * The importance of each field that differs, from 0 to 1, the greatest first; fields with too few results are left out.
 *
 * @param results a point and its result for each run; results that are not finite are left out
 * @example importanceOf([{ point: { batch: 4 }, value: 0.1 }, { point: { batch: 8 }, value: 0.2 }, …])   // { batch: 0.8 }
 */
export function importanceOf(
  results: readonly { readonly point: Point; readonly value: number }[],
): Record<string, number> {
  check(Array.isArray(results), 'importanceOf', 'results', results, 'a list of { point, value }')
  const finite = results.filter(({ value }) => isNumber(value))
  const values = finite.map(({ value }) => value)
  const total = squares(values)
  const paths = [...new Set(finite.flatMap(({ point }) => Object.keys(point)))]
  const shares = paths.flatMap(path => {
    const of = finite.map(({ point }) => point[path])
    if (new Set(of.map(canonical)).size < 2) return []
    if (total === 0) return [[path, 0] as const]
    const groups = grouped(of, values)
    const [n, g] = [values.length, groups.length]
    if (g < 2 || g === n) return []
    const within = groups.reduce((sum, group) => sum + squares(group), 0)
    const share = (total - within - ((g - 1) * within) / (n - g)) / total
    return [[path, Math.max(0, share)] as const]
  })
  return Object.fromEntries(shares.sort(([, a], [, b]) => b - a))
}

/** The sum of the squares of the distances from the mean. */
function squares(values: readonly number[]): number {
  const mean = values.reduce((a, b) => a + b, 0) / values.length
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0)
}

/** The results by the value of a field. */
function grouped(of: readonly (Json | undefined)[], values: readonly number[]): number[][] {
  const distinct = new Set(of.map(canonical)).size
  const numbers = of.filter((x): x is number => isNumber(x)).sort((a, b) => a - b)
  const most = Math.min(mostGroups, Math.max(1, Math.floor(numbers.length / 2)))
  const part = (x: number): number => Math.floor((numbers.findIndex(y => y >= x) * most) / numbers.length)
  const nameOf = (x: Json | undefined): string => (distinct > most && isNumber(x) ? `part ${part(x)}` : canonical(x))
  return [...groupBy(values, (_, i) => nameOf(of[i])).values()]
}
