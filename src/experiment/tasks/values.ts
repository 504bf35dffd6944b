/**
 * An experiment out of what is given: the values of a recipe, others laid over them, and what is wrong with the result.
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

/** What a run is told: to grow one picture, or an experiment of another task. */
export type RunConfig = Config | Experiment

const schemas = Object.fromEntries(Object.entries(experimentFields).map(([task, field]) => [task, schemaOf(field)]))

/**
 * JSON Schema of the files that `cellgrad train` takes, for editors that check YAML. Nothing in them is missing but the task: what
 * they do not say, a preset, a recipe or the file that they extend may.
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

/** Whether a run is to grow one picture. */
export function isGrowing(config: RunConfig): config is Config {
  return config.task === 'growing'
}

/** What the schema says of the fields of a task. */
export function describing(task: unknown): Describing {
  const schema = taskNames.includes(task as never) ? schemas[task as TaskName] : undefined
  return schema ? path => describeIn(schema, path) : describe
}

/** What a run is told as the text of a YAML file, with what each key means. */
export function runYaml(config: RunConfig): string {
  return configYaml(config, describing(config.task))
}

/** Where nothing is said of the optimiser, or nothing but its rate, it is Adam, as in all recipes. */
const byAdam: Values = { train: { optimiser: { type: 'adam' } } }

/**
 * What a run is told: these values, laid over each other, the last on top, over those of the preset or the recipe that they
 * name. Without a `task`, or with `task: growing`, it is the growing of one picture, see `configOf`.
 *
 * @example
 * const made = runConfigOf({ task: 'texture', recipe: 'texture', data: { image: 'bricks.png' } })
 * if ('config' in made) console.log(made.config.rule)
 */
export function runConfigOf(...layers: readonly Values[]): { readonly config: RunConfig } | { readonly mistakes: readonly Mistake[] } {
  return runConfigWith(layers, {})
}

/** The same, with single values put into it, which leave what stands beside them as it is: `{ rule: { channels: { hidden: 8 } } }`. */
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
  // What a recipe that there is not would have said is not missing: the name of the recipe is the mistake.
  const hasRecipe = !mistakes.some(({ path }) => path[0] === 'recipe')
  const isConsequence = ({ path: [section], got, unknown }: Wrong): boolean => (
    ['rule', 'train'].includes(section as string) && got === undefined && unknown === undefined
  )
  return { mistakes: inSentences(hasRecipe ? mistakes : mistakes.filter(mistake => !isConsequence(mistake)), describe) }
}

/**
 * What a run is told by the text of a file, YAML or JSON; a file that it `extends` is for those who read files.
 *
 * @throws one sentence, where the text is none, or says what cannot be
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
