/**
 * The functions of the WebAssembly module as TypeScript sees them. Pointers are byte addresses in its memory.
 */
/** Each is described where it is defined, in `assembly/`. */
export type Kernels = {
  product(rows: number, inner: number, columns: number, a: number, aStride: number, panels: number, bias: number,
    c: number, cStride: number, floor: number, gate: number): void
  productTN(rows: number, m: number, n: number, a: number, aStride: number, b: number, bStride: number, g: number,
    gStride: number): void
  settle(parts: number, bytes: number, g: number): void
  activate(kind: number, x: number, rows: number, bytes: number, stride: number, slope: number): void
  activateBack(kind: number, g: number, h: number, rows: number, bytes: number, stride: number, slope: number): void
  norm(rows: number, groups: number, bytes: number, x: number, g: number, stride: number, scale: number, shift: number,
    gScale: number, gShift: number): void
  sumRows(rows: number, n: number, a: number, stride: number, g: number): void
  and(to: number, a: number, b: number, words: number): void
  andNot(to: number, a: number, b: number, words: number): void
  or(to: number, a: number, b: number, words: number): void
  fill(to: number, first: number, last: number, width: number, words: number): void
  dilate(from: number, to: number, first: number, last: number, depth: number, height: number, width: number, words: number,
    wrap: number): void
  list(plane: number, first: number, last: number, words: number, rowsAt: number, cellBytes: number,
    to: number): number
  strong(to: number, first: number, last: number, width: number, words: number, channel: number, rowsAt: number,
    cellBytes: number, above: number): void
  strongAfter(to: number, rows: number, first: number, last: number, words: number, channel: number, rowsAt: number,
    cellBytes: number, change: number, stride: number, above: number): void
  fire(to: number, near: number, first: number, last: number, width: number, words: number, k0: number, k1: number,
    sample: number, threshold: number): void
  disturb(rows: number, first: number, last: number, width: number, words: number, rowsAt: number, x: number, stride: number,
    cellBytes: number, keep: number, channels: number, k0: number, k1: number, counter: number, std: number,
    erfinv: number): void
  bind(squash: number, x: number, cells: number, count: number, cellBytes: number, keep: number, low: number,
    high: number): void
  bindBack(squash: number, g: number, cells: number, count: number, cellBytes: number, keep: number, low: number,
    high: number, rows: number): void
  give: Given
  take: Given
  perceive: Perceive
  perceiveBack: Perceive
  perceiveWeights: Perceive
  gather(x: number, cells: number, count: number, cellBytes: number, rows: number, stride: number, keep: number): void
  put(x: number, cells: number, count: number, cellBytes: number, rows: number): void
  erase(x: number, cells: number, count: number, cellBytes: number, keep: number): void
  grow(rows: number, alive: number, first: number, last: number, words: number, x: number, rowsAt: number,
    cellBytes: number, change: number, stride: number, keep: number): number
  normalise(n: number, x: number, rowsAt: number, cellBytes: number, first: number, last: number, width: number,
    channels: number, gn: number, g: number): void
  attend(n: number, cells: number, count: number, heads: number, taps: number, offsets: number, cellBytes: number, u: number,
    uStride: number, r: number, a: number, y: number, yStride: number): void
  attendBack(n: number, cells: number, count: number, heads: number, taps: number, offsets: number, cellBytes: number,
    u: number, uStride: number, gr: number, a: number, y: number, yStride: number, gy: number, gyStride: number, gu: number,
    gn: number): void
  aim(cells: number, count: number, plane: number, z: number, zStride: number, group: number, links: number): void
  deform(x: number, count: number, taps: number, cellBytes: number, links: number, m: number, zStride: number, y: number,
    yStride: number): void
  deformBack(x: number, count: number, taps: number, cellBytes: number, links: number, m: number, zStride: number, gy: number,
    gyStride: number, gz: number, group: number, unit: number, g: number): void
  copyPairs(x: number, pairs: number, count: number, cellBytes: number, add: number): void
  loadRows: Rows
  storeRows: Rows
  addRows: Rows
  copyRows(to: number, toStride: number, from: number, fromStride: number, rows: number, bytes: number,
    end: number, add: number): void
  zero(from: number, bytes: number): void
  windows: Windows
  addWindows: Windows
  depthwise: Depthwise
  depthwiseBack: Depthwise
  depthwiseWeights: Depthwise
  exp(x: number, bytes: number): void
  sigmoid(x: number, bytes: number): void
  sqrt(x: number, bytes: number): void
  combine(operation: number, to: number, a: number, b: number, bytes: number): void
  select(to: number, c: number, a: number, b: number, bytes: number): void
  ranks(x: number, bytes: number): void
  winningTaps(x: number, bytes: number, taps: number, offsets: number, to: number): void
}

/** `values` are `stride` bytes apart, and go into, or come out of, `count` channels. */
type Given = (x: number, rowsAt: number, cellBytes: number, first: number, last: number, width: number, values: number,
  stride: number, channels: number, count: number) => void

type Windows = (x: number, cells: number, count: number, runs: number, offsets: number, runBytes: number, rows: number,
  stride: number) => void

/** `layout` is the spread of the results over channels or, backward, the number of filters. */
type Depthwise = (x: number, cells: number, count: number, taps: number, offsets: number, layout: number, k: number,
  vectors: number, y: number, stride: number) => void

type Perceive = (x: number, cells: number, count: number, filters: number, counts: number, taps: number,
  weights: number, cellBytes: number, y: number, stride: number) => void

type Rows = (x: number, rowsAt: number, cellBytes: number, dense: number, first: number, last: number, width: number,
  channels: number) => void

/** The numbers of activations in `assembly/activation.ts`. */
export const activations = {
  linear: 0, relu: 1, leakyRelu: 2, tanh: 3, sigmoid: 4, scaled: 5, gelu: 6, silu: 7, softplus: 8,
} as const

/** Whether the derivative of an activation is computed from its inputs, and not from its outputs. */
export const isBySums = (activation: number): boolean => activation >= activations.gelu

export function instantiate(module: WebAssembly.Module, memory: WebAssembly.Memory): Kernels {
  return new WebAssembly.Instance(module, { env: { memory, log: Math.log } }).exports as Kernels
}
