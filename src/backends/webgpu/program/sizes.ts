/**
 * How a rollout lies in the memory of a GPU.
 *
 * Four numbers are one vector: channels, perceptions and hidden outputs are padded with zeros to whole vectors, so that
 *
 *   a state       [b,h,w,c]       is   C vectors a cell
 *   a perception  [.., F·c]       is   N = F·C vectors a cell, F planes (filters, or taps of a window) of all channels
 *   W_l [n,m], b_l                are  4H_(l−1) × H_l vectors, and H_l, for the layers l = 1 … L, as the caller packs them
 *
 * with H_0 = N, and H_L = C: an output for every channel, zero for frozen ones.
 *
 * The grid is cut into tiles of 8 × 16 cells. A workgroup works on one at a time: it lists the cells of its tile that
 * act (half of them where all live and every second one fires), and each invocation takes some of the list, so that
 * hardly any is idle and every weight that is read is used several times. How many is the division, one for GPUs, one for
 * the software that stands in for them.
 */
import type { Program } from '../../program.ts'

/** Things that lie behind one another in a buffer: where each begins, and how long they are together, in vectors. */
export type Offsets = { readonly at: Readonly<Record<string, number>>; readonly size: number }

function offsetsOf(lengths: readonly (readonly [string, number])[]): Offsets {
  const at: Record<string, number> = {}
  let size = 0
  for (const [name, length] of lengths) {
    at[name] = size
    size += length
  }
  return { at, size }
}

/** How the work is divided. Results differ between divisions by rounding, and not at all between runs. */
export type Division = {
  /** Invocations of a workgroup. */
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
 * weights are used for many cells once they are read, and private arrays are read at constant places. Workgroups are one
 * vector, because barriers cost much there (a step takes four fifths of the time that it does with four vectors): to share
 * weights through workgroup memory is slower than to read them again.
 */
export const divisions: { readonly hardware: Division; readonly software: Division } = {
  hardware: { lanes: 32, rowsAtOnce: 2, rowsBackAtOnce: 2, hiddenAtOnce: 4, mostWrittenOut: 0 },
  software: { lanes: 4, rowsAtOnce: 8, rowsBackAtOnce: 4, hiddenAtOnce: 1, mostWrittenOut: 16 },
}

export const tile = { height: 8, width: 16 } as const

export type Sizes = Division & {
  /** Vectors a cell: of the state, and of what it perceives. */
  readonly C: number
  readonly N: number
  /** H_0 … H_L. */
  readonly widths: readonly number[]
  /** Height and width of the window that is looked at, its taps, and how many planes of channels are perceived. */
  readonly window: readonly [number, number]
  /** Where in the window each tap is: row · width + column. */
  readonly places: readonly number[]
  readonly taps: number
  /** Where there are several views: the vectors of outputs, and of what is perceived, behind each. */
  readonly ends: readonly (readonly [outputs: number, perceived: number])[]
  readonly F: number
  readonly cells: number
  /** Rows of tiles: so many words of marks. */
  readonly rows: number
  readonly tiles: { readonly x: number; readonly y: number; readonly all: number }
  /** Vectors of the caller's arrays: the kernel, 0 where windows are seen as they are, and the first weights. */
  readonly kernel: number
  readonly w1: number
  /** All weights and biases behind these. */
  readonly rest: Offsets
}

export function sizesOf(
  { batch, height, width, channels, perception, layers }: Program, division: Division,
): Sizes {
  const { window: [, high, wide], filters, views } = perception // this backend runs no volumes
  const places = views.length > 0 ? views.flatMap(({ taps }) => taps) : Array.from({ length: high * wide }, (_, t) => t)
  const taps = places.length
  const F = filters || taps
  const C = Math.ceil(channels / 4), N = F * C
  let outputs = 0, perceived = 0
  const ends = views.map(view => [outputs += view.columns / 4, perceived += view.taps.length * C] as const)
  const widths = [N, ...layers.map(({ columns }) => columns / 4)]
  const [[, w1], ...rest] = layers.flatMap((_, i): [string, number][] => [
    [`w${i + 1}`, 4 * widths[i] * widths[i + 1]], [`b${i + 1}`, widths[i + 1]],
  ])
  const x = Math.ceil(width / tile.width), y = Math.ceil(height / tile.height)
  return {
    ...division, C, N, widths, window: [high, wide], places, taps, F, ends,
    cells: batch * height * width,
    rows: batch * height * x,
    tiles: { x, y, all: batch * y * x },
    kernel: taps * filters * C,
    w1,
    rest: offsetsOf(rest),
  }
}

/** Vectors of what a cell hands to the backward step before: its cotangent, and that of what it perceived. */
export function recordSize({ C, N }: Sizes): number {
  return C + N
}

/** Workgroups of a backward step at most. Each sums the weight gradients of its tiles by itself. */
const mostWorkspaces = 256

/** Tiles that a workspace adds up, block after block, before its sums go into a tree. */
const mostTiles = 8

/** The memory that each workgroup of a backward step has for itself, and how many have. */
export type Workspace = Offsets & {
  readonly count: number
  /** How many of its vectors, the first ones, are sums. */
  readonly sums: number
  /** Tiles that all of them together may add up before their sums go into the tree. */
  readonly tilesAtOnce: number
  /** Levels that the tree may have; more would not fit into one array. */
  readonly mostLevels: number
}

/**
 * In a workspace are sums of gradients, under the names of the arrays and in their layout, and a block of rows, a vector
 * of all rows after another: h0 … what goes into each layer, d1 … ∂L/∂(its sums), and, to learn filters, d0 = ∂L/∂h0 and
 * the window. There are no more workspaces than one array of `mostBytes` can hold.
 *
 * Long sums keep their digits, as those of long-sum.ts do: after eight tiles, the sums of all workspaces are added up in a
 * tree, and what they make goes into another one, over all such times, of which each level is kept (`gatherWgsl`). So at
 * most 80 numbers are added one after the other: the 16 to 64 rows of a block, and the blocks of eight tiles.
 */
export function workspaceOf({ perception: { learned } }: Program, sizes: Sizes, mostBytes: number): Workspace {
  const { tiles, widths, C, taps, w1, rest } = sizes
  const blockRows = sizes.lanes * sizes.rowsAtOnce
  const block = (name: string, vectors: number): [string, number] => [name, vectors * blockRows]
  const layout = offsetsOf([
    ['kernel', learned ? sizes.kernel : 0], ['w1', w1], ['rest', rest.size],
    ...widths.slice(0, -1).map((n, l) => block(`h${l}`, n)),
    ...widths.map((n, l) => block(`d${l}`, n)).slice(learned ? 0 : 1),
    ...(learned ? [block('window', taps * C)] : []),
  ])
  const fit = Math.max(1, Math.floor(mostBytes / (16 * layout.size)))
  const count = Math.min(tiles.all, mostWorkspaces, fit)
  const sums = layout.at.rest + rest.size
  const mostLevels = Math.max(1, Math.floor(mostBytes / (16 * sums)))
  return { count, ...layout, sums, tilesAtOnce: count * mostTiles, mostLevels }
}
