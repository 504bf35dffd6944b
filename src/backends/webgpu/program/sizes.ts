/**
 * The memory layout of a rollout on a GPU.
 *
 * Four numbers are one vector: channels, perceptions and hidden outputs are padded with zeros to whole vectors, so that
 *
 *   a state       [b,h,w,c]       is   C vectors per cell
 *   a perception  [.., F·c]       is   N = F·C vectors per cell, F planes (filters, or taps of a window) of all channels
 *   W_l [n,m], b_l                are  4H_(l−1) × H_l vectors, and H_l, for the layers l = 1 … L, as the caller packs them
 *
 * with H_0 = N, and H_L = C: an output for every channel, zero for frozen ones.
 *
 * The grid is cut into tiles of 8 × 16 cells. A workgroup processes one at a time: it lists the cells of its tile that
 * act (half of them if all live and fire with probability ½), and each invocation takes some of the list, so that
 * hardly any invocation is idle and every weight that is read is used several times. How many is part of the division; there is
 * one for GPUs and one for software adapters.
 */
import type { Program } from '../../program.ts'

/** Arrays that lie one after the other in a buffer: the offset of each, and their size together, in vectors. */
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
  /** Cells of the list that an invocation processes together: a block is `lanes * rowsAtOnce` cells. */
  readonly rowsAtOnce: number
  /** The same for a backward step, which keeps more for each cell. */
  readonly rowsBackAtOnce: number
  /** Hidden vectors that are computed at once, in registers. */
  readonly hiddenAtOnce: number
  /** Perceptions of at most this many vectors are read in an unrolled loop, at constant indices. */
  readonly mostWrittenOut: number
}

/**
 * A warp of an NVIDIA GPU is 32 invocations, for which a weight from a uniform is a single read, and registers are scarce.
 *
 * SwiftShader runs four invocations in a vector of the CPU. A read at an index that is not constant is done one invocation
 * after the other, about thirty instructions even if all of them read the same; a multiply-add takes two. So a weight that was
 * read is used for many cells, and private arrays are read at constant indices. A workgroup is a single vector, because
 * barriers are expensive there (a step takes four fifths of the time of one with four vectors): sharing weights through
 * workgroup memory is slower than reading them again.
 */
export const divisions: { readonly hardware: Division; readonly software: Division } = {
  hardware: { lanes: 32, rowsAtOnce: 2, rowsBackAtOnce: 2, hiddenAtOnce: 4, mostWrittenOut: 0 },
  software: { lanes: 4, rowsAtOnce: 8, rowsBackAtOnce: 4, hiddenAtOnce: 1, mostWrittenOut: 16 },
}

export const tile = { height: 8, width: 16 } as const

export type Sizes = Division & {
  /** Vectors per cell: of the state, and of what it perceives. */
  readonly C: number
  readonly N: number
  /** H_0 … H_L. */
  readonly widths: readonly number[]
  /** Height and width of the window. */
  readonly window: readonly [number, number]
  /** The place of each tap in the window: row · width + column. */
  readonly places: readonly number[]
  readonly taps: number
  /** For each view, the ends of its vectors among the outputs and among what is perceived. */
  readonly ends: readonly (readonly [outputs: number, perceived: number])[]
  readonly F: number
  readonly cells: number
  /** The number of rows of all tiles, each with a vector of marks. */
  readonly rows: number
  readonly tiles: { readonly x: number; readonly y: number; readonly all: number }
  /** Vectors of the caller's arrays: the kernel (0 if there are no filters), and the first weights. */
  readonly kernel: number
  readonly w1: number
  /** All further weights and biases. */
  readonly rest: Offsets
}

export function sizesOf(
  { batch, height, width, channels, perception, layers }: Program, division: Division,
): Sizes {
  const { window: [, high, wide], filters, views } = perception // this backend does not run volumes
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

/** Vectors of a cell's record, which it passes to the next backward step: its cotangent, and that of what it perceived. */
export function recordSize({ C, N }: Sizes): number {
  return C + N
}

/** The most workgroups of a backward step. Each sums the weight gradients of its tiles separately. */
const mostWorkspaces = 256

/** The most tiles that a workspace sums, block after block, before its sums go into a tree. */
const mostTiles = 8

/** The layout of the memory of each workgroup in a backward step, and the number of workgroups. */
export type Workspace = Offsets & {
  readonly count: number
  /** How many of its first vectors are sums. */
  readonly sums: number
  /** The most tiles that all workspaces together may sum before their sums go into the tree. */
  readonly tilesAtOnce: number
  /** The most levels of the tree; more would not fit into one array. */
  readonly mostLevels: number
}

/**
 * A workspace has sums of gradients, with the names and the layout of the arrays, and a block of rows, vector by vector with all
 * rows of each: h0 …, the input of each layer; d1 …, ∂L/∂(its sums); and, to learn filters, d0 = ∂L/∂h0 and the window. There
 * are only as many workspaces as one array of `mostBytes` can hold.
 *
 * Long sums keep their digits, like those of long-sum.ts: after eight tiles, the sums of all workspaces are added in a tree. The
 * result goes into another tree, over time, whose levels are all kept (`gatherWgsl`). So at most 80 numbers are added one after
 * the other: the 16 to 64 rows of a block, and the blocks of eight tiles.
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
