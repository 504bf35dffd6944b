/**
 * An experiment out of what is given: the values of a recipe, others laid over them, and what is wrong with the result.
 */
import { readData, schemaOf } from '../../backends/fields.ts'
import { recipes } from '../../nca/training/recipes.ts'
import { configOf, inSentence, merge } from '../config/values.ts'
import type { Mistake, Values } from '../config/values.ts'
import { describeIn, jsonSchema } from '../config/describe.ts'
import type { Config } from '../config/schema.ts'
import { experimentField, taskNames } from './experiment.ts'
import type { Experiment } from './experiment.ts'

/** What a run is told: to grow one picture, or an experiment of another task. */
export type RunConfig = Config | Experiment

export const experimentSchema: object = schemaOf(experimentField)

/** What the schema says of a field of an experiment. */
export const describeExperiment = (path: readonly PropertyKey[]): ReturnType<typeof describeIn> => describeIn(experimentSchema, path)

/** JSON Schema of whatever `cellgrad train` takes, for editors that check YAML. */
export const runSchema: object = { ...jsonSchema, title: 'cellgrad experiment', anyOf: [{ ...jsonSchema, $schema: undefined }, experimentSchema] }

/** Whether a run is to grow one picture. */
export function isGrowing(config: RunConfig): config is Config {
  return !('task' in config)
}

/**
 * What a run is told: these values, laid over each other, the last on top, over those of the preset or the recipe that they
 * name. Without a `task`, or with `task: growing`, it is the growing of one picture, see `configOf`.
 *
 * @example
 * const made = runConfigOf({ task: 'texture', recipe: 'texture', data: { image: 'bricks.png' } })
 * if ('config' in made) console.log(made.config.rule)
 */
export function runConfigOf(...layers: readonly Values[]): { readonly config: RunConfig } | { readonly mistakes: readonly Mistake[] } {
  const { task } = Object.assign({}, ...layers) as Values
  if (task === undefined || task === 'growing') {
    return configOf(...layers.map(({ task: _task, ...values }) => values))
  }
  if (!taskNames.includes(task as never)) {
    const expected = `growing, ${taskNames.join(', ')}`
    return { mistakes: [inSentence({ path: ['task'], got: task, expected: `one of ${expected}` })] }
  }
  const given = layers.reduce<Values>((base, over) => merge(base, over, describeExperiment), {})
  const recipe = Object.hasOwn(recipes, String(given.recipe)) ? recipes[given.recipe as keyof typeof recipes] : {}
  const { data, mistakes } = readData(experimentField, merge(recipe as Values, given, describeExperiment))
  return mistakes.length === 0 ? { config: data } : { mistakes: mistakes.map(inSentence) }
}
