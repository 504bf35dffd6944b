/**
 * Builds a configuration: each source overrides those before it, defaults < preset < YAML file < flags. A message about a
 * mistake says where it is:
 *
 *   run.yaml:7: train.batch is "eight", expected a whole number > 0
 */
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { didYouMean } from '../../backends/options.ts'
import type { Config } from '../../experiment/config/schema.ts'
import { arranged, pathsTo, placeOf } from '../../experiment/config/sections.ts'
import { merge, type Values } from '../../experiment/config/values.ts'
import { valueAt, type JsonObject } from '../../experiment/flat.ts'
import { describing, isGrowing, runConfigWith, type RunConfig } from '../../experiment/tasks/values.ts'
import { bundledExperiment, bundledExperiments } from '../../node/assets.ts'
import { UsageError } from './usage.ts'
import { readYaml, type Yaml } from './yaml.ts'

/** The most mistakes that are reported: with more, it is probably the wrong file. */
const mostSaid = 20

/** The sources of a configuration. */
export type Sources = {
  /** Path of a YAML file. */
  file?: string
  /** Values of flags by the name of their field. */
  flags?: Values
  /** Values that override all others. */
  set?: Values
  /** The command, for messages about flags. */
  command?: string
}

/**
 * The configuration from these sources.
 *
 * @throws UsageError with a line for each mistake, which says where it is
 */
export async function loadRunConfig({ file, flags = {}, set = {}, command = 'cellgrad' }: Sources): Promise<RunConfig> {
  const layers = file === undefined ? [] : await readLayers(file)
  const checked = runConfigWith([...layers.map(({ yaml }) => yaml.values), flags], set)
  if ('config' in checked) return checked.config
  const { mistakes } = checked
  const said = mistakes.slice(0, mostSaid).map(({ path, unknown, key, says }) => {
    const place = unknown === undefined ? path : [...path, unknown]
    const isSet = valueAt(arranged(set) as JsonObject, place.map(String).join('.')) !== undefined
    if (isSet) return `${command}: --set ${unknown === undefined ? `${key} ` : ''}${says}`
    const found = whereIs(place, layers)
    const flag = Object.keys(flags).find(name => placeOf(name) === place.slice(0, placeOf(name).split('.').length).join('.'))
    const source = found ? `${found.file}:${found.line}` : Object.keys(flags).length > 0 ? 'configuration' : file
    if (unknown !== undefined) return `${source}: ${says}`
    return `${flag ? `${command}: --${kebab(flag)}` : `${source}: ${key}`} ${says}`
  })
  const more = mistakes.length - said.length
  throw new UsageError(...said, ...(more > 0 ? [`${file}: there are ${more} more mistakes`] : []))
}

/** The configuration of a run that grows a picture, from these sources. */
export async function loadConfig(sources: Sources): Promise<Config> {
  const config = await loadRunConfig(sources)
  if (isGrowing(config)) return config
  throw new UsageError(`${sources.file}: task is ${config.task}, expected growing`)
}

/** The values of a file, over those of the files that it extends, each in its section. */
export async function readValues(file: string): Promise<Values> {
  const layers = await readLayers(file)
  const { task } = Object.assign({}, ...layers.map(({ yaml }) => yaml.values)) as Values
  return layers.reduce<Values>((base, { yaml }) => merge(base, arranged(yaml.values), describing(task)), {})
}

/** The file and the line that come nearest to a place in the configuration; of equally near ones, those of the topmost file. */
function whereIs(place: readonly PropertyKey[], layers: readonly Layer[]): { file: string; line: number } | undefined {
  const found = layers.toReversed().flatMap(({ file, yaml }) => pathsTo(place).flatMap(path => {
    const at = yaml.lineOf(path)
    return at ? [{ file, line: at.line, missing: path.length - at.depth }] : []
  }))
  return found.sort((a, b) => a.missing - b.missing)[0]
}

type Layer = { readonly file: string; readonly yaml: Yaml }

const mostExtended = 10

/** A file and those that it `extends`, the most basic one first; a path is relative to the file that names it. */
async function readLayers(file: string, depth: number = 0): Promise<Layer[]> {
  if (depth > mostExtended) throw new UsageError(`${file}: extends more than ${mostExtended} files, one after the other`)
  const yaml = await readYaml(file)
  const { extends: base, ...values } = yaml.values
  if (base === undefined) return [{ file, yaml }]
  const place = `${file}:${yaml.lineOf(['extends'])?.line}: extends`
  if (typeof base !== 'string' || base === '') throw new UsageError(`${place} is ${JSON.stringify(base)}, expected the path of a file`)
  return [...await readLayers(await besides(file, base, place), depth + 1), { file, yaml: { ...yaml, values } }]
}

/** The file of an experiment, given by its path or by the name of a bundled one; undefined if the word is neither. */
export async function experimentFile(word: string): Promise<string | undefined> {
  return /\.(ya?ml|json)$/.test(word) ? word : bundledExperiment(word)
}

/**
 * The path of a file that another file names: relative to that file, or the name of a bundled experiment.
 *
 * @param place where it is named, for messages
 * @throws UsageError if there is neither
 */
export async function besides(file: string, named: string, place: string): Promise<string> {
  const path = resolve(dirname(file), named)
  const found = existsSync(path) ? path : await bundledExperiment(named)
  if (found !== undefined) return found
  const names = (await bundledExperiments()).map(({ name }) => name)
  throw new UsageError(`${place} is ${JSON.stringify(named)}, but there is no ${path}, and no bundled experiment of that name${didYouMean(named, names) || `; there are ${names.join(', ')}`}`)
}

/** saveEvery → save-every */
export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}
