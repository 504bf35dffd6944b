/**
 * The arena: the WebAssembly memory of one pass over a rollout, allocated from the front and freed as a whole.
 */
import { ceilTo } from '../ceil-to.ts'

const controlBytes = 4096

/** The address of a thread's cache: after the words by which threads synchronise (threads.ts). */
export function cacheOf(index: number, cacheBytes: number): number {
  return controlBytes + index * cacheBytes
}

/** A table of words, to be written into the memory before the pass begins. */
export type Table = readonly [at: number, words: Uint32Array]

/** Allocates memory from `start` on, in whole cache lines. */
export class Arena {
  /** The first free byte. */
  top: number
  readonly tables: Table[] = []

  constructor(start: number) {
    this.top = start
  }

  /** Allocates `bytes` and returns the address. */
  take(bytes: number): number {
    const at = this.top
    this.top = ceilTo(at + bytes, 64)
    return at
  }

  /** Allocates room for these words, to be written there, and returns the address. */
  table(words: ArrayLike<number>): number {
    const at = this.take(4 * words.length)
    this.tables.push([at, Uint32Array.from(words)])
    return at
  }
}
