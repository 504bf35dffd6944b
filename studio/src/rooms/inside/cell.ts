/**
 * The numbers of one cell in one step, in the worker, and the terms of each number that it perceives.
 */
import type { DataRule, PerceivedSum, StepParts, Tap, Tensor } from 'cellgrad'

/** Values of all cells, `[h,w,channels]`. */
export type HostValues = { readonly channels: number; readonly values: Float32Array }

/** What `inspectStep` returns, on the host. */
export type HostParts = {
  readonly [K in 'state' | 'perception' | 'change' | 'candidate' | 'after']: HostValues
} & {
  readonly [K in 'pre' | 'fires' | 'post']: Uint32Array | null
} & { readonly hidden: readonly HostValues[]; readonly width: number; readonly height: number }

/** All numbers of one cell in a step. */
export type CellNumbers = {
  readonly before: Float32Array
  readonly perception: Float32Array
  readonly hidden: readonly Float32Array[]
  /** For each channel that is not frozen. */
  readonly change: Float32Array
  readonly candidate: Float32Array
  readonly after: Float32Array
  readonly fires: boolean
  /** Null if the rule does not use this mask. */
  readonly livedBefore: boolean | null
  readonly livesAfter: boolean | null
}

/** A number that a cell perceives, and its sum with the values of the neighbours; null for those beyond the border. */
export type Seen = Omit<PerceivedSum, 'taps'> & {
  readonly value: number
  readonly taps: readonly (Tap & { readonly neighbour: number | null })[]
}

/** The cell at position i of an axis of n cells, or −1 beyond its border. */
function wrap(i: number, n: number, padding: DataRule['padding']): number {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return -1
  if (padding === 'replicate') return i < 0 ? 0 : n - 1
  return padding === 'circular' ? ((i % n) + n) % n : i < 0 ? -i : 2 * (n - 1) - i
}

/** The channels of the cell (x, y). */
function channelsAt({ width }: HostParts, { channels, values }: HostValues, x: number, y: number): Float32Array {
  return values.slice((y * width + x) * channels, (y * width + x + 1) * channels)
}

/** The numbers of the cell (x, y). */
export function cellNumbers(parts: HostParts, x: number, y: number): CellNumbers {
  const here = (values: HostValues): Float32Array => channelsAt(parts, values, x, y)
  const mask = (values: Uint32Array | null): boolean | null => values && values[y * parts.width + x] === 1
  return {
    before: here(parts.state), perception: here(parts.perception), hidden: parts.hidden.map(here), change: here(parts.change),
    candidate: here(parts.candidate), after: here(parts.after), fires: mask(parts.fires) ?? true,
    livedBefore: mask(parts.pre), livesAfter: mask(parts.post),
  }
}

/** The perceived number i of the cell (x, y), computed by `sum`, with the values of its neighbours. */
export function seenBy({ padding }: DataRule, parts: HostParts, x: number, y: number, i: number, sum: PerceivedSum): Seen {
  const { width, height, state, perception } = parts
  const taps = sum.taps.map(tap => {
    const [row, column] = [wrap(y + tap.dy, height, padding), wrap(x + tap.dx, width, padding)]
    return { ...tap, neighbour: row < 0 || column < 0 ? null : state.values[(row * width + column) * state.channels + tap.channel] }
  })
  return { ...sum, taps, value: channelsAt(parts, perception, x, y)[i] }
}

/** The values of a tensor on the host. */
export async function read(t: Tensor): Promise<Float32Array<ArrayBuffer>> {
  return await t.data() as Float32Array<ArrayBuffer>
}

/** The quantities of a step on the host. */
export async function readParts(parts: StepParts): Promise<HostParts> {
  const values = async (t: Tensor): Promise<HostValues> => ({ channels: t.shape.at(-1)!, values: await read(t) })
  const mask = async (t: Tensor | null): Promise<Uint32Array | null> => t && await t.data() as Uint32Array
  const [, height, width] = parts.state.shape
  return {
    width, height, state: await values(parts.state), perception: await values(parts.perception),
    hidden: await Promise.all(parts.hidden.map(values)), change: await values(parts.change), candidate: await values(parts.candidate),
    after: await values(parts.after), pre: await mask(parts.pre), fires: await mask(parts.fires), post: await mask(parts.post),
  }
}
