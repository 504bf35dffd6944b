/**
 * Designs of experiments: which points of the fields of a sweep are tried. All are pure functions.
 *
 *   grid               every combination
 *   random             each field drawn independently (Bergstra & Bengio, "Random Search for Hyper-Parameter Optimization",
 *                      JMLR 2012: better than a grid where few fields matter)
 *   Latin hypercube    n points such that each field, cut into n equal parts, has one point in each part (McKay, Beckman &
 *                      Conover, Technometrics 1979)
 *
 * A field that does not apply, given the values of the others, is left out of a point, and points that are then equal are tried
 * once.
 */
import { check, checkOptions, keysOf, later, required, wholeFrom } from '../../backends/options.ts'
import { checkKey, drawPermutation, foldIn, key as keyOf, uniformAt, type Key } from '../../tensor/key.ts'
import { canonical, fieldsOf, pointAt, type Point, type SweepFields } from './fields.ts'

/** How many points are drawn, and from which key. */
export type DrawOptions = {
  /** The number of points, a whole number > 0. If fields have few values, some points may be equal, and there are fewer. */
  readonly n: number
  /** Default key(0). */
  readonly key?: Key
}

const drawOptions = keysOf<DrawOptions>({ n: required(wholeFrom(1)), key: later })

/** The most points of a design, more than anybody would wait for. */
const mostPoints = 100_000

/**
 * Every combination of the values of some fields, the last field changing fastest.
 *
 * @throws where a range has no `levels`, or there are more than 100,000 combinations
 * @example gridOf({ 'train.batch': [4, 8], 'train.rate': { from: 1e-4, to: 1e-2, scale: 'log', levels: 3 } })   // 6 points
 */
export function gridOf(fields: SweepFields): Point[] {
  const list = fieldsOf('gridOf', fields)
  for (const { path, levels } of list) {
    check(levels !== undefined, 'gridOf', `${path}.levels`, levels, 'a whole number > 0: into so many values a grid cuts a range')
  }
  const count = list.reduce((product, { levels }) => product * levels!, 1)
  check(count <= mostPoints, 'gridOf', 'the number of combinations', count, `at most ${mostPoints}`)
  const points = Array.from({ length: count }, (_, i) => {
    let rest = i
    const u = list.toReversed().map(({ levels }) => {
      const at = rest % levels!
      rest = Math.floor(rest / levels!)
      return (at + 0.5) / levels!
    })
    return pointAt(list, u.reverse())
  })
  return distinct(points)
}

/**
 * Points drawn at random, each field independently.
 *
 * @example randomOf({ 'train.rate': { from: 1e-4, to: 1e-2, scale: 'log' } }, { n: 20 })
 */
export function randomOf(fields: SweepFields, options: DrawOptions): Point[] {
  return drawn('randomOf', fields, options, (k, n) => Array.from({ length: n }, (_, i) => uniformAt(k, i)))
}

/**
 * Points drawn at random that cover each field evenly: each of its n equal parts has one point.
 *
 * @example latinHypercube({ 'train.rate': { from: 1e-4, to: 1e-2, scale: 'log' }, 'train.batch': [4, 8] }, { n: 10 })
 */
export function latinHypercube(fields: SweepFields, options: DrawOptions): Point[] {
  return drawn('latinHypercube', fields, options, (k, n) => (
    drawPermutation(foldIn(k, 0), n).map((part, i) => (part + uniformAt(foldIn(k, 1), i)) / n)
  ))
}

/** Points from a column of n numbers in [0, 1) for each field. */
function drawn(where: string, fields: SweepFields, options: DrawOptions, column: (k: Key, n: number) => number[]): Point[] {
  checkOptions(where, options, drawOptions)
  const { n, key = keyOf(0) } = options
  check(n <= mostPoints, where, 'n', n, `at most ${mostPoints}`)
  checkKey(where, key)
  const list = fieldsOf(where, fields)
  const columns = list.map((_, f) => column(foldIn(key, f), n))
  return distinct(Array.from({ length: n }, (_, i) => pointAt(list, columns.map(u => u[i]))))
}

function distinct(points: readonly Point[]): Point[] {
  return [...new Map(points.map(point => [canonical(point), point])).values()]
}
