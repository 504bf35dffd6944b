/**
 * An experiment from the values of a recipe and others that override them, and the mistakes in the result.
 */
import { parse } from 'yaml'
import { readData, schemaOf, type Mistake as Wrong } from '../../backends/fields.ts'
import { check, expectedOf, isObject, oneOfNames, type Json } from '../../backends/options.ts'
import { recipes } from '../../nca/training/recipes.ts'
import { configWith, inSentences, merge, put, type Describing, type Mistake, type Values } from '../config/values.ts'
import { describe, describeIn } from '../config/describe.ts'
import { configField, type Config } from '../config/schema.ts'
import { arranged } from '../config/sections.ts'
import { configYaml } from '../config/yaml.ts'
import { experimentField, experimentFields, taskNames, type Experiment, type TaskName } from './experiment.ts'

/** The configuration of a run: growing a single picture, or an experiment of another task. */
export type RunConfig = Config | Experiment

const schemas = Object.fromEntries(Object.entries(experimentFields).map(([task, field]) => [task, schemaOf(field)]))

/**
 * JSON Schema of the files that `cellgrad train` takes, for editors that check YAML. Only the task is required: everything else
 * may come from a preset, a recipe or the file that they extend.
 */
export const runSchema: object = {
  $schema: 'https://json-schema.org/draft/2020-12/schema', title: 'cellgrad experiment',
  anyOf: [asFile(schemaOf(configField)), ...Object.values(schemas).map(schema => ({ ...asFile(schema), required: ['task'] }))],
}

function asFile(schema: Json): Json {
  const whole = JSON.parse(JSON.stringify(schema), (key, value: unknown) => (
    key === 'required' && Array.isArray(value) ? undefined : value
  )) as Json
  const { train, ...others } = whole.properties!
  const rate = { ...train.properties!.optimiser.anyOf![0].properties!.rate, description: 'Learning rate, short for optimiser.rate' }
  return {
    ...whole,
    properties: {
      extends: { type: 'string', description: 'Another file, over which this one is laid' },
      ...others, train: { ...train, properties: { ...train.properties, rate } },
    },
  }
}

/** Whether a run grows a single picture. */
export function isGrowing(config: RunConfig): config is Config {
  return config.task === 'growing'
}

/** What the schema says about the fields of a task. */
export function describing(task: unknown): Describing {
  const schema = taskNames.includes(task as never) ? schemas[task as TaskName] : undefined
  return schema ? path => describeIn(schema, path) : describe
}

/** The configuration of a run as the text of a YAML file, with the meaning of each key as a comment. */
export function runYaml(config: RunConfig): string {
  return configYaml(config, describing(config.task))
}

/** If the optimiser is not given, or only its rate, it is Adam, as in all recipes. */
const byAdam: Values = { train: { optimiser: { type: 'adam' } } }

/**
 * The configuration of a run: the values of the preset or the recipe that the layers name, overridden by the layers in order, so
 * that the last one wins. Without a `task`, or with `task: growing`, the run grows a single picture, see `configOf`.
 *
 * @example
 * const made = runConfigOf({ task: 'texture', recipe: 'texture', data: { image: 'bricks.png' } })
 * if ('config' in made) console.log(made.config.rule)
 */
export function runConfigOf(...layers: readonly Values[]): { readonly config: RunConfig } | { readonly mistakes: readonly Mistake[] } {
  return runConfigWith(layers, {})
}

/** The same, with single values set in it, which keep everything beside them: `{ rule: { channels: { hidden: 8 } } }`. */
export function runConfigWith(layers: readonly Values[], set: Values): { readonly config: RunConfig } | { readonly mistakes: readonly Mistake[] } {
  const { task, recipe: named } = Object.assign({}, ...layers, set) as Values
  if (task === undefined || task === 'growing') return configWith(layers, set)
  const describe = describing(task)
  if (!taskNames.includes(task as never)) {
    const expected = expectedOf(oneOfNames(['growing', ...taskNames]), task)
    return { mistakes: inSentences([{ path: ['task'], got: task, expected }], describe) }
  }
  const given = layers.reduce<Values>((base, over) => merge(base, arranged(over), describe), {})
  const recipe = Object.hasOwn(recipes, String(named)) ? recipes[named as keyof typeof recipes] : {}
  const base = merge(byAdam, arranged(recipe as Values), describe)
  const { data, mistakes } = readData(experimentField, put(merge(base, given, describe), set, describe))
  if (mistakes.length === 0) return { config: data }
  // If the recipe does not exist, its values are not reported as missing: the name of the recipe is the mistake.
  const hasRecipe = !mistakes.some(({ path }) => path[0] === 'recipe')
  const isConsequence = ({ path: [section], got, unknown }: Wrong): boolean => (
    ['rule', 'train'].includes(section as string) && got === undefined && unknown === undefined
  )
  return { mistakes: inSentences(hasRecipe ? mistakes : mistakes.filter(mistake => !isConsequence(mistake)), describe) }
}

/**
 * The configuration of a run from the text of a file, YAML or JSON; `extends` is for functions that read files.
 *
 * @throws one sentence, where the text is no configuration, or has an invalid value
 * @example const config = experimentFrom('task: texture\nrecipe: texture\ndata: { image: bricks.png }')
 */
export function experimentFrom(text: string): RunConfig {
  const values: unknown = parse(text) ?? {}
  check(isObject(values), 'experimentFrom', 'the text', values, 'keys with values')
  check(!Object.hasOwn(values as Values, 'extends'), 'experimentFrom', 'extends', (values as Values).extends, 'nothing: a text has no folder in which another file could be')
  const made = runConfigOf(values as Values)
  if ('config' in made) return made.config
  const [{ key, says, unknown }] = made.mistakes
  throw new Error(`experimentFrom: ${unknown === undefined ? `${key} ` : ''}${says.replace(/[^?]$/, '$&.')}`)
}
