/**
 * Rules: what makes a cellular automaton neural, as data.
 *
 * A rule names the channels of a cell and says how cells perceive, update, fire and live:
 *
 *   s ← s + m ⊙ U(P(s))          (Spitznagel & Keuper 2026, equation 2; Mordvintsev et al. 2020)
 *
 * P is the perception (filters, fixed or learned), U a small network with parameters, m the fire mask; a living mask
 * may zero cells, and frozen channels never change. A rule made by `defineRule` is frozen JSON: it can be stored beside
 * its parameters, shown, compared and, because nothing in it is code, run by a kernel made for it. `customRule` takes
 * code instead and has the same interface.
 */
import type { Padding } from '../../backends/window.ts'
import type { Filter } from '../../tensor/filters.ts'
import type { Key } from '../../tensor/key.ts'
import type { Placement, Tensor } from '../../tensor/tensor.ts'
import type { Mlp, MlpParams } from '../mlp.ts'
import type { Learned } from '../perceptions/kinds.ts'

/** Channels by role, in order: `{ rgba: 4, hidden: 12 }`. */
export type Channels = Readonly<Record<string, number>>

/** A part of the perception: a fixed filter, three cells wide, or a learned part. */
export type Perception = Filter | Learned

/**
 * The living mask: cells with a neighbour whose `channel` exceeds `above` live, the others are zeroed. This is tested 'both'
 * before and after the update, as published, or only 'after' it.
 */
export type Living = { readonly channel: number; readonly above: number; readonly when: 'both' | 'after' }

/** Normal noise N(0, std), added to the 'state' before cells perceive it, or to the 'change' of cells that fire. */
export type Noise = { readonly on: 'state' | 'change'; readonly std: number }

/** How channels that change are kept within bounds, after every step. */
export type Bound =
  | { readonly type: 'clamp'; readonly low: number; readonly high: number }
  | { readonly type: 'tanh' }

/** The head, which makes numbers from a whole state: a network applied to the mean of its cells (`readHead`). */
export type Head = {
  /** How many numbers it makes from each state. */
  readonly outputs: number
  /** The network, like `mlp(64)`. */
  readonly network: Mlp
}

/** A rule that is data. */
export type DataRule = {
  readonly type: 'data'
  /** Dimensions of the grid, 1, 2 (default) or 3: states are `[b,w,c]`, `[b,h,w,c]` or `[b,d,h,w,c]`. */
  readonly grid: 1 | 2 | 3
  /** Channels by role, in order: `{ rgba: 4, hidden: 12 }`. */
  readonly channels: Channels
  /** What a cell perceives: names of filters, `{ name, factor }`, `conv(n)`, …; at least one. See `perceptionSize`. */
  readonly perceive: readonly Perception[]
  /** The network that turns what is perceived into a change, like `mlp(128)`. */
  readonly update: Mlp
  /** η, a number by which each change is multiplied; default 1. */
  readonly stepSize: number
  /** Probability that a cell updates in a step, above 0 and at most 1 (default). */
  readonly fireRate: number
  /** Which cells live; null, the default, for all. */
  readonly living: Living | null
  /**
   * Only cells whose `channel` exceeds `above` before a step update in it, for instance those with an input; null, the
   * default, for all.
   */
  readonly inputMask: { readonly channel: number; readonly above: number } | null
  /** Normal noise of deviation `std` ≥ 0 on the 'state' that is perceived or on the 'change'; null, the default, for none. */
  readonly noise: Noise | null
  /** Bounds of the channels after every step: 'clamp' to `low` … `high`, or 'tanh'; null, the default, for none. */
  readonly bound: Bound | null
  /** What cells at the border see beyond it: 'zero' (default), 'circular', 'reflect' or 'replicate'. */
  readonly padding: Padding
  /** Roles whose channels never change, not even in dead cells: inputs and conditions. Default none. */
  readonly frozen: readonly string[]
  /** A network that makes numbers from a whole state, see `readHead`; null, the default, for none. Steps ignore it. */
  readonly head: Head | null
}

/**
 * Parameters of a data rule: those of its network; of the learned parts of its perception, by name, in the order of its
 * list; and of its head, if it has one.
 */
export type DataParams = {
  readonly perceive?: readonly Readonly<Record<string, Tensor>>[]
  readonly update: MlpParams
  readonly head?: MlpParams
}

/** The arguments of a step besides parameters and state. */
export type StepContext = {
  /** The random key of this step, and of no other: `foldIn(key, t)`. */
  readonly key: Key
  /** The step's number within its rollout, from 0. */
  readonly t: number
  /** Fire mask, uint32, `[b,h,w]` in the plane, to use instead of drawing one. */
  readonly mask?: Tensor
  /** Angle in radians by which cells see the world rotated, default 0; about the axis z in a volume, none on a line. */
  readonly angle?: number
}

/** A rule that is code; `P` is the tree of its parameters. */
export type CustomRule<P> = {
  readonly type: 'custom'
  /** Dimensions of the grid, as in a `DataRule`. */
  readonly grid: 1 | 2 | 3
  /** Channels by role, in order: `{ rgb: 3, hidden: 9 }`. */
  readonly channels: Channels
  /** Makes the initial parameters, any tree, from a key; `placement`, to be passed on, says on which backend and of which type. */
  readonly init: (key: Key, placement: Placement) => P
  /** Makes the next state from one, of its shape and type; the context has the step's key and number. */
  readonly step: (params: P, x: Tensor, context: StepContext) => Tensor
  /** The rule of which `guided` or `cascade` made it. @internal */
  readonly of?: Rule
  /**
   * For a rule whose rollouts consist of rollouts of the rule that it is made of: makes the states after the readouts, in
   * ascending order. The result is that of `step` after `step`. @internal
   */
  readonly whole?: (params: P, x: Tensor, key: Key, options: WholeOptions) => Tensor[]
}

/** How a rollout without inputs and masks should be run; see RolloutOptions. @internal */
export type WholeOptions = {
  readonly steps: number
  readonly readouts: readonly number[]
  readonly checkpoint: 'auto' | number | false
  readonly angle: number
  readonly from: number
}

/** Any rule. (Functions take their parameters contravariantly, so those of any custom rule have the type `never`.) */
export type Rule =
  | DataRule
  | (Omit<CustomRule<never>, 'init'> & { readonly init: (key: Key, placement: Placement) => unknown })

/** The parameters of a rule: `Params<typeof rule>`. */
export type Params<R extends Rule> = R extends { readonly init: (...args: never) => infer P } ? P : DataParams
