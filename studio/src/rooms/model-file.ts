/**
 * A model as the rooms and the worker pass it to each other.
 */
import type { Pixels } from '../ui/picture.ts'

/** A picture that a model has learned to grow, and the number of cells along its longer side. */
export type Target = { readonly pixels: Pixels; readonly side: number }

/** A model file and its name. */
export type ModelFile = {
  readonly name: string
  readonly bytes: Uint8Array
  /** The picture that it has learned to grow, if that came with it. */
  readonly target?: Target
  /** The text of the address that contained it, if one did. */
  readonly text?: string
}
