/**
 * The split of a lesson's examples into those for training and those for validation.
 */
import { check } from '../../backends/options.ts'
import { kFold, splitExamples, type Split } from '../../nca/tasks/folds.ts'
import type { Task } from '../../nca/training/trainer-options.ts'
import { key, type Key } from '../../tensor/key.ts'
import type { Experiment } from './experiment.ts'
import type { Lesson } from './lesson.ts'

/**
 * The examples for training, and those held out for validation: none without validation.
 *
 * @param groups the group of each example, if the experiment has groups (`readGroups` of `cellgrad/node`)
 * @param cut the folds of its file of splits, if it has one (`readSplits`), in indices of the different names of `lesson.cases`
 */
export function splitOf(
  { validate, seed }: Pick<Experiment, 'validate' | 'seed'>, { task, labels, groups: own, cases = [] }: Lesson,
  groups: readonly string[] | undefined = own, cut?: readonly Split[],
): Split {
  const n = task.examples
  if (!validate) return { train: Array.from({ length: n }, (_, i) => i), test: [] }
  const { split, folds, fold, stratified } = validate
  const by = labels && stratified ? { labels } : {}
  if (split !== null) {
    const held = groups ? splitGroups(key(seed), groups, split) : splitExamples(key(seed), n, split, by)
    check(held.test.length > 0 && held.train.length > 0, 'validate', 'split', split, `a share of the ${n} examples that leaves some on either side`)
    return held
  }
  check(fold !== 'all', 'validate', 'fold', fold, 'the number of a fold, for one run')
  if (cut) {
    check(folds === cut.length, 'validate', 'folds', folds, `${cut.length}, as ${validate.splits} has`)
    const names = [...new Set(cases)]
    const of = (some: readonly number[]): number[] => examplesOf(cases, some.map(i => names[i]))
    const { train, test } = cut[fold as number]
    check(test.length > 0 && train.length > 0, 'validate', 'fold', fold, `one of ${validate.splits} with cases on either side`)
    return { train: of(train), test: of(test) }
  }
  check(n >= folds, 'validate', 'folds', folds, `at most the number of examples, ${n}`)
  const most = groups?.length === n ? new Set(groups).size : n
  check(most >= folds, 'validate', 'folds', folds, `at most the number of groups, ${most}, whose examples are in one fold: those of a file, of a video, or of validate.groups`)
  return kFold(key(seed), n, folds, { ...by, ...(groups && { groups }) })[fold as number]
}

/** A share of the groups, with all of their examples. */
function splitGroups(k: Key, groups: readonly string[], share: number): Split {
  const names = [...new Set(groups)]
  const { test } = splitExamples(k, names.length, share)
  const held = new Set(test)
  return { train: examplesOf(groups, names.filter((_, i) => !held.has(i))), test: examplesOf(groups, names.filter((_, i) => held.has(i))) }
}

/** The examples whose names, one for each, are among some. */
function examplesOf(names: readonly string[], some: readonly string[]): number[] {
  const wanted = new Set(some)
  return names.flatMap((name, id) => (wanted.has(name) ? [id] : []))
}

/** A task restricted to some of its examples; if it carries states on, together with the examples that they become. */
export function taskOn({ seeds, loss, condition, kind, readouts, images, carry }: Task, ids: readonly number[]): Task {
  const of = (some: readonly number[]): number[] => some.map(i => ids[i])
  return {
    ...(images && { images: {
      made: (x, some) => images.made(x, of(some)), real: some => images.real(of(some)),
      ...(images.given && { given: (x, some) => images.given!(x, of(some)) }),
    } }),
    examples: ids.length, ...(readouts !== undefined && { readouts }), ...(condition !== undefined && { condition }),
    ...(kind && { kind: i => kind(ids[i]) }),
    seeds: (some, k) => seeds(of(some), k), loss: (x, some, ...rest) => loss(x, of(some), ...rest),
    ...(carry && { carry(x, some) {
      const next = carry(x, of(some))
      return { x: next.x, examples: next.examples.map(id => ids.indexOf(id)) }
    } }),
  }
}
