/**
 * The fields that a sweep varies: paths in a configuration, each with the values that it may have.
 *
 *   {
 *     'train.rate': { from: 1e-4, to: 1e-2, scale: 'log' },
 *     'train.pool': [0, 256],
 *     'train.damaged': { values: [0, 3], when: { 'train.pool': [256] } },
 *   }
 *
 * Every field is a function from [0, 1) to its values: equal parts map to the values of a list, or [0, 1) is scaled to a range.
 * So a design is a set of points in the unit cube, and the same designs serve lists and ranges.
 */
import { check, checkOptions, isNumber, isObject, keysOf, later, oneOf, flag, wholeFrom } from '../../backends/options.ts'
import { arranged, placeOf } from '../config/sections.ts'
import { withValue, type JsonObject, type Json } from '../flat.ts'

/** The condition under which a field applies: each of these fields, which must come before it, has one of these values. */
export type When = Readonly<Record<string, readonly Json[]>>

/** A field with a list of values. */
export type ChoiceField = {
  readonly values: readonly Json[]
  /** Default always. */
  readonly when?: When
}

/** A field with a range of numbers, from one up to, not including, another. */
export type RangeField = {
  readonly from: number
  readonly to: number
  /** 'log': uniform in the logarithm, for numbers > 0. Default 'linear'. */
  readonly scale?: 'linear' | 'log'
  /** Only whole numbers, without `to`. Default false. */
  readonly whole?: boolean
  /** The number of values in a grid, at the middles of equal parts; required for grids. */
  readonly levels?: number
  /** Default always. */
  readonly when?: When
}

/** The fields by path, in order: lists of values, or ranges. */
export type SweepFields = Readonly<Record<string, readonly Json[] | ChoiceField | RangeField>>

/** The values of a run's fields. */
export type Point = Readonly<Record<string, Json>>

const choice = keysOf<ChoiceField>({ values: later, when: { fits: isObject, expected: 'values by field' } })
const range = keysOf<RangeField>({
  from: later, to: later, scale: oneOf(['linear', 'log']), whole: flag, levels: wholeFrom(1),
  when: { fits: isObject, expected: 'values by field' },
})

/** A field as a function of u. */
export type Field = {
  readonly path: string
  /** How many values a grid has; undefined for a range without `levels`. */
  readonly levels: number | undefined
  /** The value at u, from 0 up to, not including, 1. */
  at(u: number): Json
  /** Whether it applies, given the values of the fields before it. */
  applies(point: Point): boolean
}

/**
 * The fields in order.
 *
 * @throws one sentence where one is no valid field, or depends on one that does not come before it
 */
export function fieldsOf(where: string, fields: SweepFields): Field[] {
  const some = isObject(fields) && Object.keys(fields).length > 0
  check(some, where, 'fields', fields, 'a list of values or a range for each path')
  const before = new Map<string, readonly Json[] | null>() // with the values of fields that are lists
  return Object.entries(fields).map(([path, given]) => {
    const field = fieldOf(where, path, Array.isArray(given) ? { values: given as Json[] } : given as ChoiceField | RangeField)
    const { when = {} } = Array.isArray(given) ? {} : given as ChoiceField
    for (const [other, values] of Object.entries(when)) {
      check(before.has(other), where, `${path}.when`, other, `a field that stands before it: ${[...before.keys()].join(', ') || 'there is none'}`)
      check(Array.isArray(values) && values.length > 0, where, `${path}.when.${other}`, values, 'a list of values')
      const known = before.get(other)?.map(canonical)
      const never = known && values.find(value => !known.includes(canonical(value)))
      check(never === undefined, where, `${path}.when.${other}`, never, `values that ${other} may have: ${known?.join(', ')}`)
    }
    before.set(path, Array.isArray(given) ? given as Json[] : (given as Partial<ChoiceField>).values ?? null)
    const conditions = Object.entries(when).map(([other, values]) => [other, values.map(canonical)] as const)
    const applies = (point: Point): boolean => (
      conditions.every(([other, values]) => Object.hasOwn(point, other) && values.includes(canonical(point[other])))
    )
    return { path, ...field, applies }
  })
}

function fieldOf(where: string, path: string, given: ChoiceField | RangeField): Pick<Field, 'levels' | 'at'> {
  check(isObject(given), where, path, given, 'a list of values, or a range { from, to }')
  if ('values' in given) {
    checkOptions(`${where}: ${path}`, given, choice)
    const { values } = given
    check(Array.isArray(values) && values.length > 0, where, path, values, 'a list of values')
    const distinct = new Set(values.map(canonical)).size === values.length
    check(distinct, where, path, values, 'a list of values that differ')
    return { levels: values.length, at: u => values[Math.floor(u * values.length)] }
  }
  checkOptions(`${where}: ${path}`, given, range)
  const { from, to, scale = 'linear', whole = false, levels } = given
  const fits = whole ? Number.isSafeInteger : (x: unknown) => isNumber(x)
  const kind = `a ${whole ? 'whole ' : ''}number${scale === 'log' ? ' > 0' : ''}`
  check(fits(from) && (scale === 'linear' || from > 0), where, `${path}.from`, from, kind)
  check(fits(to) && to > from, where, `${path}.to`, to, `${kind} above from`)
  const stretch = scale === 'log' ? (u: number) => from * (to / from) ** u : (u: number) => from + (to - from) * u
  const least = whole ? to - 1 : to
  const at = (u: number): number => Math.min(least, whole ? Math.floor(stretch(u)) : stretch(u))
  return { levels, at }
}

/** The values of a point in the unit cube, without those that do not apply. */
export function pointAt(fields: readonly Field[], u: readonly number[]): Point {
  const point: Record<string, Json> = {}
  fields.forEach((field, i) => { if (field.applies(point)) point[field.path] = field.at(u[i]) })
  return point
}

/** A configuration with the values of a point. */
export function configAt(base: JsonObject, point: Point): JsonObject {
  return Object.entries(point).reduce((config, [path, value]) => withValue(config, placeOf(path), value), arranged(base) as JsonObject)
}

/** Values as text that is the same for equal values, whatever the order of their keys. */
export function canonical(value: Json | undefined): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value as JsonObject).filter(([, x]) => x !== undefined)
  return `{${entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, x]) => `${JSON.stringify(name)}:${canonical(x)}`).join(',')}}`
}

/**
 * The name of a run: a hash of its configuration (FNV-1a of 64 bits, by Fowler, Noll and Vo, of its JSON with the keys in
 * order), as 16 hexadecimal digits. Equal configurations have equal names, on every machine.
 *
 * @example runId({ train: { batch: 8 }, seed: 0 }) === runId({ seed: 0, train: { batch: 8 } })
 */
export function runId(config: JsonObject): string {
  let hash = 0xcbf29ce484222325n
  for (const byte of new TextEncoder().encode(canonical(config))) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n)
  return hash.toString(16).padStart(16, '0')
}

/** Whether a text looks like the name of a run. */
export function isRunId(name: string): boolean {
  return /^[0-9a-f]{16}$/.test(name)
}
