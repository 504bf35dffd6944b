/**
 * What has been written, by example: it is still there when one comes back, and after a reload, unless the browser keeps
 * nothing of this page.
 */
import { examples } from './examples.ts'

const written = new Map<string, string>()

/** The browser's memory of this tab; null where it may not be used. */
const kept: Storage | null = (() => {
  try {
    return sessionStorage
  } catch {
    return null
  }
})()

const keyOf = (example: string): string => `cellgrad tape ${example}`

export function originalOf(example: string): string {
  return examples.find(({ name }) => name === example)!.text
}

/** The script of an example as it was left. */
export function textOf(example: string): string {
  return written.get(example) ?? kept?.getItem(keyOf(example)) ?? originalOf(example)
}

export function keepText(example: string, text: string): void {
  written.set(example, text)
  try {
    kept?.setItem(keyOf(example), text)
  } catch { /* there is no room for it: it stays until the page is left */ }
}
