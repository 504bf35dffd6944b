/**
 * The arena: where everything lies in WebAssembly memory during one pass over a rollout.
 *
 * It is laid out anew each time, from the front:
 *
 *   control    words by which threads meet (threads.ts)
 *   caches     one for each thread (cache.ts); these, and nothing else, outlive the pass
 *   weights    of each layer, packed in panels for the product with W and, for the backward pass, with Wᵀ
 *   filters    taps and their weights; the pairs of cells that stand for each other at borders
 *   arrays     first states, results, fire masks; cotangents and gradients
 *   teams      of each team of threads that shares a sample: its state, its masks, its cotangent
 *   threads    of each thread: one block of rows on its way through the layers
 *
 * A sample is cut into bands of rows. How many depends on the batch only, never on the number of threads: weight
 * gradients are summed per sample and band, then in order, so that results are the same bits for any number of threads.
 */
import type { RolloutProgram } from '../rollout.ts'

/** Rows of cells that go through the layers at once, so that they stay in cache. */
export const blockRows = 64

const controlBytes = 4096

/** Where the cache of a thread begins. */
export function cacheOf(index: number, cacheBytes: number): number {
  return controlBytes + index * cacheBytes
}

export const ceilTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit

/** One dense layer in memory; sizes in numbers, the rest in bytes. */
export type LayerLayout = {
  /** Rows of W as they are packed, and outputs, exact and rounded up to 8. */
  readonly inputs: number
  readonly outputs: number
  readonly columns: number
  readonly activation: number
  /** Addresses of W and Wᵀ in panels, and of the bias (0 where there is none). */
  readonly w: number
  readonly wt: number
  readonly bias: number
  /** Where the derivatives of W and of the bias stand within a gradient. */
  readonly gw: number
  readonly gb: number
}

export type Band = {
  readonly first: number
  readonly last: number
  /**
   * Where, in `TeamLayout.rows`, its rows of changes begin: a row for each of its cells, rounded up to whole groups of
   * four. Three of its planes fit before them.
   */
  readonly rows: number
  /** What to add to an offset in a state to get that of the same cell in this band's part of the cotangent. */
  readonly shift: number
  /** Pairs of offsets: cells of the ring that mirror cells of this band. */
  readonly ring: number
  readonly ringCount: number
  /** Cells of its cotangent that stand for cells of other bands or across the border, to be cleared in each step. */
  readonly halo: number
  readonly haloCount: number
  /** Pairs of offsets in the cotangent: what those of all bands add to cells of this band. */
  readonly fold: number
  readonly foldCount: number
}

/** What the threads that work on one sample share. Planes of bits are named as in planes.ts. */
export type TeamLayout = {
  readonly x: number
  readonly g: number
  readonly list: number
  readonly rows: number
  readonly planes: Readonly<Record<PlaneName, number>>
}

export const planeNames = [
  'strong', 'next', 'pre', 'near', 'fire', 'act', 'post', 'undecided', 'ring', 'life', 'held', 'kill', 'grow', 'ones',
] as const

export type PlaneName = typeof planeNames[number]

/** A thread's block: what the cells perceive, the outputs of each layer but the last, and two cotangents. */
export type BlockLayout = { readonly y: number; readonly hidden: number; readonly g: readonly [number, number] }

export type Layout = {
  readonly bytes: number
  readonly channels: number
  /** How far the filters reach, and the width of the ring around a state. */
  readonly radius: number
  readonly cellBytes: number
  readonly rowBytes: number
  readonly words: number
  readonly planeRow: number
  /** Offset of cell (0, 0) in a state. */
  readonly origin: number
  readonly stateBytes: number
  readonly filters: number
  readonly counts: number
  readonly taps: number
  readonly tapWeights: number
  /** All ones in the channels that never change; and zeros in all. */
  readonly keep: number
  readonly none: number
  readonly yStride: number
  /** Bytes between the rows of changes, and of their cotangents. */
  readonly changeStride: number
  readonly layers: readonly LayerLayout[]
  readonly bands: readonly Band[]
  /** The first states stand where the first readouts will: a sample's is read before its readouts are written. */
  readonly input: number
  readonly outputs: readonly number[]
  readonly masks: number
  readonly maskBytes: number
  /** Size of the gradient of one sample and band: the derivative of the filters, then those of the layers. */
  readonly gradientBytes: number
  readonly gradients: number
  readonly gx: number
  readonly teams: readonly TeamLayout[]
  readonly blocks: readonly BlockLayout[]
}

/** A tap of a filter: where it looks, and its weight for each channel. */
export type Tap = { readonly dy: number; readonly dx: number; readonly weights: readonly number[] }

const activations = { linear: 0, relu: 1, leakyRelu: 2, tanh: 3, sigmoid: 4 }

export type LayoutOptions = {
  readonly filters: readonly (readonly Tap[])[]
  readonly radius: number
  readonly readouts: number
  /** Steps with explicit fire masks. */
  readonly maskSteps: number
  readonly backward: boolean
  /** Whether ∂L/∂x is wanted. */
  readonly wantX: boolean
  readonly teams: number
  readonly threads: number
  readonly cacheBytes: number
}

/** Lays the arena out, and returns it with the words of the tables that must be written into it. */
export function layOut(
  program: RolloutProgram, options: LayoutOptions,
): { layout: Layout; tables: [number, Uint32Array][] } {
  const { batch, height, width, channels, padding } = program
  const { filters, radius, readouts, maskSteps, backward, wantX, teams, threads, cacheBytes } = options
  let top = cacheOf(threads, cacheBytes)
  const take = (bytes: number): number => {
    const at = top
    top = ceilTo(top + bytes, 64)
    return at
  }
  const tables: [number, Uint32Array][] = []
  const table = (words: number[]): number => {
    const at = take(4 * words.length)
    tables.push([at, Uint32Array.from(words)])
    return at
  }

  const cellBytes = 4 * ceilTo(channels, 4)
  const rowBytes = (width + 2 * radius) * cellBytes
  const stateBytes = (height + 2 * radius) * rowBytes
  const origin = radius * rowBytes + radius * cellBytes
  const words = Math.ceil(width / 64)
  const planeRow = 8 * words
  const yWidth = filters.length * cellBytes / 4
  const yStride = 4 * ceilTo(yWidth, 8)
  const changeStride = 4 * ceilTo(channels, 8)

  let gradientBytes = filters.flat().length * cellBytes
  const grown = (bytes: number): number => (gradientBytes += bytes) - bytes
  let inputs = yWidth
  const layers = program.layers.map((layer, l): LayerLayout => {
    // The last layer's columns are channels: those that never change have zero weights.
    const outputs = l === program.layers.length - 1 ? channels : layer.outputs
    const columns = ceilTo(outputs, 8)
    const laid = {
      inputs, outputs, columns,
      activation: activations[layer.activation],
      w: take(inputs * columns * 4),
      wt: take(outputs * ceilTo(inputs, 8) * 4),
      bias: layer.bias ? take(columns * 4) : 0,
      gw: grown(ceilTo(inputs, 4) * columns * 4),
      gb: grown(columns * 4),
    }
    inputs = outputs
    return laid
  })

  const offset = (y: number, x: number): number => origin + y * rowBytes + x * cellBytes
  const cuts = bandCuts(batch, height)
  const bandOf = (y: number): number => cuts.findLastIndex(first => first <= y)
  const bandEnds = cuts.map((first, i): [number, number] => [first, cuts[i + 1] ?? height])
  let gBytes = 0, rowsBytes = 0
  const rows = bandEnds.map(([first, last]) => {
    const planes = ceilTo(3 * (last - first) * planeRow, 64)
    const size = planes + ((last - first) * width + 4) * changeStride
    return (rowsBytes += size) - size + planes
  })
  const shifts = bandEnds.map(([first, last]) => {
    const shift = gBytes - first * rowBytes
    gBytes += (last - first + 2 * radius) * rowBytes
    return shift
  })
  // What the cells of the ring and the halos stand for, found by walking around each band.
  const perBand = (): number[][] => bandEnds.map(() => [])
  const rings = perBand(), halos = perBand(), folds = perBand()
  const around = (first: number, last: number, visit: (y: number, x: number, sy: number, sx: number) => void): void => {
    for (let y = first - radius; y < last + radius; y++) {
      const inside = y >= first && y < last
      for (let x = -radius; x < width + radius; x++) {
        if (inside && x === 0) x = width
        if (inside && x >= width + radius) break
        const sy = sourceIndex(y, height, padding), sx = sourceIndex(x, width, padding)
        if (sy >= 0 && sx >= 0) visit(y, x, sy, sx)
      }
    }
  }
  if (radius > 0) {
    around(0, height, (y, x, sy, sx) => { rings[bandOf(sy)].push(offset(y, x), offset(sy, sx)) })
    bandEnds.forEach(([first, last], j) => around(first, last, (y, x, sy, sx) => {
      const k = bandOf(sy)
      halos[j].push(offset(y, x) + shifts[j])
      folds[k].push(offset(sy, sx) + shifts[k], offset(y, x) + shifts[j])
    }))
  }
  const bands = bandEnds.map(([first, last], i): Band => ({
    first, last, shift: shifts[i], rows: rows[i],
    ring: table(rings[i]), ringCount: rings[i].length / 2,
    halo: table(halos[i]), haloCount: halos[i].length,
    fold: table(folds[i]), foldCount: folds[i].length / 2,
  }))

  const frozen = Array.from({ length: cellBytes / 4 }, (_, c) =>
    (c < channels && !program.updated.includes(c) ? 0xffffffff : 0))
  const tapOffsets = filters.flat().map(({ dy, dx }) => dy * rowBytes + dx * cellBytes)
  const samples = batch * height * width * channels * 4
  const outputs = Array.from({ length: readouts }, () => take(samples))
  const maskBytes = height * planeRow
  const hiddenBytes = layers.slice(0, -1).reduce((sum, { columns }) => sum + columns * 4, 0) * blockRows
  const widest = 4 * blockRows * Math.max(...layers.map(({ columns }) => columns), yStride / 4)
  const layout = {
    channels, radius, cellBytes, rowBytes, words, planeRow, origin, stateBytes, yStride, changeStride, layers, bands,
    filters: filters.length,
    counts: table(filters.map(taps => taps.length)),
    taps: table(tapOffsets.map(n => n >>> 0)),
    tapWeights: take(tapOffsets.length * cellBytes),
    keep: table(frozen),
    none: table(frozen.map(() => 0)),
    input: outputs[0] ?? take(samples),
    outputs,
    masks: maskSteps > 0 ? take(maskSteps * batch * maskBytes) : 0,
    maskBytes,
    gradientBytes,
    gradients: backward ? take(batch * bands.length * gradientBytes) : 0,
    gx: wantX ? take(samples) : 0,
    teams: Array.from({ length: teams }, (): TeamLayout => ({
      x: take(stateBytes),
      g: backward ? take(gBytes) : 0,
      list: take(height * width * 4),
      rows: take(rowsBytes),
      planes: Object.fromEntries(planeNames.map(name => [name, take(maskBytes)])) as Record<PlaneName, number>,
    })),
    blocks: Array.from({ length: threads }, (): BlockLayout => ({
      y: take(blockRows * yStride),
      hidden: take(hiddenBytes),
      g: [take(widest), take(widest)],
    })),
  }
  return { layout: { ...layout, bytes: top }, tables }
}

/** First rows of the bands. Small batches are cut into more, so that many threads can share a sample. */
function bandCuts(batch: number, height: number): number[] {
  const bands = Math.max(1, Math.min(Math.ceil(16 / batch), Math.floor(height / 8)))
  return Array.from({ length: bands }, (_, i) => Math.floor(i * height / bands))
}

/** The index within 0 … n − 1 that stands for i, or −1 where there is nothing. */
export function sourceIndex(i: number, n: number, padding: RolloutProgram['padding']): number {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return -1
  if (padding === 'circular') return ((i % n) + n) % n
  if (n === 1) return 0
  const period = 2 * (n - 1)
  const j = ((i % period) + period) % period
  return j < n ? j : period - j
}
