/**
 * Splits of nnU-Net (Isensee et al. 2021): `splits_final.json`, a list of folds, each with the names of its cases.
 *
 *     [{ "train": ["case_000", "case_002"], "val": ["case_001"] }, …]
 */
import { check, inLine, isObject, quoted } from '../../backends/options.ts'
import { parseJson } from '../files/json.ts'
import type { Split } from '../tasks/folds.ts'

/**
 * The folds of a split file, as indices of its cases in the list of example names; `where` names it in messages.
 *
 * @param names of the examples, without file endings
 * @throws one sentence, where the text is no such file, a case has no example, or is twice in a fold
 * @example
 * const [first] = decodeSplits(text, names, 'splits_final.json')
 * imageToImageTask(rule, { inputs: subset(inputs, first.train), outputs: subset(outputs, first.train) })
 */
export function decodeSplits(text: string, names: readonly string[], where: string = 'input'): Split[] {
  check(typeof text === 'string', 'decodeSplits', 'the file', text, 'its text')
  const known = Array.isArray(names) && names.every(name => typeof name === 'string')
  check(known, 'decodeSplits', 'names', names, 'a list of the names of the examples')
  const fail = (why: string): never => { throw new Error(`splits: ${where} ${why}.`) }
  let folds: unknown
  try {
    folds = parseJson(text, 4)
  } catch (error) {
    fail((error as Error).message)
  }
  if (!Array.isArray(folds) || folds.length === 0) return fail('has no folds, expected a list of them')
  const places = new Map(names.map((name, i) => [name, i]))
  return folds.map((fold: unknown, i) => {
    const part = (name: 'train' | 'val'): number[] => {
      const cases = isObject(fold) ? fold[name] : undefined
      if (!Array.isArray(cases)) return fail(`has no list ${name} in fold ${i}, expected the names of its cases`)
      return cases.map((one: unknown) => places.get(one as string)
        ?? fail(`has the case ${typeof one === 'string' ? quoted(one) : inLine(String(one))} in fold ${i}, which is none of the ${names.length} examples`))
    }
    const train = part('train'), test = part('val')
    for (const list of [train, test]) {
      const twice = list.find((at, i) => list.indexOf(at) < i)
      if (twice !== undefined) fail(`has ${quoted(names[twice])} twice in fold ${i}`)
    }
    const both = test.find(at => train.includes(at))
    if (both !== undefined) fail(`has ${quoted(names[both])} in both parts of fold ${i}`)
    return { train, test }
  })
}
