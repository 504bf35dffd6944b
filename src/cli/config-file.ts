/**
 * Where a configuration comes from: defaults < preset < YAML file < flags, and what is said about a mistake in it.
 *
 *   run.yaml:7: batch is "eight", expected a whole number > 0
 */
import { Document, isScalar, visit } from 'yaml'
import { presets } from '../nca/training/presets.ts'
import { checkConfig, published } from './config.ts'
import type { Config, Issue, PresetName } from './config.ts'
import { describe } from './config-help.ts'
import { didYouMean, inLine, quoted } from '../backends/options.ts'
import { printable } from './output.ts'
import { UsageError } from './usage.ts'
import { readYaml } from './yaml.ts'

type Values = Readonly<Record<string, unknown>>

/** Mistakes that are told at once; whoever makes more has mistaken the file. */
const mostSaid = 20

/** Where a configuration is taken from. */
export type Sources = {
  /** Path of a YAML file. */
  file?: string
  /** Values of flags by the name of their field. */
  flags?: Values
  /** The command, for messages about flags. */
  command?: string
}

/**
 * The configuration from these sources.
 *
 * @throws UsageError with a line for each mistake, which says where it is
 */
export async function loadConfig({ file, flags = {}, command = 'cellgrad' }: Sources): Promise<Config> {
  const yaml = file === undefined ? null : await readYaml(file)
  const named = flags.preset ?? yaml?.values.preset
  const preset = Object.hasOwn(presets, String(named)) ? named as PresetName : 'growing'
  const merged = merge(merge(published(preset), yaml?.values ?? {}), flags) as Values
  const checked = checkConfig(merged)
  if ('config' in checked) return checked.config
  const said = checked.issues.slice(0, mostSaid).map(issue => {
    const line = yaml?.lineOf(issue.unknownKey === undefined ? issue.path : [...issue.path, issue.unknownKey])
    const flag = Object.keys(flags).find(name => name === issue.path[0])
    const source = line !== undefined ? `${file}:${line}` : Object.keys(flags).length > 0 ? 'configuration' : file
    if (issue.unknownKey !== undefined) return unknownKey(source, issue)
    const what = flag ? `${command}: --${kebab(flag)}` : `${source}: ${keyOf(issue.path)}`
    return `${what} is ${show(at(merged, issue.path))}, expected ${issue.expected}`
  })
  const more = checked.issues.length - said.length
  throw new UsageError(...said, ...(more > 0 ? [`${file}: there are ${more} more mistakes`] : []))
}

function unknownKey(where: string | undefined, { path, unknownKey: name = '' }: Issue): string {
  const known = describe(path).keys.filter(key => key !== name)
  const inside = path.length === 0 ? '' : ` in ${keyOf(path)}`
  const hint = didYouMean(name, known) || `; there are ${known.join(', ')}`
  return `${where}: there is no key ${quoted(name)}${inside}${hint}`
}

/** A configuration as the text of a YAML file, with what each key means. */
export function configYaml(config: Config): string {
  const document = new Document(config)
  visit(document, {
    Seq: (_, node) => { node.flow = true },
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && printable(node.value) !== node.value) node.type = 'QUOTE_DOUBLE'
    },
    Pair: (_, { key }, ancestors) => {
      const parents = ancestors.flatMap(node => ('key' in node && isScalar(node.key) ? [String(node.key.value)] : []))
      if (!isScalar(key)) return
      const { description } = describe([...parents, String(key.value)])
      if (description) key.commentBefore = ` ${description}`
    },
  })
  // What is shown in a terminal holds nothing that steers it: escapes exist in double quotes.
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: false })
  return text.split('\n').map(printable).join('\n')
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

/** saveEvery → save-every */
export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}
