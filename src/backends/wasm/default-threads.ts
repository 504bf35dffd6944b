/**
 * The default number of threads: as many as the machine runs at once, or the environment variable CELLGRAD_THREADS, for
 * programs that should leave room for others.
 */
import { check, isWhole } from '../options.ts'
import { availableThreads, workerThreads } from './threads.ts'

declare const process: { readonly env: Readonly<Record<string, string | undefined>> }

/** More threads than this are refused. */
export const mostThreads = 256

/**
 * The number of threads of a backend without the option.
 *
 * @throws where the environment variable is no valid number
 */
export function defaultThreads(): number {
  const said = workerThreads() && process.env.CELLGRAD_THREADS
  if (!said) return Math.min(availableThreads(), mostThreads)
  const threads = Number(said)
  const expected = `a whole number from 1 to ${mostThreads}`
  check(isWhole(threads, 1) && threads <= mostThreads, 'cpu', 'the environment variable CELLGRAD_THREADS', said, expected)
  return threads
}
