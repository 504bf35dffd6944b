/**
 * The printing of a script: values become text, and lines that come too fast are held back for a moment. Otherwise an endless
 * loop that prints would keep the page so busy that it could not even be stopped.
 */
import { Tensor } from 'cellgrad'
import { limits } from './limits.ts'

/** The longest line in characters, and the most numbers of an array that are written out. */
const longest = 10_000, mostNumbers = 1000

/** A period in milliseconds, and the most messages that are sent at once within it. */
const moment = 100, mostMessages = 50

/** A value as `console.log` shows it. */
export function inWords(value: unknown): string {
  const text = typeof value === 'object' && value !== null && !(value instanceof Tensor) && !(value instanceof Error)
    ? structure(value)
    : String(value)
  return text.length > longest ? `${text.slice(0, longest)} …` : text
}

function structure(value: object): string {
  if (ArrayBuffer.isView(value)) {
    const numbers = value as Float32Array
    return `[${Array.from(numbers.subarray(0, mostNumbers)).join(', ')}${numbers.length > mostNumbers ? ', …' : ''}]`
  }
  try {
    return JSON.stringify(value, (_, part: unknown) => (
      part instanceof Tensor || part instanceof Error || typeof part === 'bigint' ? String(part) : ArrayBuffer.isView(part) ? inWords(part) : part
    )) ?? String(value)
  } catch { // it contains itself
    return String(value)
  }
}

/** Sends lines on, some at once and the rest together a moment later; `flush` sends the remaining ones. */
export function printer(send: (lines: string[]) => void): { print(line: string): void; flush(): void } {
  let waiting: string[] = []
  let [since, sent] = [-Infinity, 0]
  let later: ReturnType<typeof setTimeout> | undefined
  function flush(): void {
    clearTimeout(later)
    later = undefined
    if (waiting.length > 0) send(waiting)
    waiting = []
  }
  return {
    flush,
    print(line) {
      waiting.push(line)
      if (waiting.length > limits.lines) waiting.shift()
      const now = performance.now()
      if (now - since > moment) [since, sent] = [now, 0]
      if (sent++ < mostMessages) flush()
      else later ??= setTimeout(flush, moment)
    },
  }
}
