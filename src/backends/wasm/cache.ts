/**
 * The cache: outputs of hidden layers, or their sums, kept where they were computed, in the memory of the kernels.
 *
 * The backward pass reads those that are in the cache and computes the others again. Each thread has its own range,
 * allocated in chunks that are filled from front to back and reused when all their entries are freed. Pages that were
 * never written cost nothing.
 */

const chunkBytes = 2 ** 19

type Chunk = { readonly from: number; used: number; entries: number }

/** Some bytes of the cache. */
export type CacheEntry = { readonly chunk: Chunk; readonly at: number; readonly size: number }

export class Cache {
  private current: Chunk | null = null
  private readonly spare: Chunk[] = []
  private next: number
  private readonly end: number
  /** Bytes in use. */
  used = 0

  constructor(from: number, bytes: number) {
    this.next = from
    this.end = from + bytes
  }

  /** Allocates `size` bytes, or returns null if there is no room. */
  take(size: number): CacheEntry | null {
    if (size > chunkBytes) return null
    if (!this.current || this.current.used + size > chunkBytes) this.current = this.chunk()
    const chunk = this.current
    if (!chunk) return null
    const at = chunk.from + chunk.used
    chunk.used += size
    chunk.entries++
    this.used += size
    return { chunk, at, size }
  }

  free({ chunk, size }: CacheEntry): void {
    this.used -= size
    if (--chunk.entries > 0) return
    chunk.used = 0
    if (chunk !== this.current) this.spare.push(chunk)
  }

  /** An empty chunk: a used one, or the next of the range. */
  private chunk(): Chunk | null {
    const spare = this.spare.pop()
    if (spare) return spare
    if (this.next + chunkBytes > this.end) return null
    this.next += chunkBytes
    return { from: this.next - chunkBytes, used: 0, entries: 0 }
  }
}
