/**
 * Only one tab at a time trains a run: each asks the browser for the lock of the run (Web Locks). The browser releases a
 * lock when its page is closed, reloaded or crashes, so no lock is ever left behind. Pages over plain http have no locks:
 * there every tab may open every run, and the page says so (train.tsx).
 */

/** Milliseconds to wait for a lock: after a reload, the page's former self may still be ending. */
const patience = 3000

/**
 * Takes a run for this page.
 *
 * @returns a function that releases it; null if another tab has it
 */
export async function hold(id: string): Promise<(() => void) | null> {
  if (!isSecureContext) return () => {}
  return new Promise((resolve, reject) => {
    const held = (): Promise<void> => new Promise(release => resolve(release))
    navigator.locks.request(`cellgrad run ${id}`, { signal: AbortSignal.timeout(patience) }, held)
      .catch((error: DOMException) => (error.name === 'TimeoutError' ? resolve(null) : reject(error)))
  })
}
