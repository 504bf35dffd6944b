/**
 * A model as rooms and worker hand it on.
 */
import type { Pixels } from '../ui/picture.ts'

/** A picture that a model has learned to grow, and how many cells its longer side has. */
export type Target = { readonly pixels: Pixels; readonly side: number }

/** A model file by its name. */
export type ModelFile = {
  readonly name: string
  readonly bytes: Uint8Array
  /** What it has learned to grow, where it came with that. */
  readonly target?: Target
  /** The text of the address that held it, where one did. */
  readonly text?: string
}
