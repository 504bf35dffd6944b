/**
 * What a kind of learned perception is made of: a module that says of what it consists, how many numbers a cell perceives
 * by it, which parameters it learns and how they begin, and what it computes. A rule's list combines them freely.
 */
import type { Table } from '../../backends/fields.ts'
import type { Padding } from '../../backends/window.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Activation } from '../mlp.ts'

/** A parameter: its shape, and where it begins. Glorot's uniform is U(±√(6 / (in + out))) of fan-in and
 * fan-out; `limit` stands for U(±limit). */
export type ParamSpec = {
  readonly shape: readonly number[]
  readonly init:
    | 'zeros' | 'ones' | { readonly glorot: readonly [number, number] } | { readonly std: number }
    | { readonly limit: number }
}

/**
 * How a perception is computed: what lies beyond the border, a mask `[b,h,w]` of the cells that need it, and one of those
 * among them through which derivatives go.
 */
export type PerceiveHow = { readonly padding: Padding; readonly mask?: Tensor; readonly gradMask?: Tensor }

/** Taps along the axes of a grid, odd numbers: one for all of them, or a list of one for each. */
export type WindowSize = number | readonly number[]

/** A sum over the taps of a window, σ(Σ k·s + bias): what rollouts that run fused and exported pages know. */
export type WindowSum = {
  readonly size: WindowSize
  readonly dilation: number
  readonly bias: boolean
  readonly activation: Activation
  /** Of leaky ReLUs below 0. */
  readonly slope: number
}

/** A kind of part; `Part` is its description in a rule, JSON, whose fields the table has. */
export type PartKind<Part> = Table<Part> & {
  readonly type: string
  /** Whether it is for planes only, and not for lines and volumes. */
  readonly planar?: true
  /** How many numbers a cell perceives. */
  outputs(part: Part, channels: number): number
  /** Its parameters by name, for a grid of so many dimensions. */
  params(part: Part, channels: number, grid: 1 | 2 | 3): Readonly<Record<string, ParamSpec>>
  /** In words, for `explain`, on a grid of so many dimensions. */
  words(part: Part, grid: 1 | 2 | 3): string
  /** For what is such a sum, with the parameters `kernel` and, where it has one, `bias`: the sum. Others have none. */
  windowSum?(part: Part): WindowSum
  /**
   * `[b,h,w,c]` → `[b,h,w,outputs]`; cells that `mask` leaves out may be anything finite. Filters, which see each channel
   * by itself, have none: their parameter `kernel` `[kh,kw,channels,n]` is applied with those of all others.
   */
  perceive?(part: Part, params: Readonly<Record<string, Tensor>>, x: Tensor, how: PerceiveHow): Tensor
}

/** Taps along each axis of a grid. */
export function windowOn(grid: 1 | 2 | 3, size: WindowSize): readonly number[] {
  return typeof size === 'number' ? new Array<number>(grid).fill(size) : size
}

/** '3×3' on a plane. */
export function windowInWords(size: WindowSize, grid: 1 | 2 | 3): string {
  return windowOn(grid, size).join('×')
}
