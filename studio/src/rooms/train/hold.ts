/**
 * A run is trained by one tab at a time: each asks the browser for the lock of the run (Web Locks). The browser takes a
 * lock back when its page is closed, reloaded or crashes, so a lock is never left behind. Pages of plain http have no locks:
 * there every tab has every run, and the page says so (train.tsx).
 */

/** Milliseconds that one waits: a page that has just been reloaded may still be ending its former self. */
const patience = 3000

/**
 * Takes a run for this page.
 *
 * @returns what gives it back; null where another tab has it
 */
export async function hold(id: string): Promise<(() => void) | null> {
  if (!isSecureContext) return () => {}
  return new Promise((resolve, reject) => {
    const held = (): Promise<void> => new Promise(release => resolve(release))
    navigator.locks.request(`cellgrad run ${id}`, { signal: AbortSignal.timeout(patience) }, held)
      .catch((error: DOMException) => (error.name === 'TimeoutError' ? resolve(null) : reject(error)))
  })
}
