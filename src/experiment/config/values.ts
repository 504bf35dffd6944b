/**
 * A configuration from the values of a preset and others that override them, and the mistakes in the result, a sentence for
 * each.
 *
 *   train.batch is "eight", expected a whole number > 0
 */
import { pathInWords, readData, type Mistake as Wrong } from '../../backends/fields.ts'
import { didYouMean, inLine, isObject, nearest, quoted } from '../../backends/options.ts'
import { presets } from '../../nca/training/presets.ts'
import { describe, type Description } from './describe.ts'
import { configField, type Config, type PresetName } from './schema.ts'
import { arranged, shortNamesIn } from './sections.ts'

export type Values = Readonly<Record<string, unknown>>

/** A mistake: where it is, and a message about it. In the sentence, `key` is the name of the field. */
export type Mistake = Wrong & {
  /** `rule.perceive[1]` */
  readonly key: string
  /** The message, to follow the name of the field or, for an unknown key, its place. */
  readonly says: string
}

/**
 * A complete configuration: the values of the preset that the layers name (`growing` if they name none), overridden by the layers
 * in order, so that the last one wins; or the mistakes in it.
 *
 * @example configOf({ preset: 'persistent' }, { train: { batch: 'eight' } })
 *   // { mistakes: [{ key: 'train.batch', says: 'is "eight", expected a whole number > 0', … }] }
 */
export function configOf(...layers: readonly Values[]): { readonly config: Config } | { readonly mistakes: readonly Mistake[] } {
  return configWith(layers, {})
}

/** The same, with single values set in it, which leave everything beside them as it is. */
export function configWith(layers: readonly Values[], set: Values): { readonly config: Config } | { readonly mistakes: readonly Mistake[] } {
  const given = layers.reduce<Values>((base, over) => merge(base, arranged(over), describe), {})
  const { preset: named } = { ...given, ...set }
  const preset = Object.hasOwn(presets, String(named)) ? named as PresetName : 'growing'
  const whole = merge(arranged({ preset, ...presets[preset] }), given, describe)
  const { data, mistakes } = readData(configField, put(whole, set, describe))
  return mistakes.length === 0 ? { config: data } : { mistakes: inSentences(mistakes, describe) }
}

/** Mistakes, with a message about each. */
export function inSentences(mistakes: readonly Wrong[], describe: Describing): Mistake[] {
  const sections = describe([]).keys
  const inSections = sections.flatMap(section => describe([section]).keys.map(key => ({ section, key })))
  // A field that is missing because its name is misspelt is reported only once, as the misspelt name.
  const meant = mistakes.flatMap(({ path, unknown, known = [] }) => (
    unknown === undefined ? [] : [pathInWords([...path, nearest(unknown, known) ?? ''])]
  ))
  const isMeant = ({ path, got, unknown }: Wrong): boolean => unknown === undefined && got === undefined && meant.includes(pathInWords(path))
  return mistakes.filter(mistake => !isMeant(mistake)).map(mistake => ({
    ...mistake, key: mistake.name ?? pathInWords(mistake.path), says: sayingOf(mistake, inSections),
  }))
}

type InSection = { readonly section: string; readonly key: string }

function sayingOf({ path, got, expected, unknown, known = [] }: Wrong, inSections: readonly InSection[]): string {
  if (unknown === undefined) return `is ${show(got)}, expected ${expected}`
  const inside = path.length === 0 ? '' : ` in ${pathInWords(path)}`
  const hint = didYouMean(unknown, [...known, ...shortNamesIn(path.join('.'))]) || (path.length <= 1 && elsewhere(unknown, inSections)) || `; there are ${known.join(', ')}`
  return `there is no key ${quoted(unknown)}${inside}${hint}`
}

/** The key of another section that may be meant by an unknown key. */
function elsewhere(unknown: string, inSections: readonly InSection[]): string {
  const best = nearest(unknown, inSections.map(({ key }) => key))
  const found = inSections.find(({ key }) => key === best)
  return found ? `; did you mean ${quoted(`${found.section}.${found.key}`)}?` : ''
}

/** A function that returns what a schema says about a field. */
export type Describing = (path: readonly PropertyKey[]) => Description

/**
 * `base` with the values of `over`, merged key by key. An object of another `type`, or one whose keys are free, like channels,
 * is replaced as a whole.
 */
export function merge(base: Values, over: Values, describe: Describing): Values {
  return laid(base, over, describe, []) as Values
}

/** `base` with single values set in it. Free keys are merged too, so that setting one channel keeps the others. */
export function put(base: Values, set: Values, describe: Describing): Values {
  return laid(base, arranged(set), describe, [], true) as Values
}

function laid(base: unknown, over: unknown, describe: Describing, path: readonly string[], isPut = false): unknown {
  if (!isObject(base) || !isObject(over)) return over
  if (['type', 'shape'].some(key => Object.hasOwn(over, key) && over[key] !== base[key])) return over
  if (describe(path).keys.length === 0) return isPut ? { ...base, ...over } : over
  return Object.fromEntries([
    ...Object.entries(base),
    ...Object.entries(over).map(([key, value]) =>
      [key, Object.hasOwn(base, key) ? laid(base[key], value, describe, [...path, key], isPut) : value]),
  ])
}

function show(value: unknown): string {
  if (typeof value === 'string') return quoted(value)
  return value === undefined ? 'missing' : inLine(JSON.stringify(value))
}
