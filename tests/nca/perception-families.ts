// The equation of each kind of learned perception as loops: a family of cases for every kind.

import type fc from 'fast-check'
import { choice, readData } from '../../src/backends/fields.ts'
import type { Data, Padding, Tensor } from '../../src/index.ts'
import { attentionKind, type Attention } from '../../src/nca/perceptions/attention.ts'
import { convKind, type Conv } from '../../src/nca/perceptions/conv.ts'
import { deformableKind, type Deformable } from '../../src/nca/perceptions/deformable.ts'
import { depthwiseKind, type Depthwise } from '../../src/nca/perceptions/depthwise.ts'
import { windowOn, type PartKind, type WindowSize } from '../../src/nca/perceptions/kind.ts'
import { positionKind, type Position } from '../../src/nca/perceptions/position.ts'
import { residualConvKind, type ResidualConv } from '../../src/nca/perceptions/residual-conv.ts'
import { randomOf } from '../random-data.ts'

export type Params = Record<string, Data>

/** A state as a function of sample, row and column, also beyond its border. */
export type State = { shape: readonly number[]; at: (b: number, y: number, x: number) => number[] }

function wrapped(i: number, n: number, padding: Padding): number | null {
  if (i >= 0 && i < n) return i
  if (padding === 'zero') return null
  if (padding === 'circular') return ((i % n) + n) % n
  if (padding === 'replicate') return i < 0 ? 0 : n - 1
  const there = Math.abs(i) % Math.max(1, 2 * (n - 1))
  return Math.min(there, 2 * (n - 1) - there)
}

export function stateOf(s: Tensor, padding: Padding): State {
  const [, h, w, c] = s.shape
  const values = s.toArray()
  return {
    shape: s.shape,
    at(b, y, x) {
      const [j, i] = [wrapped(y, h, padding), wrapped(x, w, padding)]
      return Array.from({ length: c }, (_, k) => (j === null || i === null ? 0 : values[((b * h + j) * w + i) * c + k]))
    },
  }
}

/** What each cell perceives, one cell after the other. */
export function everywhere({ shape: [b, h, w] }: State, cell: (b: number, y: number, x: number) => number[]): number[] {
  return Array.from({ length: b * h * w }, (_, r) => cell(Math.floor(r / w / h), Math.floor(r / w) % h, r % w)).flat()
}

/** The places of a window of odd size, row by row. */
function window(size: WindowSize): [number, number][] {
  const [height, width] = windowOn(2, size)
  return Array.from({ length: height * width }, (_, t) => [Math.floor(t / width) - (height - 1) / 2, t % width - (width - 1) / 2])
}

/** u·W for a matrix of so many columns, from row `first` on. */
export function times(u: number[], w: Data, columns: number, first = 0): number[] {
  return Array.from({ length: columns }, (_, j) => u.reduce((t, v, i) => t + v * w[(first + i) * columns + j], 0))
}

export function plus(a: ArrayLike<number>, b: ArrayLike<number>): number[] {
  return Array.from(a, (v, i) => v + b[i])
}

const leaky = (v: number, slope = 0.2): number => (v > 0 ? v : slope * v)

/** Activations, as they are written down. */
const activate = { relu: (v: number) => Math.max(v, 0), leakyRelu: leaky, tanh: Math.tanh, sigmoid: (v: number) => 1 / (1 + Math.exp(-v)), linear: (v: number) => v, silu: (v: number) => v / (1 + Math.exp(-v)), softplus: (v: number) => Math.log(1 + Math.exp(v)), gelu: (v: number) => v / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))) }

function naiveConv(
  s: State, k: Data, size: WindowSize, dilation: number, n: number, b: number, y: number, x: number,
): number[] {
  const c = s.shape[3]
  return window(size).map(([dy, dx], t) => times(s.at(b, y + dilation * dy, x + dilation * dx), k, n, t * c))
    .reduce((all, each) => plus(all, each))
}

function naiveDepthwise({ filters, size }: Depthwise, p: Params, s: State): number[] {
  const c = s.shape[3]
  return everywhere(s, (b, y, x) => Array.from({ length: c * filters }, (_, i) => window(size).reduce((t, [dy, dx], tap) =>
    t + s.at(b, y + dy, x + dx)[Math.floor(i / filters)] * p.kernel[tap * c * filters + i], 0)))
}

function naiveConvolution({ outputs, size, dilation, activation, slope }: Conv, p: Params, s: State): number[] {
  return everywhere(s, (b, y, x) => plus(naiveConv(s, p.kernel, size, dilation, outputs, b, y, x), p.bias ?? new Array<number>(outputs).fill(0))
    .map(v => activate[activation](v, slope)))
}

function naiveResidual({ outputs, size, dilation, activation }: ResidualConv, p: Params, s: State): number[] {
  return everywhere(s, (b, y, x) => {
    const hidden = plus(naiveConv(s, p.k1, size, dilation, outputs, b, y, x), p.b1).map(v => activate[activation](v))
    return plus(plus(times(s.at(b, y, x), p.skip, outputs), times(hidden, p.k2, outputs)), p.b2)
  })
}

function naiveNorm(u: number[], scale: Data, shift: Data): number[] {
  const mean = u.reduce((a, b) => a + b) / u.length
  const variance = u.reduce((a, b) => a + (b - mean) ** 2, 0) / u.length
  return u.map((v, i) => (v - mean) / Math.sqrt(variance + 1e-5) * scale[i] + shift[i])
}

function naiveAttention({ outputs, heads, size, keys, feedForward }: Attention, p: Params, s: State): number[] {
  const width = heads * keys
  const z = (b: number, y: number, x: number): number[] => naiveNorm(s.at(b, y, x), p.scale, p.shift)
  return everywhere(s, (b, y, x) => {
    const q = times(z(b, y, x), p.query, width)
    const neighbours = window(size).map(([dy, dx]) => z(b, y + dy, x + dx))
    const seen = Array.from({ length: heads }, (_, h) => {
      const own = (u: number[]): number[] => u.slice(h * keys, (h + 1) * keys)
      const scores = neighbours.map((u, n) => {
        const k = own(times(u, p.key, width))
        return own(q).reduce((t, v, i) => t + v * k[i], 0) / Math.sqrt(keys) + p.position[n * heads + h]
      })
      const total = scores.reduce((t, v) => t + Math.exp(v), 0)
      return neighbours.map((u, n) => own(times(u, p.value, width)).map(v => v * Math.exp(scores[n]) / total))
        .reduce((all, each) => plus(all, each))
    }).flat()
    const out = plus(times(seen, p.output, outputs), p.bias)
    if (feedForward === 0) return out
    const hidden = plus(times(naiveNorm(out, p.scale2, p.shift2), p.w1, feedForward), p.b1).map(v => leaky(v))
    return plus(out, plus(times(hidden, p.w2, outputs), p.b2))
  })
}

/** Bilinear interpolation between the four cells around a place. */
function between(s: State, b: number, y: number, x: number): number[] {
  const [top, left] = [Math.floor(y), Math.floor(x)]
  const [down, right] = [y - top, x - left]
  const corners: [number, number, number][] = [
    [0, 0, (1 - down) * (1 - right)], [0, 1, (1 - down) * right], [1, 0, down * (1 - right)], [1, 1, down * right],
  ]
  return corners.map(([dy, dx, weight]) => s.at(b, top + dy, left + dx).map(v => v * weight))
    .reduce((all, each) => plus(all, each))
}

function naiveDeformable({ outputs, size, reach, modulated }: Deformable, p: Params, s: State): number[] {
  const taps = size * size
  return everywhere(s, (b, y, x) => {
    const chosen = plus(naiveConv(s, p.offsets, size, 1, (modulated ? 3 : 2) * taps, b, y, x), p.offsetBias)
    const moved = chosen.map(v => (reach === null ? v : reach * Math.tanh(v)))
    return window(size).map(([dy, dx], t) => {
      const weight = modulated ? activate.sigmoid(chosen[2 * taps + t]) : 1
      const seen = between(s, b, y + dy + moved[t], x + dx + moved[taps + t]).map(v => weight * v)
      return times(seen, p.kernel, outputs, t * s.shape[3])
    })
      .reduce((all, each) => plus(all, each), Array.from(p.bias))
  })
}

function naivePosition({ outputs, bands }: Position, p: Params, s: State): number[] {
  const [, h, w] = s.shape
  return everywhere(s, (_, y, x) => [[y, h], [x, w]].map(([i, n], axis) => {
    const u = (2 * i + 1) / n - 1
    const waves = Array.from({ length: 2 * bands }, (_, j) => (j % 2 === 0 ? Math.sin : Math.cos)(2 ** (j >> 1) * Math.PI * u))
    return times([u, ...waves], p.weight, outputs, axis * (1 + 2 * bands))
  }).reduce((all, each) => plus(all, each)))
}

/** A kind and its definition. */
export type Family<Part> = {
  kind: PartKind<Part>
  naive: (part: Part, p: Params, s: State) => number[]
  /** Whether it depends on the position of the cell, and so does not commute with shifts. */
  placed?: true
}

export const families = [
  { kind: depthwiseKind, naive: naiveDepthwise },
  { kind: convKind, naive: naiveConvolution },
  { kind: residualConvKind, naive: naiveResidual },
  { kind: attentionKind, naive: naiveAttention },
  { kind: deformableKind, naive: naiveDeformable },
  { kind: positionKind, naive: naivePosition, placed: true },
] as Family<object>[]

/** How many cells away a part reads. */
export function reachOf(part: object): number {
  const { size = 1, dilation = 1, reach = 0 } = part as { size?: WindowSize; dilation?: number; reach?: number }
  return dilation * (Math.max(...[size].flat()) - 1) / 2 + reach
}

/** Whether the sizes of its window, if it has several, are those of a plane. */
function onPlanes(part: object): boolean {
  const { size = 1 } = part as { size?: WindowSize }
  return typeof size === 'number' || size.length === 2
}

/** Parts of a kind that read at most so many cells away. */
export function partsOf<Part>(kind: PartKind<Part>, most: number): fc.Arbitrary<Part> {
  const field = choice<Part>([kind])
  return randomOf(field).map(part => readData(field, part).data).filter(part => onPlanes(part as object) && reachOf(part as object) <= most)
}
