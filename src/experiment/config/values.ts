/**
 * A configuration out of what is given: the values of a preset, others laid over them, and what is wrong with the result, a
 * sentence for each mistake.
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

/** A mistake: where it is, and what is to be said about it. `key` stands in the sentence's place of the field. */
export type Mistake = Wrong & {
  /** `rule.perceive[1]` */
  readonly key: string
  /** What is said behind the name of the field, or, of a key that there is not, behind the place. */
  readonly says: string
}

/**
 * A complete configuration: these values, laid over each other, the last on top, and over those of the preset that they
 * name (`growing` where they name none); or the mistakes in it.
 *
 * @example configOf({ preset: 'persistent' }, { train: { batch: 'eight' } })
 *   // { mistakes: [{ key: 'train.batch', says: 'is "eight", expected a whole number > 0', … }] }
 */
export function configOf(...layers: readonly Values[]): { readonly config: Config } | { readonly mistakes: readonly Mistake[] } {
  return configWith(layers, {})
}

/** The same, with single values put into it, which leave what stands beside them as it is. */
export function configWith(layers: readonly Values[], set: Values): { readonly config: Config } | { readonly mistakes: readonly Mistake[] } {
  const given = layers.reduce<Values>((base, over) => merge(base, arranged(over), describe), {})
  const { preset: named } = { ...given, ...set }
  const preset = Object.hasOwn(presets, String(named)) ? named as PresetName : 'growing'
  const whole = merge(arranged({ preset, ...presets[preset] }), given, describe)
  const { data, mistakes } = readData(configField, put(whole, set, describe))
  return mistakes.length === 0 ? { config: data } : { mistakes: inSentences(mistakes, describe) }
}

/** Mistakes with what is to be said about each. */
export function inSentences(mistakes: readonly Wrong[], describe: Describing): Mistake[] {
  const sections = describe([]).keys
  const inSections = sections.flatMap(section => describe([section]).keys.map(key => ({ section, key })))
  // What is missing since its name is misspelt is told once, by the name.
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

/** What may be meant by a key that stands in no such section: one of another section. */
function elsewhere(unknown: string, inSections: readonly InSection[]): string {
  const best = nearest(unknown, inSections.map(({ key }) => key))
  const found = inSections.find(({ key }) => key === best)
  return found ? `; did you mean ${quoted(`${found.section}.${found.key}`)}?` : ''
}

/** Tells what a schema says of a field. */
export type Describing = (path: readonly PropertyKey[]) => Description

/**
 * `over` laid over `base`, key by key, except where it says that it is something of another type, and where keys are free, as
 * those of channels are.
 */
export function merge(base: Values, over: Values, describe: Describing): Values {
  return laid(base, over, describe, []) as Values
}

/** Single values put into others: they also leave keys that are free as they are, those of the other channels. */
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
