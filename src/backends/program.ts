/**
 * Programs: an optional extension of a backend beyond single kernels. A runner computes a whole rollout of a cellular automaton,
 * forward and backward.
 *
 * A program is the automaton as plain data, in terms of arrays and not of rules or tensors:
 *
 *   [x ← external inputs, in some channels]       of all cells
 *   [x ← x + noise]                               of all cells, in the channels that change
 *   y  = perception of x                          depthwise filters, or the whole window of each cell
 *   h  = activation(norm(y·W + b)), layer after layer; most have no norm
 *   x' = x + the last h where the cell fires      in the channels named by `updated`
 *   [x' ← x' + noise]                             in the same cells and channels
 *   x  ← x' where the cell lives, else 0          living before and after, as in src/nca/step.ts
 *   [x ← clamp(x) or tanh(x)]                     in the channels that change, of all cells
 */
import type { Handle } from './backend.ts'
import { ceilTo } from './ceil-to.ts'
import type { Padding } from './window.ts'

/** The activation of a layer; 'linear' leaves its sums as they are. */
export type Activation = 'relu' | 'leakyRelu' | 'tanh' | 'sigmoid' | 'gelu' | 'silu' | 'softplus' | 'linear'

/** Features that not every runner has, named as in the messages that say so. */
export type Feature =
  | 'filters beside a convolution with a function' | 'volumes' | 'given' | 'noise on the state' | 'residual networks'
  | 'changes through a function' | 'attention' | 'norms' | 'deformable convolutions' | 'bounds that exclude 0'

/** An activation, with the slope of leakyRelu for negative numbers. */
export type Applied = { readonly activation: Activation; readonly slope: number }

/**
 * One dense layer. Its weights are padded with columns of zeros (`ProgramRunner.multiples`). A layer can put `copied` numbers of
 * its input, unchanged, before its sums. The `first` columns of its weights, `copied` rounded up to a whole multiple, are not
 * read then; `outputs` and `columns` include them. A first layer with views applies the activations of the views. If `groups`
 * is not 0, sums go through a layer norm of that many groups before the activation.
 */
export type Layer = Applied & {
  readonly outputs: number
  readonly columns: number
  readonly copied: number
  readonly first: number
  readonly groups: number
}

/**
 * Some columns of the first layer, and the cells that they see: those at these taps and no others. Taps are indices within the
 * window, row by row and slice by slice, ascending, with the middle among them. The rows of the first weights come view after
 * view. Weights of a view's rows in the columns of another view are not read, and their gradient is meaningless.
 */
export type View = Applied & { readonly taps: readonly number[]; readonly outputs: number; readonly columns: number }

/** Cells along the depth, the height and the width of a volume. A plane is a volume of depth 1, a line a plane of height 1. */
export type Box = readonly [depth: number, height: number, width: number]

/** The offset of each place of a window from its middle, in the order of their indices. */
export function placesOf([deep, high, wide]: Box): Box[] {
  return Array.from({ length: deep * high * wide }, (_, t) => [
    Math.floor(t / (high * wide)) - (deep - 1) / 2, Math.floor(t / wide) % high - (high - 1) / 2, t % wide - (wide - 1) / 2,
  ])
}

/**
 * Attention to the cells at these taps (src/nca/fused/attention.ts). A cell perceives, for each head, all channels of the
 * normalised state. With `made` it perceives instead `outputs` numbers made from these and, unless `hidden` is 0, the units of
 * a hidden layer that reads the normalised outputs.
 */
export type Attention = {
  readonly heads: number
  readonly taps: readonly number[]
  readonly made: (Applied & { readonly outputs: number; readonly hidden: number }) | null
}

/** How many numbers a cell perceives by all of these; `padded` is the number of channels, rounded up to a multiple of four. */
export function chosenBy({ deformable, attention }: Pick<Program['perception'], 'deformable' | 'attention'>, padded: number): number {
  const moved = deformable.reduce((sum, { size }) => sum + size * size * padded, 0)
  return moved + attention.reduce((sum, { heads, made }) => (
    sum + (made ? ceilTo(made.outputs, 8) + ceilTo(made.hidden, 8) : heads * padded)), 0)
}

/**
 * A deformable convolution of a plane: a cell perceives all channels at each of size² taps that it moves, by at most `reach` cells
 * along each axis, for which the window has room, or by any number (null). `modulated`: it also weights them.
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
   * What a cell sees of the window around it, whose sides are odd. Either depthwise `filters`, whose weights are the input
   * `kernel`, with a gradient if they are learned; or the cells themselves, so that the first layer is a convolution, or several
   * side by side, one for each of the `views`. With both, the outputs of the filters are copied to the first outputs of the first
   * layer; their rows of its weights are not read.
   */
  readonly perception: {
    readonly window: Box
    readonly filters: number
    readonly learned: boolean
    readonly views: readonly View[]
    /** The numbers of deformable convolutions and of attention come first, in this order, and are copied like those of filters. */
    readonly deformable: readonly Deformable[]
    readonly attention: readonly Attention[]
    /** How many channels, from the first on, the layer norm of attention includes; its output is zero in the others. */
    readonly normalised: number
  }
  /** The last layer has one output for each channel; those of channels that never change are not used. */
  readonly layers: readonly Layer[]
  /** The factor of the last layer's outputs; 1 where that is linear, since the factor is then in its weights. */
  readonly stepSize: number
  /** The channels that change, ascending; the others keep their values in every cell. */
  readonly updated: readonly number[]
  /** Channels, ascending, that are written before each step: with the same numbers in all cells of a sample, or `perCell`. */
  readonly given: { readonly channels: readonly number[]; readonly perCell: boolean } | null
  /** Probability that a cell updates. */
  readonly fireRate: number
  /** Only cells whose `channel` exceeds `above` before the step update in it. */
  readonly inputMask: { readonly channel: number; readonly above: number } | null
  /** Normal noise and its standard deviation: on each change, or on the whole state before each step; null for none. */
  readonly noise: { readonly on: 'state' | 'change'; readonly std: number } | null
  /** Bounds applied after each step: tanh if `squash`, else clamp. To `all` cells if they exclude 0, since dead cells are then not zero. */
  readonly bound: { readonly squash: boolean; readonly low: number; readonly high: number; readonly all: boolean } | null
  /** When the living mask is tested; with 'after', cells may be dead before the step. */
  readonly living: { readonly channel: number; readonly above: number; readonly when: 'both' | 'after' } | null
}

/** How a program is run. */
export type ProgramRun = {
  readonly steps: number
  /** Two words of a random key for each step. */
  readonly keys: Uint32Array
  /** Likewise for its noise, if the program has any: the draws of `normal` (src/tensor/ops/random.ts) for `[b,d,h,w,updated]`. */
  readonly noiseKeys: Uint32Array | null
  /** Fire masks `[b,d,h,w]`, uint32, one a step, instead of random ones. */
  readonly masks: readonly Handle[] | null
  /** States are returned after these many steps: ascending, without repetition, each in 1 … steps. */
  readonly readouts: readonly number[]
  /** Steps per segment; states at their beginnings are always kept. */
  readonly segment: number
  /**
   * How many bytes of everything else may be kept between forward and backward; what is not kept is computed again. 'auto' is the
   * backend's own choice.
   */
  readonly budget: number | 'auto'
}

/** What the forward pass keeps for the backward pass, until it is dropped. Runners extend it. */
export type History = { drop(): void }

/**
 * Runs programs. `inputs` are float32 and packed (by src/nca/fused/arrange.ts); all padding is zeros. "To fours" means up to a
 * multiple of four.
 *
 *   x        `[b,d,h,w,c]`
 *   kernel   `[filters,taps,d]`, if the perception has filters; d is the number of channels, padded to fours
 *   W₁       `[planes·d,columns]`; a plane is what one moved tap, one head of attention, one filter, or one tap of a view sees.
 *            An attention with `made` has its outputs and its hidden layer instead, each padded to eights
 *   rest     one after the other:
 *            - b₁, W₂, b₂ …: a bias `[columns]`, weights `[columns of the layer before, columns]`; after the bias of a layer
 *              with a norm its scale and its shift `[columns]`
 *            - for each deformable convolution K `[size²·d,e]` and b `[e]`: its columns are the offsets down, those to the right,
 *              and the weights, each for all taps padded to fours, and all together to eights
 *            - for each attention A `[d,e]` and a `[e]`, where e is heads·d padded to eights; with `made` also M
 *              `[heads·d,outputs]` and m and, for a hidden layer, W `[outputs,hidden]` and b, columns padded to eights and rows
 *              to fours
 *            - r `[heads,taps]` of each attention, padded to eights
 *   given    `[steps,b,n]`, or per cell `[steps,b,h,w,n]`, if n channels are written before each step
 */
export interface ProgramRunner {
  /** The features that it supports. */
  readonly features: readonly Feature[]
  /** The most layers and the widest window that a program may have. */
  readonly mostLayers: number
  readonly widestWindow: number
  /** The columns of weights are padded to multiples of these, for hidden layers and for the last layer. */
  readonly multiples: { readonly hidden: number; readonly last: number }
  /** Writes the state after each readout. Returns a history if `keep` says that a backward pass will follow. */
  forward(
    program: Program, inputs: readonly Handle[], run: ProgramRun, outputs: readonly Handle[], keep: boolean,
  ): History | null
  /** Writes ∂L/∂inputs, for those `gradients` that are not null, from ∂L/∂outputs, where null stands for zero. */
  backward(
    program: Program, inputs: readonly Handle[], run: ProgramRun, history: History,
    cotangents: readonly (Handle | null)[], gradients: readonly (Handle | null)[],
  ): void
}
