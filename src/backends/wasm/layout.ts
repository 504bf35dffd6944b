/**
 * The layout: where everything lies in the arena during one pass over a rollout.
 *
 * It is made anew for each pass, from the front:
 *
 *   control    words by which threads synchronise (threads.ts)
 *   caches     one for each thread (cache.ts); only these outlive the pass
 *   weights    of each layer, packed in panels for the product with W and, for the backward pass, with Wᵀ
 *   filters    taps and their weights; pairs of cells that represent each other at borders
 *   arrays     first states, results, fire masks; cotangents and gradients
 *   teams      for each team of threads that shares a sample: its state, its masks, its cotangent
 *   threads    for each thread: one block of rows that goes through the layers
 */
import { central, tail } from '../erfinv.ts'
import { chosenBy, placesOf, type Box, type Program } from '../program.ts'
import { ceilTo } from '../ceil-to.ts'
import { blockOf, partBytes, type AttentionBlock, type AttentionLayout } from './attention-layout.ts'
import { Arena, cacheOf, type Table } from './arena.ts'
import { bordersOf, offsetIn, type Border } from './borders.ts'
import { planeTable, roams, roomOf, type DeformableBlock, type DeformableLayout } from './deformable-layout.ts'
import { layLayers, type LayerLayout } from './layer-layout.ts'

/** Rows of cells that go through the layers at once, so that they stay in cache. */
export const blockRows = 64

/** A band in memory: the tables of its borders and their lengths. */
export type Band = Omit<Border, 'ring' | 'halo' | 'fold'> & {
  /**
   * The offset of its rows of changes in `TeamLayout.rows`: a row for each of its cells, rounded up to a multiple of four. Before
   * them is room for three of its planes and, if the program has bounds, after them for as many rows again.
   */
  readonly rows: number
  readonly ring: number
  readonly ringCount: number
  readonly halo: number
  readonly haloCount: number
  readonly fold: number
  readonly foldCount: number
}

/** What the threads that work on one sample share. The names of the planes of bits are those of planes.ts. */
export type TeamLayout = {
  readonly x: number
  readonly g: number
  /** The normalised state, and its cotangent, if there is attention. */
  readonly n: number
  readonly gn: number
  /** For each band, the sums of its gradient that are not settled yet. */
  readonly gradients: number
  readonly list: number
  readonly rows: number
  readonly planes: Readonly<Record<PlaneName, number>>
}

export const planeNames = [
  'strong', 'next', 'pre', 'near', 'fire', 'act', 'post', 'undecided', 'ring', 'life', 'held', 'kill', 'grow', 'ones',
] as const

export type PlaneName = typeof planeNames[number]

/** A thread's block: what the cells perceive, what is kept of each layer except the last, and two cotangents. */
export type BlockLayout = {
  readonly y: number
  readonly hidden: number
  /** The recomputed outputs of one layer whose sums are kept. */
  readonly made: number
  readonly g: readonly [number, number]
  /** If there is attention: the normalised state of each cell, and the block of each attention. */
  readonly n: number
  readonly attention: readonly AttentionBlock[]
  readonly deformable: readonly DeformableBlock[]
}

export type Layout = {
  readonly bytes: number
  readonly channels: number
  /** The reach of the filters, along the axis where it is greatest. */
  readonly reach: number
  readonly cellBytes: number
  readonly words: number
  readonly planeRow: number
  /** The table of the offsets in a state at which its rows begin. */
  readonly rowsAt: number
  readonly stateBytes: number
  readonly filters: number
  readonly counts: number
  readonly taps: number
  readonly tapWeights: number
  /** A mask with all ones in the channels that never change; and one of zeros. */
  readonly keep: number
  readonly none: number
  /** Coefficients of both polynomials of noise, in double precision. */
  readonly erfinv: number
  readonly yStride: number
  /** Bytes between the rows of changes, and of their cotangents. */
  readonly changeStride: number
  readonly layers: readonly LayerLayout[]
  readonly attention: readonly AttentionLayout[]
  readonly deformable: readonly DeformableLayout[]
  /** The offset, at the end of a row of what is perceived, of the windows of the deformable convolutions, in this order. */
  readonly windows: number
  /** Bytes of deformable convolutions and attention in such a row, before what filters make. */
  readonly chosen: number
  readonly bands: readonly Band[]
  /** The first states share the memory of the first readouts: a sample's state is read before its readouts are written. */
  readonly input: number
  readonly outputs: readonly number[]
  readonly masks: number
  readonly maskBytes: number
  /** The inputs of all steps, their cotangents (band by band unless per cell), and the offsets of their channels. */
  readonly given: number
  readonly owed: number
  readonly givenChannels: number
  /**
   * The bytes of the gradient of one sample and band in single precision: the derivative of the filters, then those of the layers.
   * In `gradients` it is in double precision, twice as long.
   */
  readonly gradientBytes: number
  readonly gradients: number
  readonly gx: number
  readonly teams: readonly TeamLayout[]
  readonly blocks: readonly BlockLayout[]
}

/** A tap of a filter: the index of the place where it looks, and its weight for each channel. */
export type Tap = { readonly place: number; readonly weights: Float32Array }

export type LayoutOptions = {
  readonly filters: readonly (readonly Tap[])[]
  readonly readouts: number
  /** The number of steps, and of those with explicit fire masks. */
  readonly steps: number
  readonly maskSteps: number
  readonly backward: boolean
  /** Whether ∂L/∂x is wanted. */
  readonly wantX: boolean
  readonly teams: number
  readonly threads: number
  readonly cacheBytes: number
}

/** Lays the arena out, and returns the tables that must be written into it. */
export function layOut(program: Program, options: LayoutOptions): { layout: Layout; tables: readonly Table[] } {
  const { batch, depth, height, width, channels, padding, updated, bound, given } = program
  const { filters, readouts, steps, maskSteps, backward, wantX, teams, threads, cacheBytes } = options
  const arena = new Arena(cacheOf(threads, cacheBytes))
  const take = (bytes: number): number => arena.take(bytes)

  const cellBytes = 4 * ceilTo(channels, 4)
  const reach = program.perception.window.map(size => (size - 1) / 2) as unknown as Box
  const rowBytes = (width + 2 * reach[2]) * cellBytes, sliceBytes = (height + 2 * reach[1]) * rowBytes
  const grid = { size: [depth, height, width], padding, reach, strides: [sliceBytes, rowBytes, cellBytes] } as const
  const stateBytes = (depth + 2 * reach[0]) * sliceBytes
  const rows = depth * height
  const words = Math.ceil(width / 64)
  const planeRow = 8 * words
  const maskBytes = rows * planeRow
  const changeStride = 4 * ceilTo(channels, 8)
  const samples = batch * rows * width * channels * 4

  const taps = filters.flat()
  const { attention, deformable, window } = program.perception, padded = cellBytes / 4
  const offsets = placesOf(window).map(away => away.reduce((sum, cells, axis) => sum + cells * grid.strides[axis], 0) >>> 0)
  const chosen = chosenBy(program.perception, padded), windows = chosenBy({ deformable, attention: [] }, padded), isAttentive = attention.length > 0
  const { layers, moving, attending, gr, gradientBytes } = layLayers(arena, program, chosen + filters.length * padded - windows, taps.length * cellBytes)
  // Backward, products write the cotangent of their input in multiples of eight numbers.
  const last = layers[0].products.at(-1)!, seen = last.row + last.inputs
  const yStride = 4 * ceilTo(last.row + ceilTo(last.inputs, 8) + (windows && windows + 4), 8)
  const { bands: borders, cotangentBytes } = bordersOf(batch, grid, roams(program))
  const { bands, rowsBytes } = layBands(arena, borders, {
    width, planeRow, rowOfCell: changeStride + (bound ? cellBytes : 0),
  })
  // The padding of the channels counts as channels that never change, so it always stays zero.
  const frozen = Array.from({ length: cellBytes / 4 }, (_, c) => (updated.includes(c) ? 0 : 0xffffffff))
  const outputs = Array.from({ length: readouts }, () => take(samples))
  const hiddenBytes = layers.slice(0, -1).reduce((sum, { columns }) => sum + columns * 4, 0) * blockRows
  const widest = 4 * blockRows * Math.max(...layers.map(({ columns }) => columns), yStride / 4)
  const layout = {
    channels, reach: Math.max(...reach), cellBytes, words, planeRow, stateBytes, yStride, changeStride, layers, bands,
    attention: attention.map((part, i): AttentionLayout => ({
      at: 4 * chosenBy({ deformable, attention: attention.slice(0, i) }, padded),
      layers: attending[i],
      taps: arena.table(part.taps.map(place => offsets[place])),
      places: take(partBytes(part)),
      gr: gr[i],
    })),
    deformable: deformable.map((part, i): DeformableLayout => ({
      at: 4 * chosenBy({ deformable: deformable.slice(0, i), attention: [] }, padded),
      layer: moving[i],
      plane: planeTable(arena, part, grid),
    })),
    windows: 4 * seen,
    chosen: 4 * chosen,
    filters: filters.length,
    counts: arena.table(filters.map(filter => filter.length)),
    taps: arena.table(taps.map(({ place }) => offsets[place])),
    rowsAt: arena.table(Array.from({ length: rows }, (_, row) => offsetIn(grid, [Math.floor(row / height), row % height, 0]))),
    tapWeights: take(taps.length * cellBytes),
    keep: arena.table(frozen),
    none: arena.table(frozen.map(() => 0)),
    erfinv: arena.table(new Uint32Array(Float64Array.of(...central, ...tail).buffer)),
    input: outputs[0] ?? take(samples),
    outputs,
    masks: maskSteps > 0 ? take(maskSteps * batch * maskBytes) : 0,
    maskBytes,
    given: given ? take(4 * givenLength(program, steps, 1)) : 0,
    owed: given && backward ? take(4 * givenLength(program, steps, bands.length)) : 0,
    givenChannels: arena.table((given?.channels ?? []).map(c => 4 * c)),
    gradientBytes,
    gradients: backward ? take(2 * batch * bands.length * gradientBytes) : 0,
    gx: wantX ? take(samples) : 0,
    teams: Array.from({ length: teams }, (): TeamLayout => ({
      x: take(stateBytes),
      g: backward ? take(cotangentBytes) : 0,
      n: isAttentive ? take(stateBytes) : 0,
      gn: isAttentive && backward ? take(cotangentBytes) : 0,
      gradients: backward ? take(bands.length * gradientBytes) : 0,
      list: take(rows * width * 4),
      rows: take(rowsBytes),
      planes: Object.fromEntries(planeNames.map(name => [name, take(maskBytes)])) as Record<PlaneName, number>,
    })),
    blocks: Array.from({ length: threads }, (): BlockLayout => ({
      y: take(blockRows * yStride),
      hidden: take(hiddenBytes),
      made: layers.some(({ bySums }) => bySums) ? take(widest) : 0,
      g: [take(widest), take(widest)],
      n: isAttentive ? take(blockRows * cellBytes) : 0,
      attention: attention.map(part => blockOf(part, padded, blockRows, take)),
      deformable: deformable.map(part => roomOf(part, padded, blockRows, take)),
    })),
  }
  return { layout: { ...layout, bytes: arena.top }, tables: arena.tables }
}

/** How many numbers the inputs have; `places` is the number of copies per sample if all its cells get the same. */
export function givenLength({ given, batch, depth, height, width }: Program, steps: number, places: number): number {
  return steps * batch * (given!.perCell ? depth * height * width : places) * given!.channels.length
}

/** The bands: tables of their borders, and the offsets of their rows of changes, one band after the other. */
function layBands(
  arena: Arena, borders: readonly Border[], { width, planeRow, rowOfCell }: {
    width: number; planeRow: number; rowOfCell: number
  },
): { bands: Band[]; rowsBytes: number } {
  let rowsBytes = 0
  const bands = borders.map(({ first, last, shift, part, partBytes, ring, halo, fold }): Band => {
    const planes = ceilTo(3 * (last - first) * planeRow, 64)
    const rows = rowsBytes + planes
    rowsBytes = rows + ((last - first) * width + 4) * rowOfCell
    return {
      first, last, shift, part, partBytes, rows,
      ring: arena.table(ring), ringCount: ring.length / 2,
      halo: arena.table(halo), haloCount: halo.length,
      fold: arena.table(fold), foldCount: fold.length / 2,
    }
  })
  return { bands, rowsBytes }
}
