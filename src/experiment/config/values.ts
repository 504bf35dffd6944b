/**
 * A configuration out of what is given: the values of a preset, others laid over them, and what is wrong with the result, a
 * sentence for each mistake.
 *
 *   batch is "eight", expected a whole number > 0
 */
import { didYouMean, inLine, quoted } from '../../backends/options.ts'
import { presets } from '../../nca/training/presets.ts'
import { describe } from './describe.ts'
import { checkConfig, published } from './schema.ts'
import type { Config, Issue, PresetName } from './schema.ts'

export type Values = Readonly<Record<string, unknown>>

/** A mistake: where it is, and what is to be said about it. `key` stands in the sentence's place of the field. */
export type Mistake = Issue & {
  /** `rule.perceive[1]` */
  readonly key: string
  /** What is said behind the name of the field, or, of a key that there is not, behind the place. */
  readonly says: string
}

/**
 * A complete configuration: these values, laid over each other, the last on top, and over those of the preset that they
 * name (`growing` where they name none); or the mistakes in it.
 *
 * @example configOf({ preset: 'persistent' }, { batch: 'eight' })
 *   // { mistakes: [{ key: 'batch', says: 'is "eight", expected a whole number > 0', … }] }
 */
export function configOf(...layers: readonly Values[]): { readonly config: Config } | { readonly mistakes: readonly Mistake[] } {
  const given = layers.reduce<unknown>(merge, {}) as Values
  const preset = Object.hasOwn(presets, String(given.preset)) ? given.preset as PresetName : 'growing'
  const values = merge(published(preset), given) as Values
  const checked = checkConfig(values)
  if ('config' in checked) return checked
  return { mistakes: checked.issues.map(issue => ({ ...issue, key: keyOf(issue.path), says: sayingOf(issue, values) })) }
}

function sayingOf({ path, unknownKey, expected }: Issue, values: Values): string {
  if (unknownKey === undefined) return `is ${show(at(values, path))}, expected ${expected}`
  const known = describe(path).keys.filter(key => key !== unknownKey)
  const inside = path.length === 0 ? '' : ` in ${keyOf(path)}`
  const hint = didYouMean(unknownKey, known) || `; there are ${known.join(', ')}`
  return `there is no key ${quoted(unknownKey)}${inside}${hint}`
}

/** `over` laid over `base`, key by key, except where it says that it is something of another type. */
function merge(base: unknown, over: unknown): unknown {
  if (!isPlain(base) || !isPlain(over)) return over
  if (['type', 'shape'].some(key => Object.hasOwn(over, key) && over[key] !== base[key])) return over
  return Object.fromEntries([
    ...Object.entries(base),
    ...Object.entries(over).map(([key, value]) => [key, Object.hasOwn(base, key) ? merge(base[key], value) : value]),
  ])
}

function isPlain(x: unknown): x is Values {
  return typeof x === 'object' && x !== null && !Array.isArray(x)
}

function at(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce((inner, key) => (inner as Record<PropertyKey, unknown> | undefined)?.[key], value)
}

/** `rule.perceive[1]` */
function keyOf(path: readonly PropertyKey[]): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : `${i > 0 ? '.' : ''}${String(key)}`)).join('')
}

function show(value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  return value === undefined ? 'missing' : inLine(JSON.stringify(value))
}
