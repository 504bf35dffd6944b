/**
 * The arena: the WebAssembly memory of one pass over a rollout, handed out from the front and taken back as a whole.
 */
import { ceilTo } from '../ceil-to.ts'

const controlBytes = 4096

/** Where the cache of a thread begins: behind the words by which threads meet (threads.ts). */
export function cacheOf(index: number, cacheBytes: number): number {
  return controlBytes + index * cacheBytes
}

/** A table of words that must be written into the memory before the pass begins. */
export type Table = readonly [at: number, words: Uint32Array]

/** Gives out memory from `start` on, in whole cache lines. */
export class Arena {
  /** The first byte that is not given out. */
  top: number
  readonly tables: Table[] = []

  constructor(start: number) {
    this.top = start
  }

  /** Room for so many bytes: its address. */
  take(bytes: number): number {
    const at = this.top
    this.top = ceilTo(at + bytes, 64)
    return at
  }

  /** Room for these words, which are to be written there. */
  table(words: ArrayLike<number>): number {
    const at = this.take(4 * words.length)
    this.tables.push([at, Uint32Array.from(words)])
    return at
  }
}
