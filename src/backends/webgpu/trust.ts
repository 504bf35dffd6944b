/**
 * Trust: which values of a GPU are right. Its errors arrive some time after the commands that caused them, and values computed
 * since then may depend on them.
 *
 * Commands are submitted in batches, and the GPU drops a batch with a wrong command as a whole. So the batch that wrote each
 * buffer last is remembered, and for each batch those that it has read from. If one fails, it and all batches that have read
 * from it are wrong; the others are right, and the GPU goes on.
 */
export type Trust = {
  /** The number of the batch that is being collected. */
  readonly batch: number
  /** Begins the next batch. */
  next(): void
  /** The batch reads this buffer. Throws if its values are wrong, with the error that made them so. */
  reads(buffer: GPUBuffer): void
  /** The batch writes this buffer. */
  writes(buffer: GPUBuffer): void
  /** The contents of the buffer no longer matter. */
  forget(buffer: GPUBuffer): void
  /** A batch has failed; without a number, all batches that are not known to be right. */
  fail(error: Error, batch?: number): void
  /** The buffer itself is invalid, whatever is written to it. */
  bury(buffer: GPUBuffer, error: Error): void
  isBuried(buffer: GPUBuffer): boolean
  /** All errors of the batches before this one have arrived. */
  settled(batch: number): void
  /** The first error that has not been thrown yet. */
  untold(): Error | undefined
}

export function trustOf(): Trust {
  const writtenIn = new WeakMap<GPUBuffer, number>()
  const buried = new WeakMap<GPUBuffer, Error>()
  const failures = new Map<number, Error>()
  const untold = new Set<Error>()
  /** For each batch whose errors may still arrive, the batches among them that it has read from. */
  const sources = new Map<number, Set<number>>()
  let batch = 0
  let first = 0 // the first batch whose errors may still arrive

  function failOne(number: number, error: Error): void {
    if (failures.has(number)) return
    failures.set(number, error)
    untold.add(error)
    for (const [later, from] of sources) if (from.has(number)) failOne(later, error)
  }

  return {
    get batch() { return batch },

    next(): void {
      batch++
    },

    reads(buffer: GPUBuffer): void {
      const from = writtenIn.get(buffer)
      const error = buried.get(buffer) ?? (from === undefined ? undefined : failures.get(from))
      if (error) {
        untold.delete(error)
        throw error
      }
      if (from === undefined || from < first || from === batch) return
      const known = sources.get(batch)
      if (known) known.add(from)
      else sources.set(batch, new Set([from]))
    },

    writes(buffer: GPUBuffer): void {
      writtenIn.set(buffer, batch)
    },

    forget(buffer: GPUBuffer): void {
      writtenIn.delete(buffer)
    },

    fail(error: Error, number?: number): void {
      if (number !== undefined) failOne(number, error)
      else for (let n = first; n <= batch; n++) failOne(n, error)
    },

    bury(buffer: GPUBuffer, error: Error): void {
      buried.set(buffer, error)
      untold.add(error)
      const number = writtenIn.get(buffer)
      if (number !== undefined) failOne(number, error)
    },

    isBuried: buffer => buried.has(buffer),

    settled(number: number): void {
      first = Math.max(first, number)
      for (const known of sources.keys()) {
        if (known >= number) break
        sources.delete(known)
      }
    },

    untold: () => untold.values().next().value,
  }
}
