/**
 * Fields: data that a table describes, once.
 *
 * A rule, a part of its perception, or an optimiser is data, used in programs, in model files and in YAML. A table says for
 * each of its fields which values are valid, what the default is, and what it means:
 *
 *   size: { ...wholeFrom(1, 127), default: 3, about: 'Taps along each axis' }
 *
 * Everything else is derived from the table: the checks of functions (`checkData`) and of files (`readData`), with the same
 * messages, defaults, JSON Schema (`schemaOf`), and the random data of tests.
 */
import { check, checkOptions, expectedOf, isObject, oneOf, refuseOption, type Json, type Kind, type Options } from './options.ts'

/** The names and indices that lead to a value within data. */
export type Path = readonly (string | number)[]

/** A mistake in data, and where it is. */
export type Mistake = {
  readonly path: Path
  readonly got?: unknown
  readonly expected?: string
  /** The name of what is wrong if it is not a field: 'the number of channels'. */
  readonly name?: string
  /** A field that does not exist, and those that do. */
  readonly unknown?: string
  readonly known?: readonly string[]
}

type Wrong = (mistake: Mistake) => void

/** A kind, with its meaning and default as a field. */
export type Field<T = unknown> = Kind & {
  /** Its meaning, a sentence for whoever reads or edits a file. */
  readonly about?: string
  /** The default, or a function that computes it from the other fields. A field without a default must be given. */
  readonly default?: T | ((others: never) => T)
  /** Checks the inside of a value that fits: reports mistakes, and returns the value with its defaults. */
  readonly read?: (x: never, path: Path, wrong: Wrong) => unknown
}

/** A field for each field of T, except the one that names its type. */
export type Fields<T> = { readonly [K in Exclude<keyof T, 'type' | 'shape'>]-?: Field<T[K]> }

/** Reports a mistake unless `ok`; paths are relative to the data that is checked. */
export type Expect = (ok: boolean, path: Path, got: unknown, expected: string, name?: string) => void

/** The description of data of type T. */
export type Table<T = unknown> = {
  /** Its `type`, which distinguishes it from other data. */
  readonly type?: string
  readonly fields: Fields<T>
  /** Checks that fields, each valid by itself, fit together. */
  together?(x: T, expect: Expect): void
}

/** Data described by a table; its `type` may be omitted. */
export function record<T>({ type, fields, together }: Table<T>, tag: string = 'type'): Field<T> {
  const table = Object.entries<Field>(fields)
  const tagged: [string, Field][] = type === undefined ? [] : [[tag, { ...oneOf([type]), default: type }]]
  const all = [...tagged, ...table]
  const names = table.map(([name]) => name)
  return judged({
    fits: isObject,
    expected: `an object with ${names.join(', ')}`,
    json: {
      type: 'object',
      properties: Object.fromEntries(all.map(([name, field]) => [name, schemaOf(field)])),
      required: table.filter(([, field]) => !('default' in field)).map(([name]) => name),
      additionalProperties: false,
    },
    read(given: Readonly<Record<string, unknown>>, path, wrong) {
      for (const name of Object.keys(given)) {
        if (!all.some(([known]) => known === name)) wrong({ path, unknown: name, known: names })
      }
      const left = (name: string, field: Field): boolean => given[name] === undefined && 'default' in field
      const whole = Object.fromEntries(all.map(([name, field]) =>
        [name, left(name, field) ? field.default : read(field, given[name], [...path, name], wrong)]))
      for (const [name, field] of all) {
        if (left(name, field) && typeof field.default === 'function') whole[name] = (field.default as (others: object) => unknown)(whole)
      }
      return whole
    },
  }, together)
}

/** Data of one of several types, which its field `type` names. */
export function choice<T>(tables: readonly Table[], tag: string = 'type'): Field<T> {
  const records = new Map(tables.map(table => [table.type, record(table, tag)]))
  const types = oneOf([...records.keys()].map(String))
  return {
    fits: isObject,
    expected: `an object with a ${tag}: ${types.expected}`,
    json: { anyOf: [...records.values()].map(each => ({ ...each.json, required: [tag, ...each.json!.required!] })) },
    read(given: Readonly<Record<string, unknown>>, path, wrong) {
      const own = records.get(given[tag] as string)
      if (own) return read(own, given, path, wrong)
      return wrong({ path: [...path, tag], got: given[tag], expected: expectedOf(types, given[tag]) })
    },
  }
}

/** A value of the first of these kinds that accepts it. */
export function either<T>(...kinds: readonly Field[]): Field<T> {
  return {
    fits: x => kinds.some(kind => kind.fits(x)),
    expected: kinds.map(kind => kind.expected).join(', or '),
    json: { anyOf: kinds.map(schemaOf) },
    read: (x, path, wrong) => read(kinds.find(kind => kind.fits(x))!, x, path, wrong),
  }
}

/** A value or null. */
export function orNull<T>(kind: Field<T>): Field<T | null> {
  return either({ fits: x => x === null, expected: 'null', json: { type: 'null' } }, kind)
}

/** A list of `least` to `most` values, called `what` in messages. */
export function list<T>(each: Field, what: string, least: number = 0, most: number = Infinity): Field<readonly T[]> {
  return {
    fits: x => Array.isArray(x) && x.length >= least && x.length <= most,
    expected: most < Infinity ? `a list of ${least} to ${most} ${what}` : `a list of ${what}${least > 0 ? `, at least ${least}` : ''}`,
    json: { type: 'array', items: schemaOf(each), minItems: least, ...(most < Infinity && { maxItems: most }) },
    read: (x: unknown[], path, wrong) => x.map((one, i) => read(each, one, [...path, i], wrong)),
  }
}

/** A list of values; a single value may be given without a list. */
export function oneOrMore<T>(each: Field, what: string, most: number): Field<readonly T[]> {
  const several = list<T>(each, what, 1, most)
  return { ...either(each, several), read: (x, path, wrong) => (each.fits(x) ? [x] : read(several, x, path, wrong)) }
}

/** Two numbers, the first at most the second, or `strictly` below it. */
export function range(each: Kind, strictly: boolean): Field<readonly [number, number]> {
  return {
    fits: x => Array.isArray(x) && x.length === 2 && x.every(each.fits) && (strictly ? x[0] < x[1] : x[0] <= x[1]),
    expected: `two${each.expected.slice(1).replace('number', 'numbers')}, the first ${strictly ? 'below' : 'at most'} the second`,
    json: { type: 'array', items: each.json, minItems: 2, maxItems: 2 },
    read: (x: readonly [number, number]) => [...x],
  }
}

/** Values by arbitrary names. */
export function named<T>(each: Field, expected: string): Field<Readonly<Record<string, T>>> {
  return {
    fits: isObject,
    expected,
    json: { type: 'object', additionalProperties: schemaOf(each) },
    read: (x: Readonly<Record<string, unknown>>, path, wrong) =>
      Object.fromEntries(Object.entries(x).map(([name, value]) => [name, read(each, value, [...path, name], wrong)])),
  }
}

/** A kind with a further check of the whole value, whose parts are valid by themselves. */
export function judged<T>(kind: Field<T>, together: Table<T>['together']): Field<T> {
  if (!together) return kind
  return {
    ...kind,
    read(x, path, wrong) {
      let right = true
      const whole = kind.read!(x, path, mistake => {
        right = false
        wrong(mistake)
      }) as T
      if (right) {
        together(whole, (ok, at, got, expected, name) => {
          if (!ok) wrong({ path: [...path, ...at], got, expected, name })
        })
      }
      return whole
    },
  }
}

function read(field: Field, x: unknown, path: Path, wrong: Wrong): unknown {
  if (field.fits(x)) return field.read ? field.read(x as never, path, wrong) : x
  wrong({ path, got: x, expected: expectedOf(field, x) })
  return x
}

/** Data with its defaults. Throws a sentence about the first mistake. */
export function checkData<T>(where: string, field: Field<T>, x: unknown): T {
  return read(field, x, [], ({ path, got, expected = '', name, unknown, known = [] }) => {
    const at = pathInWords(path)
    if (unknown !== undefined) refuseOption(at === '' ? where : `${where}.${at}`, unknown, known)
    check(false, where, name ?? (at || 'the options argument'), got, expected)
  }) as T
}

/** Frozen data of a table from the arguments of a function: `first` has fields given by position, `options` those by name. */
export function dataOf<T>(where: string, table: Table<T>, first: Partial<T>, options: object): T {
  const others = Object.entries<Field>(table.fields).filter(([name]) => !Object.hasOwn(first, name))
  checkOptions(where, options, Object.fromEntries(others) as Options)
  return deepFreeze(checkData(where, record(table), { ...options, ...first }))
}

/** The same data, deeply frozen. */
export function deepFreeze<T>(x: T): T {
  if (typeof x === 'object' && x !== null && !Object.isFrozen(x)) {
    Object.values(x).forEach(deepFreeze)
    Object.freeze(x)
  }
  return x
}

/** Data with its defaults, and all mistakes in it. */
export function readData<T>(field: Field<T>, x: unknown): { data: T; mistakes: readonly Mistake[] } {
  const mistakes: Mistake[] = []
  return { data: read(field, x, [], mistake => mistakes.push(mistake)) as T, mistakes }
}

/** `perceive[1].size` */
export function pathInWords(path: Path): string {
  return path.map((name, i) => (typeof name === 'number' ? `[${name}]` : `${i > 0 ? '.' : ''}${name}`)).join('')
}

/** JSON Schema of a field, with its meaning and its default. */
export function schemaOf({ json = {}, about, default: otherwise }: Field): Json {
  return {
    ...json,
    ...(about !== undefined && { description: about }),
    ...(otherwise !== undefined && typeof otherwise !== 'function' && { default: otherwise }),
  }
}
