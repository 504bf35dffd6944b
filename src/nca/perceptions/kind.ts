/**
 * What a kind of learned perception is made of: a module that says how many numbers a cell perceives by it, which
 * parameters it learns and how they begin, and what it computes. A rule's list combines them freely.
 */
import type { Padding } from '../../backends/window.ts'
import type { Options } from '../../backends/options.ts'
import type { Tensor } from '../../tensor/tensor.ts'

/** A parameter: its shape, and where it begins. Glorot's uniform is U(±√(6 / (in + out))) of fan-in and
 * fan-out; `limit` stands for U(±limit). */
export type ParamSpec = {
  readonly shape: readonly number[]
  readonly init:
    | 'zeros' | 'ones' | { readonly glorot: readonly [number, number] } | { readonly std: number }
    | { readonly limit: number }
}

/** How a perception is computed: what lies beyond the border, and a mask `[b,h,w]` of the cells that need it. */
export type PerceiveHow = { readonly padding: Padding; readonly rows?: Tensor }

/** What a rule must know of a kind of perception; `Part` is its description there, JSON. */
export type PartDescription<Part> = {
  /** What its description consists of. */
  readonly fields: Options
  /** Throws a sentence where this cannot be such a part; `path` is where it stands. */
  check(where: string, path: string, part: Part): void
  /** How many numbers a cell perceives. */
  outputs(part: Part, channels: number): number
  /** Its parameters by name, for a grid of so many dimensions. */
  params(part: Part, channels: number, grid: 1 | 2 | 3): Readonly<Record<string, ParamSpec>>
  /** In words, for `explain`, on a grid of so many dimensions. */
  words(part: Part, grid: 1 | 2 | 3): string
}

/** And what it computes. */
export type PartKind<Part> = PartDescription<Part> & {
  /** `[b,h,w,c]` → `[b,h,w,outputs]`; cells that `rows` leaves out may be anything finite. */
  perceive(part: Part, params: Readonly<Record<string, Tensor>>, x: Tensor, how: PerceiveHow): Tensor
}
