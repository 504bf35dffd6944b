/**
 * The errors of a GPU. They arrive some time after the call that caused them, and the GPU itself goes on with rubbish.
 *
 * So the first one is kept: no value that was computed since can be trusted. It is thrown by the reads that wait for
 * it, by everything that is called afterwards and, where nothing has thrown it yet, by `close`. What the caller was
 * doing is known only at the call, which is why calls that may fail run in a `watch` with an explanation.
 */
export type Errors = {
  /** Throws the first error, or that the backend has been closed. */
  check(): void
  /** Runs `fn`. If the GPU finds errors of this kind in it, the first line of what it says is handed to `explain`. */
  watch<T>(kind: GPUErrorFilter, explain: (reason: string) => string, fn: () => T): T
  /** The same for a promise of the GPU. */
  follow(work: Promise<unknown>, explain: (reason: string) => string): void
  /** Waits for everything that was watched or followed so far; rejects with the first error. */
  settle(): Promise<void>
  /** From now on `check` throws. Waits for what is under way; rejects with an error that nothing has thrown yet. */
  close(): Promise<void>
}

/** Keeps the errors of a device. */
export function errorsOf(device: GPUDevice): Errors {
  let first: Error | null = null
  let thrown = false
  let closed = false
  /** Resolved when everything that was watched and followed so far has ended. */
  let ended: Promise<unknown> = Promise.resolve()

  function keep(message: string, cause: unknown): void {
    first ??= new Error(message, { cause })
  }

  function throwFirst(): void {
    if (!first) return
    thrown = true
    throw first
  }

  device.addEventListener('uncapturederror', ({ error }) => keep(`webgpu: ${firstLine(error)}.`, error))
  void device.lost.then(info => keep(`webgpu: the GPU was lost (${firstLine(info)}), with all that was on it; `
    + 'open a new backend and go on from the last values that were saved.', info))

  const errors: Errors = {
    check(): void {
      if (closed) throw new Error('webgpu: the backend has been closed.')
      throwFirst()
    },

    watch<T>(kind: GPUErrorFilter, explain: (reason: string) => string, fn: () => T): T {
      device.pushErrorScope(kind)
      try {
        return fn()
      } finally {
        errors.follow(device.popErrorScope().then(error => { if (error) throw error }), explain)
      }
    },

    follow(work: Promise<unknown>, explain: (reason: string) => string): void {
      const followed = work.catch((error: Error) => keep(explain(firstLine(error)), error))
      ended = ended.then(() => followed)
    },

    async settle(): Promise<void> {
      await ended
      throwFirst()
    },

    async close(): Promise<void> {
      closed = true
      await ended
      if (!thrown) throwFirst()
    },
  }
  return errors
}

/** Without its full stop, because a sentence is made of it. */
function firstLine({ message }: { message: string }): string {
  return message.trim().split('\n')[0].replace(/\.$/, '')
}
