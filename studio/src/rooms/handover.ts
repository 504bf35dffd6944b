/**
 * What one room gives to another: a model, which it takes up when it opens.
 */
export type Given = { readonly name: string; readonly bytes: Uint8Array }

let given: Given | null = null

/** Lays a model ready, and goes to a room. */
export function openIn(room: 'play' | 'inside', model: Given): void {
  given = model
  location.hash = `#${room}`
}

/** What lies ready, once. */
export function takeModel(): Given | null {
  const model = given
  given = null
  return model
}
