/**
 * The runs of an experiment: a single one, or one for each seed and fold, each an experiment by itself.
 */
import { isGrowing, type RunConfig } from './values.ts'

/** One of several runs: the name of its folder, and its configuration. */
export type Part = { readonly name: string; readonly config: RunConfig }

/**
 * The runs of an experiment, seed after seed, fold after fold. If `validate.fold` is 'all', every example is held out once with
 * each seed.
 *
 * @example partsOf({ ...config, seed: 4, seeds: 2 }).map(({ name }) => name)   // ['seed-4', 'seed-5']
 */
export function partsOf(config: RunConfig): Part[] {
  const { seed, seeds } = config
  const validate = isGrowing(config) ? null : config.validate
  const folds = validate?.fold === 'all' ? Array.from({ length: validate.folds }, (_, fold) => fold) : [null]
  return Array.from({ length: seeds }, (_, i) => seed + i).flatMap(own => folds.map(fold => {
    const names = [...(seeds > 1 ? [`seed-${own}`] : []), ...(fold === null ? [] : [`fold-${fold}`])]
    const one = { ...config, seed: own, seeds: 1, ...(fold !== null && { validate: { ...validate, fold } }) } as RunConfig
    return { name: names.join('-'), config: one }
  }))
}
