/**
 * The numbers of one cell in one step, in the worker, and what each number that it perceives is a sum of.
 */
import {
  channelCount, filterKernel, perceptionSize, type DataParams, type DataRule, type Depthwise, type Perception,
  type StepParts, type Tensor,
} from 'cellgrad'

/** Numbers of each cell, `[h,w,channels]`. */
export type HostValues = { readonly channels: number; readonly values: Float32Array }

/** What `inspectStep` returns, on the host. */
export type HostParts = {
  readonly [K in 'state' | 'perception' | 'change' | 'candidate' | 'after']: HostValues
} & {
  readonly [K in 'pre' | 'fires' | 'post']: Uint32Array | null
} & { readonly hidden: readonly HostValues[]; readonly width: number; readonly height: number }

/** Taps of a window along both axes, or down and across. */
type Size = Depthwise['size']

/** The kernels by which cells perceive. */
export type Filters = {
  readonly kernels: readonly { readonly n: number; readonly size: Size; readonly values: Float32Array }[]
  readonly convolutions: readonly {
    readonly n: number
    readonly size: Size
    readonly dilation: number
    readonly kernel: Float32Array | null
    readonly bias: Float32Array | null
    readonly activation: string
    /** Of leaky ReLUs below 0. */
    readonly slope: number
  }[]
}

/** All that one cell has in a step. */
export type CellNumbers = {
  /** The channels of the cells around it, row by row from (−reach, −reach), null beyond the border. */
  readonly window: readonly (Float32Array | null)[]
  readonly reach: number
  readonly before: Float32Array
  readonly perception: Float32Array
  readonly hidden: readonly Float32Array[]
  /** Of the channels that change. */
  readonly change: Float32Array
  readonly candidate: Float32Array
  readonly after: Float32Array
  readonly fires: boolean
  /** Null where the rule does not ask. */
  readonly livedBefore: boolean | null
  readonly livesAfter: boolean | null
}

/** A term of what is perceived: weight · channel c of the neighbour (dy, dx). */
export type Tap = { readonly dy: number; readonly dx: number; readonly c: number; readonly weight: number }

/** The sum that a perceived number is, or null where it is none of a window's cells. */
export type Sum = { readonly taps: readonly Tap[]; readonly bias: number; readonly activation: string; readonly slope: number }

type Learned = Exclude<Perception, string | { readonly factor: number }>
const isLearned = (part: Perception): part is Learned => typeof part === 'object' && 'type' in part

/** How far the cells of a rule look. */
export function reachOf({ perceive }: DataRule): number {
  return Math.max(...perceive.map(part => {
    if (!isLearned(part)) return 1
    const { size = 3, dilation = 1 } = part as { size?: Size; dilation?: number }
    return ((Math.max(...[size].flat()) - 1) / 2) * dilation
  }))
}

/** The cell at position i of an axis of n cells, or −1 beyond its border. */
function wrap(i: number, n: number, padding: DataRule['padding']): number {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return -1
  if (padding === 'replicate') return i < 0 ? 0 : n - 1
  return padding === 'circular' ? ((i % n) + n) % n : i < 0 ? -i : 2 * (n - 1) - i
}

/** The numbers of the cell (x, y). */
export function cellNumbers(rule: DataRule, parts: HostParts, x: number, y: number): CellNumbers {
  const { width, height } = parts
  const at = ({ channels, values }: HostValues, row: number, column: number): Float32Array => (
    values.slice((row * width + column) * channels, (row * width + column + 1) * channels)
  )
  const here = (values: HostValues): Float32Array => at(values, y, x)
  const mask = (values: Uint32Array | null): boolean | null => values && values[y * width + x] === 1
  const reach = reachOf(rule)
  const window: (Float32Array | null)[] = []
  for (let dy = -reach; dy <= reach; dy++) {
    for (let dx = -reach; dx <= reach; dx++) {
      const [row, column] = [wrap(y + dy, height, rule.padding), wrap(x + dx, width, rule.padding)]
      window.push(row < 0 || column < 0 ? null : at(parts.state, row, column))
    }
  }
  return {
    window, reach, before: here(parts.state), perception: here(parts.perception), hidden: parts.hidden.map(here), change: here(parts.change),
    candidate: here(parts.candidate), after: here(parts.after), fires: mask(parts.fires) ?? true,
    livedBefore: mask(parts.pre), livesAfter: mask(parts.post),
  }
}

/** Of what the perceived number i is a sum; null where its part of the perception is no sum over a window. */
export function sumOf(rule: DataRule, filters: Filters, i: number): Sum | null {
  const channels = channelCount(rule.channels)
  const { kernels, convolutions } = filters
  const count = kernels.reduce((sum, { n }) => sum + n, 0)
  if (i < channels * count) {
    const c = Math.floor(i / count)
    let f = i % count
    const kernel = kernels.find(({ n }) => f < n || (f -= n, false))!
    const taps = windowOf(kernel.size).map(({ dy, dx, t }) => ({ dy, dx, c, weight: kernel.values[(t * channels + c) * kernel.n + f] }))
    return { taps: taps.filter(({ weight }) => weight !== 0), bias: 0, activation: 'linear', slope: 0 }
  }
  let j = i - channels * count
  const part = convolutions.find(({ n }) => j < n || (j -= n, false))!
  if (!part.kernel) return null
  const { size, dilation, n, kernel, bias, activation, slope } = part
  const taps = windowOf(size, dilation).flatMap(({ dy, dx, t }) => (
    Array.from({ length: channels }, (_, c) => ({ dy, dx, c, weight: kernel[(t * channels + c) * n + j] }))
  ))
  return { taps, bias: bias?.[j] ?? 0, activation, slope }
}

function windowOf(size: Size, dilation = 1): { dy: number; dx: number; t: number }[] {
  const [height, width] = typeof size === 'number' ? [size, size] : size
  return Array.from({ length: height * width }, (_, t) => (
    { dy: dilation * (Math.floor(t / width) - (height - 1) / 2), dx: dilation * ((t % width) - (width - 1) / 2), t }
  ))
}

/** The kernels of a perception on the host, in the layout of what is perceived: filters first, then the other parts. */
export async function readFilters(rule: DataRule, params: DataParams): Promise<Filters> {
  const channels = channelCount(rule.channels)
  const learned = rule.perceive.filter(isLearned)
  const weights = (part: Learned): Readonly<Record<string, Tensor>> => params.perceive![learned.indexOf(part)]
  const kernels = await Promise.all(rule.perceive.filter(part => !isLearned(part) || part.type === 'depthwise').map(async part => (
    isLearned(part)
      ? { n: (part as Depthwise).filters, size: (part as Depthwise).size, values: await read(weights(part).kernel) }
      : { n: 1, size: 3, values: await read(filterKernel([part], channels)) }
  )))
  const convolutions = await Promise.all(learned.filter(({ type }) => type !== 'depthwise').map(async part => {
    const n = perceptionSize({ channels: rule.channels, perceive: [part] })
    if (part.type !== 'conv') return { n, size: 1, dilation: 1, kernel: null, bias: null, activation: 'linear', slope: 0 }
    const { kernel, bias } = weights(part)
    const { size, dilation, activation, slope } = part
    return { n, size, dilation, kernel: await read(kernel), bias: bias ? await read(bias) : null, activation, slope }
  }))
  return { kernels, convolutions }
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
