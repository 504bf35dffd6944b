/**
 * Ctrl-C, and what a system sends before it shuts down.
 */

const signals = ['SIGINT', 'SIGTERM'] as const

/**
 * An abort signal that the first SIGINT or SIGTERM sets off, with its name as the reason, after `say` was called. The
 * second one is not caught: it ends the process at once, even in the middle of a computation.
 */
export function untilInterrupted(say: () => void): { signal: AbortSignal; end(): void } {
  const controller = new AbortController()
  const end = (): void => { for (const name of signals) process.off(name, stop) }
  const stop = (name: NodeJS.Signals): void => {
    end()
    say()
    controller.abort(name)
  }
  for (const name of signals) process.on(name, stop)
  return { signal: controller.signal, end }
}
