/**
 * The errors of a GPU. They arrive some time after the call that caused them, and the GPU itself goes on with wrong values.
 *
 * So each error is kept with the values that it has made wrong (trust.ts). It is thrown by whatever reads these or computes
 * with them, and by `close` if nothing has thrown it; everything else goes on. Only if the GPU is lost, everything throws.
 * Only the call itself knows what it was doing, so calls that may fail run in a `watch` with an explanation.
 */
import { trustOf, type Trust } from './trust.ts'

export type Errors = {
  /** Knows which values are right. */
  readonly trust: Trust
  /** Calls `fn` after each error that has arrived. */
  onArrival(fn: () => void): void
  /** Throws if the GPU is lost or the backend has been closed. */
  check(): void
  /**
   * Runs `fn`. If the GPU reports an error of this kind in it, `explain` gets the first line of the report and makes the error,
   * `failed` gets the error and the result, and the batch fails.
   */
  watch<T>(
    kind: GPUErrorFilter, explain: (reason: string) => string, fn: () => T, failed?: (error: Error, result: T) => void,
  ): T
  /** Waits with `settle` for a promise of the GPU. If it is rejected, `failed` is called. */
  follow(work: Promise<unknown>, failed: (reason: string) => void): void
  /** Waits for everything that was watched or followed so far; rejects where the GPU is lost. */
  settle(): Promise<void>
  /** From now on `check` throws. Waits for pending work; rejects with an error that nothing has thrown yet. */
  close(): Promise<void>
}

/** Keeps the errors of a device. */
export function errorsOf(device: GPUDevice): Errors {
  const trust = trustOf()
  let arrived = (): void => {}
  let lost: Error | null = null
  let lossTold = false
  let closed = false
  /** Resolved when everything that was watched and followed so far has ended. */
  let ended: Promise<unknown> = Promise.resolve()

  function checkLoss(): void {
    if (!lost) return
    lossTold = true
    throw lost
  }

  device.addEventListener('uncapturederror', ({ error }) => {
    trust.fail(new Error(`webgpu: ${firstLine(error)}.`, { cause: error }))
    arrived()
  })
  void device.lost.then(info => {
    lost ??= new Error(`webgpu: the GPU was lost (${firstLine(info)}), with all that was on it; `
      + 'open a new backend and go on from the last values that were saved.', { cause: info })
  })

  const errors: Errors = {
    trust,

    onArrival(fn: () => void): void {
      arrived = fn
    },

    check(): void {
      if (closed) throw new Error('webgpu: the backend has been closed.')
      checkLoss()
    },

    watch<T>(
      kind: GPUErrorFilter, explain: (reason: string) => string, fn: () => T,
      failed: (error: Error, result: T) => void = () => {},
    ): T {
      const { batch } = trust
      device.pushErrorScope(kind)
      let result: T
      const pop = (): void => errors.follow(device.popErrorScope().then(cause => {
        if (!cause) return
        const error = new Error(explain(firstLine(cause)), { cause })
        failed(error, result)
        trust.fail(error, batch)
        arrived()
      }), () => {})
      try {
        result = fn()
      } finally {
        pop()
      }
      return result
    },

    follow(work: Promise<unknown>, failed: (reason: string) => void): void {
      const followed = work.catch((error: Error) => failed(firstLine(error)))
      ended = ended.then(() => followed)
    },

    async settle(): Promise<void> {
      await ended
      checkLoss()
    },

    async close(): Promise<void> {
      closed = true
      await ended
      if (lost && !lossTold) checkLoss()
      const error = trust.untold()
      if (error && !lost) throw error
    },
  }
  return errors
}

/** The first line of a message without its full stop, as a part of a sentence. */
function firstLine({ message }: { message: string }): string {
  return message.trim().split('\n')[0].replace(/\.$/, '')
}
