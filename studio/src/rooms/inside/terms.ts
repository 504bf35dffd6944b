/**
 * A number of a cell as a sum: its terms from the largest to the smallest. Pure functions for the page.
 *
 *   Δc   = η · (b_c + Σ_j w_jc · h_j)          h_j = σ(b_j + Σ_i w_ij · y_i)          y_i = Σ_n k_n · s_n
 */
import type { CellNumbers, Seen } from './cell.ts'
import type { Facts } from './commands.ts'

/** weight · value, and the name of the value. */
export type Term = {
  /** Its index in the sum. */
  readonly i: number
  readonly name: string
  readonly weight: number
  readonly value: number
}

/** A sum that is shown: its name and result, its bias and terms, and what is applied to it. */
export type Shown = {
  readonly name: string
  readonly value: number
  readonly bias: number
  readonly terms: readonly Term[]
  /** What is applied to the sum, in words; '' for nothing. */
  readonly after: string
}

const byProduct = (a: Term, b: Term): number => Math.abs(b.weight * b.value) - Math.abs(a.weight * a.value)

/** The change of channel number k of those that are not frozen. */
export function changeOf({ hidden, weights, channels, changing, lastActivation, stepSize }: Facts, cell: CellNumbers, k: number): Shown {
  const layer = hidden.length + 1
  return {
    name: `Δ${channels[changing[k]]}`,
    value: cell.change[k],
    bias: weights[`b${layer}`]?.[k] ?? 0,
    terms: layerTerms(weights[`w${layer}`], cell.hidden.at(-1)!, k, changing.length, j => `h${layer - 1}.${j}`),
    after: [lastActivation === 'linear' ? '' : lastActivation, stepSize === 1 ? '' : `times η = ${stepSize}`].filter(word => word !== '').join(', '),
  }
}

/** Unit j of a hidden layer; layers count from 1. A layer norm after its sum depends on the sums of the other units, too. */
export function unitOf({ hidden, weights, groups, perception, activation, residual }: Facts, cell: CellNumbers, layer: number, j: number): Shown {
  const inputs = layer === 1 ? normOf(cell.perception, 0, { weights, groups }) : cell.hidden[layer - 2]
  const named = (i: number): string => (layer === 1 ? perception[i] : `h${layer - 1}.${i}`)
  const carried = residual && inputs.length === hidden[layer - 1]
  return {
    name: `h${layer}.${j}`,
    value: cell.hidden[layer - 1][j],
    bias: weights[`b${layer}`]?.[j] ?? 0,
    terms: layerTerms(weights[`w${layer}`], inputs, j, hidden[layer - 1], named),
    after: [weights[`scale${layer}`] ? 'layer norm' : '', activation === 'linear' ? '' : activation, carried ? `plus ${named(j)}` : ''].filter(word => word !== '').join(', '),
  }
}

/** Numbers after the layer norm number `layer`, or unchanged if there is none; number 0 is that of the perception. */
export function normOf(numbers: Float32Array, layer: number, { weights, groups }: Pick<Facts, 'weights' | 'groups'>): Float32Array {
  const scale = weights[`scale${layer}`], shift = weights[`shift${layer}`]
  if (!scale) return numbers
  const size = numbers.length / groups
  return numbers.map((v, i) => {
    const group = numbers.slice(i - i % size, i - i % size + size)
    const mean = group.reduce((sum, u) => sum + u, 0) / size
    const variance = group.reduce((sum, u) => sum + (u - mean) ** 2, 0) / size
    return (v - mean) / Math.sqrt(variance + 1e-5) * scale[i] + shift[i]
  })
}

function layerTerms(
  w: Float32Array, inputs: Float32Array, j: number, outputs: number, named: (i: number) => string,
): Term[] {
  return Array.from(inputs, (value, i) => ({ i, name: named(i), weight: w[i * outputs + j], value })).sort(byProduct)
}

/** The perceived number i. */
export function perceivedOf({ perception, channels }: Facts, i: number, { value, taps, bias, activation }: Seen): Shown {
  const terms = taps.map(({ dy, dx, channel, weight, neighbour }, n) => (
    { i: n, name: `${channels[channel]} (${signed(dx)}, ${signed(dy)})`, weight, value: neighbour ?? 0 }
  ))
  return { name: perception[i], value, bias, terms: terms.sort(byProduct), after: activation === 'linear' ? '' : activation }
}

const signed = (n: number): string => (n > 0 ? `+${n}` : n < 0 ? `−${-n}` : '0')

/** A number in about three digits, with a true minus sign. */
export function digits(x: number): string {
  if (x === 0 || !Number.isFinite(x)) return String(x)
  const size = Math.abs(x)
  const text = size >= 1000 || size < 1e-3 ? size.toExponential(1).replace('.0e', 'e').replace('e-', 'e−').replace('e+', 'e') : size.toPrecision(3).replace(/(\.\d*?)0+$/, '$1').replace(/\.$/, '')
  return x < 0 ? `−${text}` : text
}
