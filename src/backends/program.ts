/**
 * What a backend may offer beyond single kernels: a runner of programs, each a whole rollout of a cellular automaton, forward
 * and backward.
 *
 * A program is the automaton as plain data, in the terms of arrays and not of rules or tensors:
 *
 *   [x ← what is given, in some channels]         of all cells
 *   [x ← x + noise]                               of all cells, in the channels that change
 *   y  = perception of x                          depthwise filters, or the whole window of each cell
 *   h  = activation(norm(y·W + b)), layer after layer; most have no norm
 *   x' = x + the last h where the cell fires      in the channels named by `updated`
 *   [x' ← x' + noise]                             there and in these
 *   x  ← x' where the cell lives, else 0          living before and after, as in src/nca/step.ts
 *   [x ← clamp(x) or tanh(x)]                     in the channels that change, of all cells
 */
import type { Handle } from './backend.ts'
import { ceilTo } from './ceil-to.ts'
import type { Padding } from './window.ts'

/** What a layer applies to its sums; 'linear' leaves them as they are. */
export type Activation = 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid' | 'gelu' | 'silu' | 'softplus' | 'linear'

/** What not every runner has, in the words of whoever says so. */
export type Feature =
  | 'filters beside a convolution with a function' | 'volumes' | 'given' | 'noise on the state' | 'residual networks'
  | 'changes through a function' | 'attention' | 'norms' | 'deformable convolutions'

/** What is applied to sums, with the slope of leakyRelu for negative ones. */
export type Applied = { readonly activation: Activation; readonly slope: number }

/**
 * One dense layer. Its weights have more columns than it has sums (`ProgramRunner.multiples`), which are zeros behind these.
 * Where something is copied, so many numbers of what goes into the layer stand before its sums, as they are; the `first`
 * columns of its weights, as many as whole multiples need, are not read then. `outputs` and `columns` count these too. A
 * first layer with views applies what these say. Sums go through a layer norm first, in so many `groups`, or 0 where there is none.
 */
export type Layer = Applied & {
  readonly outputs: number
  readonly columns: number
  readonly copied: number
  readonly first: number
  readonly groups: number
}

/**
 * Some columns of the first layer, and what they see: the cells at these taps (their numbers within the
 * window, row by row and slice by slice, ascending, the middle among them), and no others. Rows of the first weights are view after view; those in the
 * columns of another view are not read, and what is written as their gradient means nothing.
 */
export type View = Applied & { readonly taps: readonly number[]; readonly outputs: number; readonly columns: number }

/** Cells along the depth, the height and the width of a volume. A plane is a volume of depth 1, a line a plane of height 1. */
export type Box = readonly [depth: number, height: number, width: number]

/** How far each place of a window is from its middle, in the order of their numbers. */
export function placesOf([deep, high, wide]: Box): Box[] {
  return Array.from({ length: deep * high * wide }, (_, t) => [
    Math.floor(t / (high * wide)) - (deep - 1) / 2, Math.floor(t / wide) % high - (high - 1) / 2, t % wide - (wide - 1) / 2,
  ])
}

/**
 * Attention to the cells at these taps, as src/nca/fused/attention.ts says: what is perceived is of each head all channels of the
 * normalised state; or so many outputs, `made` of these, and so many units, or none, of a hidden layer made of the outputs, normalised.
 */
export type Attention = {
  readonly heads: number
  readonly taps: readonly number[]
  readonly made: (Applied & { readonly outputs: number; readonly hidden: number }) | null
}

/** How many numbers a cell perceives by all of these, of so many channels in whole fours. */
export function chosenBy({ deformable, attention }: Pick<Program['perception'], 'deformable' | 'attention'>, padded: number): number {
  const moved = deformable.reduce((sum, { size }) => sum + size * size * padded, 0)
  return moved + attention.reduce((sum, { heads, made }) => (
    sum + (made ? ceilTo(made.outputs, 8) + ceilTo(made.hidden, 8) : heads * padded)), 0)
}

/**
 * What a plane holds at size² taps that each cell moves, by at most `reach` cells along each axis, which the window has beside the
 * taps, or by any number (null); `modulated` where it weighs them too. Of each tap all channels.
 */
export type Deformable = { readonly size: number; readonly reach: number | null; readonly modulated: boolean }

export type Program = {
  readonly batch: number
  readonly depth: number
  readonly height: number
  readonly width: number
  readonly channels: number
  readonly padding: Padding
  /**
   * What a cell sees of the window around it, whose sides are odd: so many depthwise `filters`, given as the input `kernel`, of which
   * learned ones get a gradient; or the cells themselves, so that the first layer is a convolution, or several beside each
   * other, one for each of the `views`. Where there are both, the first outputs of the first layer are what the filters
   * make, copied; their rows of its weights are not read.
   */
  readonly perception: {
    readonly window: Box
    readonly filters: number
    readonly learned: boolean
    readonly views: readonly View[]
    /** What cells see where they choose to look stands before all that, in this order, and is copied with what filters make. */
    readonly deformable: readonly Deformable[]
    readonly attention: readonly Attention[]
    /** The layer norm of attention is of the first so many channels; the others are zero behind it. */
    readonly normalised: number
  }
  /** The last layer has one output for each channel; those of channels that never change are not used. */
  readonly layers: readonly Layer[]
  /** What the outputs of the last layer are multiplied by; 1 where it is linear. */
  readonly stepSize: number
  /** The channels that change, ascending; the others keep their values in every cell. */
  readonly updated: readonly number[]
  /** Channels, ascending, that are written before each step: a number for each of all cells of a sample, or `perCell`. */
  readonly given: { readonly channels: readonly number[]; readonly perCell: boolean } | null
  /** Probability that a cell updates. */
  readonly fireRate: number
  /** Only cells whose `channel` exceeds `above` before the step update in it. */
  readonly inputMask: { readonly channel: number; readonly above: number } | null
  /** Normal noise and its deviation: on each change, or on the whole state before each step; or null for none. */
  readonly noise: { readonly on: 'state' | 'change'; readonly std: number } | null
  /** What follows each step: tanh where it says `squash`, else clamp; 0 is within, so that dead cells stay zero. */
  readonly bound: { readonly squash: boolean; readonly low: number; readonly high: number } | null
  /** 'after': cells may be dead before the step. */
  readonly living: { readonly channel: number; readonly above: number; readonly when: 'both' | 'after' } | null
}

/** How the program is run. */
export type ProgramRun = {
  readonly steps: number
  /** Two words of a random key for each step. */
  readonly keys: Uint32Array
  /** And two of one for its noise, if the program has any: the draws of `normal` (src/tensor/ops/random.ts) for `[b,d,h,w,updated]`. */
  readonly noiseKeys: Uint32Array | null
  /** Fire masks `[b,d,h,w]`, uint32, one a step, instead of random ones. */
  readonly masks: readonly Handle[] | null
  /** States are returned after these many steps: ascending, without repetition, each in 1 … steps. */
  readonly readouts: readonly number[]
  /** Steps per segment; states at their beginnings are always kept. */
  readonly segment: number
  /** Bytes of everything else that may be kept between forward and backward; what is not kept is computed again.
   * 'auto' is the backend's own choice. */
  readonly budget: number | 'auto'
}

/** What the forward pass keeps for the backward pass, until it is dropped. Runners have more in theirs. */
export type History = { drop(): void }

/**
 * Runs programs. `inputs` are float32, and packed (src/nca/fused/arrange.ts does it), zeros wherever it says padded:
 *
 *   x        `[b,d,h,w,c]`
 *   kernel   `[filters,taps,d]`, where the perception has filters; channels are padded to d, a whole number of fours
 *   W₁       `[planes·d,columns]`; a plane is what one moved tap, one head of attention, one filter, or one tap of a view sees; of an
 *            attention of which more is made its outputs and its hidden layer stand instead, each padded to whole eights
 *   rest     b₁, W₂, b₂ … behind one another: a bias `[columns]`, weights `[columns of the layer before, columns]`; behind the
 *            bias of a layer with a norm its scale and its shift `[columns]`; and behind all of them, of each deformable
 *            convolution, K `[size²·d,e]` and b `[e]`, numbers down, to the right and weights, each of all taps padded to whole
 *            fours, and all of them to whole eights; of each attention, A `[d,e]` and a `[e]`, e being heads·d padded to whole eights, and where more is made of it
 *            M `[heads·d,outputs]` and m and, of a hidden layer, W `[outputs,hidden]` and b, columns in whole eights and rows in
 *            whole fours; and, behind all of these, r `[heads,taps]` of each, padded to whole eights
 *   given    `[steps,b,n]`, or per cell `[steps,b,h,w,n]`, where n channels are written before each step
 */
export interface ProgramRunner {
  /** What it has of that which not every runner has. */
  readonly features: readonly Feature[]
  /** Programs may have so many layers, and so wide a window. */
  readonly mostLayers: number
  readonly widestWindow: number
  /** Columns of weights are padded to whole multiples of these: of hidden layers, and of the last. */
  readonly multiples: { readonly hidden: number; readonly last: number }
  /** Writes the state after each readout. Returns a history where `keep` says that a backward pass will follow. */
  forward(
    program: Program, inputs: readonly Handle[], run: ProgramRun, outputs: readonly Handle[], keep: boolean,
  ): History | null
  /** Writes ∂L/∂inputs, those that are not null, from ∂L/∂outputs, where null is zero. */
  backward(
    program: Program, inputs: readonly Handle[], run: ProgramRun, history: History,
    cotangents: readonly (Handle | null)[], gradients: readonly (Handle | null)[],
  ): void
}
