/**
 * What one room gives to another: a model, which it takes up when it opens.
 */
import { addressOf } from '../address.ts'
import type { Pixels } from '../ui/picture.ts'

export type Given = {
  readonly name: string
  readonly bytes: Uint8Array
  /** What it has learned to grow, and how many cells the longer side of that has, where both are known. */
  readonly target?: { readonly pixels: Pixels; readonly side: number }
}

let given: Given | null = null

/** Lays a model ready, and goes to a room with these settings. */
export function openIn(room: 'play' | 'inside', model: Given, settings: Readonly<Record<string, string>> = {}): void {
  given = model
  location.hash = addressOf(room, settings)
}

/** What lies ready, once. */
export function takeModel(): Given | null {
  const model = given
  given = null
  return model
}
