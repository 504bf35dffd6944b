/**
 * Fine-tuning: some parameters learn, while all others keep every bit.
 *
 *   all       every parameter
 *   update    the update network; the perception is kept
 *   last      the last layer of that network
 *   a list    those whose paths begin like this: ['update.w2', 'perceive.0']
 *
 * This is usual in transfer learning, where learned features are kept (Yosinski, Clune, Bengio & Lipson, "How transferable are
 * features in deep neural networks?", NeurIPS 2014).
 */
import { either, list, type Expect, type Field } from '../../backends/fields.ts'
import { checkKind, didYouMean, oneOf, oneOfNames, text } from '../../backends/options.ts'
import { paramShapes } from '../rule/parameters.ts'
import type { DataRule, Rule } from '../rule/types.ts'

/** A word for some parameters, or the beginnings of their paths. */
export type Trainable = 'all' | 'update' | 'last' | readonly string[]

const words = ['all', 'update', 'last'] as const
const given = either<Trainable>(oneOf(words), list<string>(text, 'paths', 1))

/** Older files have `null` for `all`. */
export const trainableField: Field<Trainable> = {
  ...given,
  fits: x => x === null || given.fits(x),
  read: (x: unknown) => x ?? 'all',
  default: 'all',
  about: 'Parameters that are trained, while the others do not change: all; update, only the network; last, its last layer; or beginnings of paths, like [update.w2]',
}

/**
 * The paths of the parameters that learn.
 *
 * @throws where no parameter's path begins with a given one
 * @example trainablePaths(growingRule, 'last')   // ['update.w2', 'update.b2']
 */
export function trainablePaths(rule: DataRule, trainable: Trainable): string[] {
  checkKind('trainablePaths', 'trainable', trainable, trainableField)
  const paths = Object.keys(paramShapes(rule))
  if (trainable === 'all') return paths
  if (trainable === 'update') return paths.filter(path => path.startsWith('update.'))
  if (trainable === 'last') return paths.filter(path => /^update\.[wb]/.test(path) && path.slice(8) === String(rule.update.hidden.length + 1))
  const found = paths.filter(path => learns(path, trainable))
  const none = trainable.find(start => !paths.some(path => learns(path, [start])))
  if (none !== undefined) checkKind('trainablePaths', 'a path', none, { ...oneOfNames(paths), expected: `the beginning of one of ${paths.join(', ')}` })
  return found
}

/** The beginnings of the paths that learn, null for all; 'update' and 'last' require a data rule. */
export function startsOf(rule: Rule, trainable: Trainable): readonly string[] | null {
  if (trainable === 'all') return null
  return typeof trainable === 'string' && rule.type === 'data' ? trainablePaths(rule, trainable) : trainable as readonly string[]
}

/** Whether the path of a parameter begins with one of `starts`. */
export function learns(path: string, starts: readonly string[]): boolean {
  return starts.some(start => path === start || path.startsWith(`${start}.`))
}

/** Expects the rule to have the trainable parameters. */
export function expectTrainable({ rule, trainable }: { readonly rule: Rule; readonly trainable: Trainable }, expect: Expect): void {
  if (typeof trainable === 'string') {
    expect(trainable === 'all' || rule.type === 'data', ['trainable'], trainable, "'all' or a list of paths, for a rule that is code")
    return
  }
  if (rule.type === 'custom') return
  const paths = Object.keys(paramShapes(rule))
  trainable.forEach((start, i) => {
    expect(paths.some(path => learns(path, [start])), ['trainable', i], start, `the beginning of a path: ${paths.join(', ')}${didYouMean(start, paths)}`)
  })
}
