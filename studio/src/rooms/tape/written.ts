/**
 * The edited scripts, by example. They survive when the visitor leaves the room, and a reload, unless the browser stores
 * nothing for this page.
 */
import { examples } from './examples.ts'

const written = new Map<string, string>()

/** The storage of this tab; null if the browser forbids it. */
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

/** The script of an example, with the visitor's changes. */
export function textOf(example: string): string {
  return written.get(example) ?? kept?.getItem(keyOf(example)) ?? originalOf(example)
}

export function keepText(example: string, text: string): void {
  written.set(example, text)
  try {
    kept?.setItem(keyOf(example), text)
  } catch { /* the storage is full: the text is kept until the page is closed */ }
}
