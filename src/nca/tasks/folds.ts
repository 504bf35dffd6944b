/**
 * Training and test examples: one split, or the folds of a cross-validation.
 *
 * Examples of one subject (a patient, a scene) are alike; if some are in the training set and others in the test set, a
 * rule is rewarded for recognising the subject. So examples of a group stay together. And if a class is rare, chance may leave
 * a fold without it: stratified folds all have the same share of each class.
 */
import { drawPermutation, foldIn, type Key } from '../../tensor/key.ts'
import { check, checkOptions, isNumber, isWhole, keysOf, type Kind, type Options } from '../../backends/options.ts'

/** The indices of the examples for training, and of those for testing. */
export type Split = { train: number[]; test: number[] }

export type FoldOptions = {
  /** The class of each example: each class is equally frequent in all folds, up to one example; with groups only nearly so. */
  readonly labels?: ArrayLike<number>
  /** The group of each example; the examples of a group stay in one fold. The sizes of folds then depend on those of groups. */
  readonly groups?: ArrayLike<number | string>
}

const list: Kind = { fits: x => Array.isArray(x) || ArrayBuffer.isView(x), expected: 'a list with a value for each example' }
const foldOptions = keysOf<FoldOptions>({ labels: list, groups: list })
const splitOptions = keysOf<Pick<FoldOptions, 'labels'>>({ labels: list })

/** Throws unless there is a value for each of n examples in every list that is given. */
function checkLists(where: string, n: number, options: FoldOptions, known: Options): void {
  checkOptions(where, options, known)
  for (const [name, given] of Object.entries(options)) {
    if (given) check(given.length === n, where, `the length of ${name}`, given.length, `n, ${n}`)
  }
}

/**
 * Splits n examples into some for training and some for testing, in random order.
 *
 * @param share of the examples for testing, from 0 to 1
 * @param labels the class of each example: the same share of each class is for testing, up to one example
 * @throws where the share is no such number, or there are not n labels
 * @example const { train, test } = splitExamples(key(0), 1000, 0.2)
 */
export function splitExamples(k: Key, n: number, share: number, options: Pick<FoldOptions, 'labels'> = {}): Split {
  checkLists('splitExamples', n, options, splitOptions)
  check(isNumber(share) && share >= 0 && share <= 1, 'splitExamples', 'share', share, 'a number from 0 to 1')
  const { labels } = options
  const order = drawPermutation(foldIn(k, 0), n)
  const tests = Math.round(n * share)
  if (!labels) return { train: order.slice(tests), test: order.slice(0, tests) }
  // In order of classes, the examples at which the running count of tests rises.
  const byClass = order.toSorted((a, b) => labels[a] - labels[b])
  const isTest = new Set(byClass.filter((_, i) => Math.floor(((i + 1) * tests) / n) > Math.floor((i * tests) / n)))
  return { train: order.filter(id => !isTest.has(id)), test: order.filter(id => isTest.has(id)) }
}

/**
 * The splits of a k-fold cross-validation: every one of n examples is in the test set of one fold, and in the training set of
 * the others. Without groups, folds differ in size by one at most; their order is random.
 *
 * @param folds k, from 2 to n, or to the number of groups
 * @throws where k is no such number, or there are not n labels or groups
 * @example
 * for (const { train, test } of kFold(key(0), images.n, 5, { labels: images.labels, groups: patients })) {
 *   const task = classificationTask(rule, subset(images, train))
 * }
 */
export function kFold(k: Key, n: number, folds: number, options: FoldOptions = {}): Split[] {
  check(isWhole(n, 2), 'kFold', 'n', n, 'a whole number > 1')
  checkLists('kFold', n, options, foldOptions)
  const { labels, groups } = options
  const most = groups ? new Set(Array.from(groups)).size : n
  const upTo = groups ? `the number of groups, ${most}` : `n, ${n}`
  check(isWhole(folds, 2) && folds <= most, 'kFold', 'folds', folds, `a whole number from 2 to ${upTo}`)
  const order = drawPermutation(k, n)
  const fold = groups ? foldsOfGroups(order, folds, groups, labels) : labels ? dealt(order, folds, labels) : cut(order, folds)
  return Array.from({ length: folds }, (_, f) => ({
    train: order.filter(id => fold[id] !== f), test: order.filter(id => fold[id] === f),
  }))
}

/** The fold of each example: the order is cut into equal parts. */
function cut(order: readonly number[], folds: number): number[] {
  return assigned(order, i => Math.floor((i * folds) / order.length))
}

/** The fold of each example: sorted by class, the examples are dealt out to the folds in turn. */
function dealt(order: readonly number[], folds: number, labels: ArrayLike<number>): number[] {
  return assigned(order.toSorted((a, b) => labels[a] - labels[b]), i => i % folds)
}

function assigned(order: readonly number[], foldAt: (i: number) => number): number[] {
  const fold = order.map(() => 0)
  order.forEach((id, i) => { fold[id] = foldAt(i) })
  return fold
}

/**
 * The fold of each example where groups stay together. The largest groups come first, and each goes to the fold that stays most
 * balanced: where Σ over classes of (examples of the class in the fold / all of the class)² grows least; among equals, to the
 * smallest fold.
 */
function foldsOfGroups(
  order: readonly number[], folds: number, groups: ArrayLike<number | string>, labels?: ArrayLike<number>,
): number[] {
  const members = groupBy(order, id => groups[id])
  const countsOf = (ids: readonly number[]): Map<number, number> => (
    new Map([...groupBy(ids, id => labels?.[id] ?? 0)].map(([label, list]) => [label, list.length]))
  )
  const all = countsOf(order)
  const filled = Array.from({ length: folds }, () => ({ size: 0, counts: new Map<number, number>() }))
  const fold = order.map(() => 0)
  for (const ids of [...members.values()].sort((a, b) => b.length - a.length)) {
    const counts = countsOf(ids)
    const growth = filled.map(({ counts: before }) => [...counts].reduce((sum, [label, count]) => (
      sum + ((2 * (before.get(label) ?? 0) + count) * count) / all.get(label)! ** 2
    ), 0))
    const best = filled.map((_, f) => f).sort((a, b) => growth[a] - growth[b] || filled[a].size - filled[b].size)[0]
    filled[best].size += ids.length
    for (const [label, count] of counts) filled[best].counts.set(label, (filled[best].counts.get(label) ?? 0) + count)
    for (const id of ids) fold[id] = best
  }
  return fold
}

/** The items grouped by a key, in order. (Node 20 has no Map.groupBy.) */
export function groupBy<T, N>(items: readonly T[], nameOf: (item: T, i: number) => N): Map<N, T[]> {
  const groups = new Map<N, T[]>()
  items.forEach((item, i) => {
    const name = nameOf(item, i)
    const group = groups.get(name)
    if (group) group.push(item)
    else groups.set(name, [item])
  })
  return groups
}
