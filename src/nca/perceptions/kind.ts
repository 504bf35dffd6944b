/**
 * What defines a kind of learned perception: its fields, how many numbers a cell perceives by it, its parameters and their
 * initial values, and what it computes. A rule's list combines the kinds freely.
 */
import type { Table } from '../../backends/fields.ts'
import type { Padding } from '../../backends/window.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Activation } from '../mlp.ts'

/**
 * A parameter: its shape and initial value. Glorot's uniform is U(±√(6 / (in + out))) of fan-in and fan-out; `limit` stands for
 * U(±limit).
 */
export type ParamSpec = {
  readonly shape: readonly number[]
  readonly init:
    | 'zeros' | 'ones' | { readonly glorot: readonly [number, number] } | { readonly std: number }
    | { readonly limit: number }
}

/**
 * How a perception is computed: what lies beyond the border, a mask `[b,h,w]` of the cells that need it, and a mask of those
 * among them through which derivatives go.
 */
export type PerceiveHow = { readonly padding: Padding; readonly mask?: Tensor; readonly gradMask?: Tensor }

/** Taps along the axes of a grid, odd numbers: one for all of them, or a list of one for each. */
export type WindowSize = number | readonly number[]

/** A sum over the taps of a window, σ(Σ k·s + bias): the form that fused rollouts and exported pages know. */
export type WindowSum = {
  readonly size: WindowSize
  readonly dilation: number
  readonly bias: boolean
  readonly activation: Activation
  /** The slope of leaky ReLUs below 0. */
  readonly slope: number
}

/** A kind of perception; `Part` is its description in a rule, JSON with the fields of the table. */
export type PartKind<Part> = Table<Part> & {
  readonly type: string
  /** Whether it is for planes only, and not for lines and volumes. */
  readonly planar?: true
  /** How many numbers a cell perceives by it. */
  outputs(part: Part, channels: number): number
  /** Its parameters by name, for a grid of so many dimensions. */
  params(part: Part, channels: number, grid: 1 | 2 | 3): Readonly<Record<string, ParamSpec>>
  /** Its description in words for `explain`, on a grid of so many dimensions. */
  words(part: Part, grid: 1 | 2 | 3): string
  /** The part as a `WindowSum`, with the parameters `kernel` and perhaps `bias`; absent for kinds that are no such sum. */
  windowSum?(part: Part): WindowSum
  /**
   * `[b,h,w,c]` → `[b,h,w,outputs]`; cells outside `mask` may hold any finite number. Absent for filters, which see each channel
   * by itself: their parameter `kernel` `[kh,kw,channels,n]` is applied together with those of all other filters.
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
