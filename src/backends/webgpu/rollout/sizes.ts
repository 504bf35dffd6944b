/**
 * How a rollout lies in the memory of a GPU.
 *
 * Four numbers are one vector: channels, perceptions and hidden outputs are padded with zeros to whole vectors, so that
 *
 *   a state       [b,h,w,c]       is   C vectors a cell
 *   a perception  [.., F·c]       is   N = F·C vectors a cell, F planes (filters, or taps of a window) of all channels
 *   W1 [n,hidden], b1             are  4N × H vectors, and H
 *   W2 [hidden,u], b2             are  4H × C vectors, and C: an output for every channel, zero for frozen ones
 *
 * The grid is cut into tiles of 8 × 16 cells. A workgroup works on one at a time: it lists the cells of its tile that
 * act (half of them where all live and every second one fires), and each invocation takes some of the list, so that
 * hardly any is idle and every weight that is read is used several times. How many is the shape, one for GPUs, one for
 * the software that stands in for them.
 */
import type { RolloutProgram } from '../../rollout.ts'

/** How the work is divided. Results differ between shapes by rounding, and not at all between runs. */
export type Shape = {
  /** Invocations of a workgroup, at least one for each row of a tile. */
  readonly lanes: number
  /** Cells of the list that an invocation takes at once: a block is `lanes * rowsAtOnce` cells. */
  readonly rowsAtOnce: number
  /** The same of a backward step, which holds more of each cell. */
  readonly rowsBackAtOnce: number
  /** Hidden vectors that are computed at once, in registers. */
  readonly hiddenAtOnce: number
  /** Perceptions of at most so many vectors are read in a loop that is written out, at constant places. */
  readonly mostWrittenOut: number
}

/**
 * A warp of an NVIDIA GPU is 32 invocations, for which a weight from a uniform is one read, and registers are scarce.
 *
 * SwiftShader has four invocations in a vector of the CPU, and reads a number from a place that it cannot tell in advance
 * one invocation after the other, some thirty instructions, even if they all read the same; a multiply-add is two. So
 * weights are used for many cells once they are read, and private arrays are read at constant places. Workgroups are
 * small, because barriers cost much there: to share weights through workgroup memory is slower than to read them again.
 */
export const shapes: { readonly hardware: Shape; readonly software: Shape } = {
  hardware: { lanes: 32, rowsAtOnce: 2, rowsBackAtOnce: 2, hiddenAtOnce: 4, mostWrittenOut: 0 },
  software: { lanes: 16, rowsAtOnce: 8, rowsBackAtOnce: 4, hiddenAtOnce: 1, mostWrittenOut: 16 },
}

export const tile = { height: 8, width: 16 } as const

export type Sizes = Shape & {
  /** Vectors a cell: of the state, of what it perceives, of the hidden layer. */
  readonly C: number
  readonly N: number
  readonly H: number
  /** Side of the window that is looked at, its taps, and how many planes of channels are perceived. */
  readonly K: number
  readonly taps: number
  readonly F: number
  readonly cells: number
  /** Rows of tiles: so many words of marks. */
  readonly rows: number
  readonly tiles: { readonly x: number; readonly y: number; readonly all: number }
  /** Vectors of the packed weights: of W1, and of b1, W2 and b2 behind one another. */
  readonly w1: number
  readonly rest: number
  /** Vectors of the packed filters; 0 where the window is seen as it is. */
  readonly kernel: number
}

const vectors = (n: number): number => Math.ceil(n / 4)

export function sizesOf(
  { batch, height, width, channels, perception, layers }: RolloutProgram, shape: Shape,
): Sizes {
  const K = perception.size, taps = K * K
  const F = perception.type === 'filters' ? perception.filters : taps
  const C = vectors(channels), N = F * C
  const H = Math.ceil(vectors(layers[0].outputs) / shape.hiddenAtOnce) * shape.hiddenAtOnce
  const x = Math.ceil(width / tile.width), y = Math.ceil(height / tile.height)
  return {
    ...shape, C, N, H, K, taps, F,
    cells: batch * height * width,
    rows: batch * height * x,
    tiles: { x, y, all: batch * y * x },
    w1: 4 * N * H,
    rest: H + 4 * H * C + C,
    kernel: perception.type === 'filters' ? taps * F * C : 0,
  }
}

/** Vectors of what a cell hands to the backward step before: its cotangent, and that of what it perceived. */
export function recordSize({ C, N }: Sizes): number {
  return C + N
}

/** Workgroups of a backward step at most. Each sums the weight gradients of its tiles by itself. */
const mostSlots = 256

/** Where things lie, in vectors, in the memory that each workgroup of a backward step has for itself. */
export type Slot = {
  readonly count: number
  /** Sums of gradients, in the layout of the packed weights. */
  readonly w1: number
  readonly b1: number
  readonly w2: number
  readonly b2: number
  readonly kernel: number
  /** A block of rows, a vector of all rows after another: y, ∂L/∂change, hidden, ∂L/∂(sums), and, to learn filters,
   * ∂L/∂y and the window. */
  readonly y: number
  readonly change: number
  readonly hidden: number
  readonly sums: number
  readonly dy: number
  readonly window: number
  readonly size: number
}

export function slotOf({ perception }: RolloutProgram, sizes: Sizes): Slot {
  const { tiles, N, H, C, taps, w1, kernel } = sizes
  const blockRows = sizes.lanes * sizes.rowsAtOnce
  const learned = perception.type === 'filters' && perception.learned
  let at = 0
  const next = (size: number): number => (at += size) - size
  return {
    count: Math.min(tiles.all, mostSlots),
    w1: next(w1), b1: next(H), w2: next(4 * H * C), b2: next(C), kernel: next(learned ? kernel : 0),
    y: next(N * blockRows), change: next(C * blockRows), hidden: next(H * blockRows), sums: next(H * blockRows),
    dy: next(learned ? N * blockRows : 0), window: next(learned ? taps * C * blockRows : 0),
    size: at,
  }
}
