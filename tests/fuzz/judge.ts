// What must be true of every reader and every file: it is read and can be used, or it is refused in one sentence.

import { writeFile } from 'node:fs/promises'
import { closeScope, openScope } from '../../src/tensor/lifetime.ts'
import { mutate, randomFrom } from './mutate.ts'
import type { Reader } from './readers.ts'

/** A line of printable text that is not too long. */
const sentence = /^[^\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202a-\u202e\u2066-\u2069]{10,700}$/u

/** The messages of JavaScript engines for unexpected errors. */
const unintended = new RegExp([
  'Cannot read prop', 'is not a function', 'is not iterable', 'call stack', 'Invalid (typed )?array', 'Invalid string length', 'out of memory',
  'Array buffer allocation', '\\[object', 'Unexpected (token|end of JSON|non)', 'circular structure', 'offset is out of', 'undefined(?!,| is|\\.)', 'NaN MB',
].join('|'), 'i')

export type Verdict = { readonly accepted: boolean; readonly message: string; readonly wrong?: string }

/** The file for a seed: one of the reader's files with some faults, or with faults in its contents. */
export function fileOf({ seeds, open, close, rewrite }: Reader, seed: number): Uint8Array {
  const random = randomFrom(seed)
  const whole = random.pick(seeds)
  if (rewrite && random.whole(2) === 0) return rewrite(whole, random)
  if (!open || !close || random.whole(4) === 0) return mutate(whole, random, seeds)
  return close(mutate(open(whole), random, seeds.map(open)), whole)
}

/** Writes a file to `path` and reads it. Nothing is thrown: problems are returned as text. */
export async function judge(reader: Reader, bytes: Uint8Array, path: string): Promise<Verdict> {
  await writeFile(path, bytes)
  const scope = openScope('a fuzzed file')
  try {
    await reader.read(path)
    return { accepted: true, message: '' }
  } catch (error) {
    const { message, name } = error as Error
    // A configuration reports all its mistakes at once, with a line for each.
    const lines = name === 'UsageError' ? message.split('\n') : [message]
    const wrong = !['Error', 'UsageError'].includes(name) ? `a ${name}`
      : message.startsWith('unusable') ? 'accepted and not usable'
      : !lines.every(line => line.includes(path)) ? 'no file in the sentence'
      : !lines.every(line => sentence.test(line)) ? 'not a sentence of one line'
      : unintended.test(message) ? 'words of the engine' : undefined
    return { accepted: false, message, ...(wrong && { wrong }) }
  } finally {
    closeScope(scope, new Set())
  }
}
