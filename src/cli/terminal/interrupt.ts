/**
 * Events that stop a run early: Ctrl-C, a shutdown, a closed terminal, and an output that can no longer be written
 * (`| head -1`, a full disk). A command that watches for them can save first.
 */

/** The signals that are caught, with their exit status, 128 + the number of the signal. */
export const signals = { SIGHUP: 129, SIGINT: 130, SIGTERM: 143 } as const

/** Why a run was stopped. */
export type Interruption = {
  readonly name: keyof typeof signals | 'output'
  /** The reason in words, to follow "Stopped and saved after iteration 3 of 10". */
  readonly why: string
  /** The exit status to end with. */
  readonly status: number
}

/**
 * An abort signal that the first of these events triggers: it calls `said` and then aborts with an `Interruption` as the
 * reason. A process that was started by another process of this program is stopped, as by SIGTERM, when that one is gone. A
 * second signal is not caught: it ends the process at once, even in the middle of a computation.
 */
export function untilInterrupted(said: (interruption: Interruption) => void): { signal: AbortSignal; end(): void } {
  const controller = new AbortController()
  const stop = (interruption: Interruption): void => {
    end()
    said(interruption)
    controller.abort(interruption)
  }
  const onSignal = (name: NodeJS.Signals): void => {
    stop({ name: name as keyof typeof signals, why: '', status: signals[name as keyof typeof signals] })
  }
  const onError = (error: NodeJS.ErrnoException): void => stop(lost(error))
  const names = Object.keys(signals) as NodeJS.Signals[]
  for (const name of names) process.on(name, onSignal)
  process.stdout.on('error', onError)
  const onOrphaned = (): void => onSignal('SIGTERM')
  process.on('disconnect', onOrphaned)
  if (process.connected === false) queueMicrotask(onOrphaned) // the parent is already gone
  const end = (): void => {
    for (const name of names) process.off(name, onSignal)
    process.stdout.off('error', onError)
    process.off('disconnect', onOrphaned)
  }
  return { signal: controller.signal, end }
}

/** A pipe without a reader ends a program like SIGPIPE, which is 13; a terminal that is gone, like SIGHUP. */
function lost({ code, message }: NodeJS.ErrnoException): Interruption {
  const broken = code === 'EPIPE'
  const why = broken ? ', since nobody reads the output any more' : `, since the output cannot be written (${message})`
  return { name: 'output', why, status: broken ? 141 : code === 'EIO' ? signals.SIGHUP : 1 }
}
