/**
 * U: the update network of a cell, from what it perceives to how its channels change.
 *
 *   h₀ = y          h_i = σ(h_(i−1)·w_i + b_i)          U(y) = τ(h_L·w_(L+1) + b_(L+1))
 *
 * Growing NCA has one hidden layer of ReLUs, and a last layer that is initialised with zeros (Mordvintsev et al. 2020), so that
 * an untrained rule changes nothing. τ is linear by default; tanh bounds each change. A residual network adds to each hidden
 * layer the one before it, where both have the same width (He et al. 2016): h_i = h_(i−1) + σ(h_(i−1)·w_i + b_i). A norm N is
 * applied to what is perceived, to the sums of hidden layers, or to both. It is the layer norm of each cell's numbers, or of
 * groups of them (`layerNorm`; Ba et al. 2016): h₀ = N(y), h_i = σ(N(h_(i−1)·w_i + b_i)).
 */
import { dataOf, oneOrMore, orNull, record, type Expect, type Field, type Path, type Table } from '../backends/fields.ts'
import { flag, numberFrom, oneOf } from '../backends/options.ts'
import type { Activation } from '../backends/program.ts'
import { add } from '../tensor/ops/arithmetic.ts'
import { where } from '../tensor/ops/compare.ts'
import { dense } from '../tensor/ops/dense.ts'
import { gelu, leakyRelu, leakySlope, relu, sigmoid, silu, softplus, tanh } from '../tensor/ops/functions.ts'
import { layerNorm } from '../tensor/ops/layer-norm.ts'
import { reshape } from '../tensor/ops/reshape.ts'
import { stopGradient } from '../tensor/ops/stop-gradient.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { most, units } from './rule/limits.ts'
import type { ParamSpec } from './perceptions/kind.ts'

export type { Activation }

const functions: Readonly<Record<Activation, (x: Tensor, slope: number) => Tensor>> = {
  relu, leakyRelu, tanh, sigmoid, gelu, silu, softplus, linear: x => x,
}

/** The names of all activations. */
export const activations: readonly Activation[] = Object.keys(functions) as Activation[]

const names: Readonly<Record<Activation, string>> = {
  relu: 'ReLU', leakyRelu: 'leaky ReLU', tanh: 'tanh', sigmoid: 'sigmoid', gelu: 'GELU', silu: 'SiLU', softplus: 'softplus',
  linear: 'linear',
}

/** An activation in words. */
export function activationInWords(activation: Activation, slope: number = leakySlope): string {
  const other = activation === 'leakyRelu' && slope !== leakySlope
  return names[activation] + (other ? ` of slope ${slope}` : '')
}

/** σ(x), with the slope of leaky ReLUs below 0. */
export function activate(activation: Activation, x: Tensor, slope: number = leakySlope): Tensor {
  return functions[activation](x, slope)
}

/** The slope of leaky ReLUs. With a negative one, two different inputs would have the same output. */
export const slopeField: Field<number> = {
  ...numberFrom(0, 1), default: leakySlope, about: 'Slope of leaky ReLUs below 0',
}

const normPlaces = ['perception', 'hidden', 'both'] as const

/** A layer norm of each cell's numbers: of the perception, of the sums of hidden layers before their activation, or of both. */
export type Norm = {
  readonly on: (typeof normPlaces)[number]
  /** Groups of neighbouring numbers, each with its own mean and variance; must divide the count of numbers; default 1. */
  readonly groups: number
}

const normTable: Table<Norm> = {
  fields: {
    on: { ...oneOf(normPlaces), about: 'What is normalised: the perception, the sums of hidden layers, or both' },
    groups: { ...units, default: 1, about: 'Groups of numbers, each with its own mean and variance' },
  },
}

/** Whether a network has the norm of a layer: 0 is the perception, 1 and on are the hidden layers. */
export function hasNorm({ norm }: Mlp, layer: number): boolean {
  return norm?.on === 'both' || norm?.on === (layer === 0 ? 'perception' : 'hidden')
}

/** A network of dense layers, applied to the perception of each cell. */
export type Mlp = {
  readonly type: 'mlp'
  /** Units of the hidden layers, from the first to the last. */
  readonly hidden: readonly number[]
  /** The activation of hidden layers, default 'relu'. */
  readonly activation: Activation
  /** Slope of leaky ReLUs below 0, from 0 to 1; default 0.2, as in NCAtorch (PyTorch and JAX: 0.01). */
  readonly slope: number
  /** Whether each hidden layer adds the one before it, where that has the same width; default false. */
  readonly residual: boolean
  /**
   * How hidden layers are initialised: 'keras' (default), Glorot's uniform and zero biases, or 'torch', U(±1/√in) for weights
   * and biases. A rule that starts from a state of zeros needs nonzero biases to learn: without them every ReLU stays at 0.
   */
  readonly init: 'keras' | 'torch'
  /**
   * Standard deviation of the last layer's initial weights, default 0 as published, with which an untrained rule changes
   * nothing; NCAtorch takes 1e-3.
   */
  readonly lastStd: number
  /** Whether the last layer has a bias, default true. */
  readonly lastBias: boolean
  /** The activation of the last layer, whose output is the change of the cell; default 'linear'. */
  readonly lastActivation: Activation
  /** The layer norm of the network; null, the default, for none. */
  readonly norm: Norm | null
}

export type MlpOptions = Partial<Omit<Mlp, 'type' | 'hidden' | 'norm'>> & {
  /** What is normalised, and in how many groups, 1 by default; null, the default, for no norm. */
  readonly norm?: Pick<Norm, 'on'> & Partial<Norm> | null
}

/**
 * Weights w1, w2, … `[in, out]` and biases b1, b2, … `[out]` of the layers; the last bias only if the network has one. With
 * norms, also scale0 and shift0 of the perception, `[in]`, and scale1, shift1, … of hidden layers, `[out]`.
 */
export type MlpParams = Readonly<Record<`w${number}` | `b${number}` | `scale${number}` | `shift${number}`, Tensor>>

/**
 * A network with hidden layers. By default that of Growing NCA: ReLUs, and a last layer with bias that starts at zero.
 *
 * @param hidden units of the hidden layer, or of each of several
 * @throws for an option that a network does not have, or a value that it cannot take
 * @example mlp(96, { activation: 'tanh', lastBias: false })
 * @example mlp(96, { norm: { on: 'perception' } })
 * @example mlp([80, 80], { activation: 'leakyRelu', slope: 0.01, residual: true, lastStd: 1e-3 })
 */
export function mlp(hidden: number | readonly number[], options: MlpOptions = {}): Mlp {
  return dataOf('mlp', mlpTable, { hidden: hidden as readonly number[] }, options)
}

export const mlpTable: Table<Mlp> = {
  type: 'mlp',
  fields: {
    hidden: { ...oneOrMore(units, 'layers', most.layers), about: 'Units of the hidden layer, or of each of several' },
    activation: { ...oneOf(activations), default: 'relu', about: 'Activation function of hidden layers' },
    slope: slopeField,
    residual: { ...flag, default: false, about: 'Whether hidden layers add the one before them, if it has the same width' },
    init: { ...oneOf(['keras', 'torch']), default: 'keras', about: 'First weights of hidden layers, as in Keras or PyTorch' },
    lastStd: { ...numberFrom(0), default: 0, about: "Standard deviation of the last layer's first weights" },
    lastBias: { ...flag, default: true, about: 'Whether the last layer has a bias' },
    lastActivation: { ...oneOf(activations), default: 'linear', about: 'Activation function of the last layer, whose output is the change' },
    norm: { ...orNull(record(normTable)), default: null, about: 'Layer norm; null: none' },
  },
  together({ hidden, norm }, expect) {
    const odd = norm && norm.on !== 'perception' ? hidden.find(n => n % norm.groups !== 0) : undefined
    expect(odd === undefined, ['norm', 'groups'], norm?.groups, `a divisor of the units of each hidden layer, like ${odd}`)
  },
}

/** Expects the number of a network's inputs to be a multiple of the groups of its norm. */
export function expectGroups({ norm }: Mlp, inputs: number, path: Path, what: string, expect: Expect): void {
  const whole = !norm || norm.on === 'hidden' || inputs % norm.groups === 0
  expect(whole, [...path, 'norm', 'groups'], norm?.groups, `a divisor of ${inputs}, of ${what}`)
}

/** The parameters of a network from `inputs` to `outputs` numbers, by name, in order. */
export function mlpParams(network: Mlp, inputs: number, outputs: number): Record<string, ParamSpec> {
  const { hidden, init, lastStd, lastBias } = network
  const widths = [inputs, ...hidden]
  const last = hidden.length + 1
  const normParams = (layer: number, n: number): [string, ParamSpec][] => (hasNorm(network, layer)
    ? [[`scale${layer}`, { shape: [n], init: 'ones' }], [`shift${layer}`, { shape: [n], init: 'zeros' }]] : [])
  const torch = (inputs: number) => (init === 'torch' ? { limit: 1 / Math.sqrt(inputs) } : null)
  return {
    ...Object.fromEntries(normParams(0, inputs)),
    ...Object.fromEntries(hidden.flatMap((n, i): [string, ParamSpec][] => [
      [`w${i + 1}`, { shape: [widths[i], n], init: torch(widths[i]) ?? { glorot: [widths[i], n] } }],
      [`b${i + 1}`, { shape: [n], init: torch(widths[i]) ?? 'zeros' }],
      ...normParams(i + 1, n),
    ])),
    [`w${last}`]: { shape: [hidden.at(-1)!, outputs], init: lastStd > 0 ? { std: lastStd } : 'zeros' },
    ...(lastBias ? { [`b${last}`]: { shape: [outputs], init: 'zeros' } } : {}),
  }
}

/**
 * The outputs of all layers for y `[b,h,w,inputs]`: h₁ … h_L and, last, U(y) `[b,h,w,outputs]`. In U, cells outside `mask`
 * `[b,h,w]` are 0, and derivatives go only through the cells of `gradMask`.
 */
export function mlpLayers(network: Mlp, params: MlpParams, y: Tensor, mask?: Tensor, gradMask?: Tensor): Tensor[] {
  const { hidden, activation, slope, residual, lastActivation } = network
  const last = hidden.length + 1
  const comparable = (x: Tensor, layer: number): Tensor => (
    hasNorm(network, layer) ? cellsNorm(network, params, x, layer, { mask, gradMask }) : x)
  const sums = (x: Tensor, n: number): Tensor => dense(x, params[`w${n}`], { bias: params[`b${n}`], mask, gradMask })
  const layers: Tensor[] = []
  hidden.forEach((n, i) => {
    const x = layers.at(-1) ?? comparable(y, 0)
    const next = activate(activation, comparable(sums(x, i + 1), i + 1), slope)
    layers.push(residual && x.shape.at(-1) === n ? add(x, next) : next)
  })
  const change = sums(layers.at(-1)!, last)
  if (lastActivation === 'linear') return [...layers, change]
  const bounded = activate(lastActivation, change, slope)
  return [...layers, mask ? where(onChannels(mask), bounded, 0) : bounded]
}

/**
 * The norm of cells; derivatives go only through the cells of `gradMask`. A cell that is left out is replaced before anything is
 * computed: a NaN or ∞ in it would otherwise reach the derivatives of scale and shift.
 */
function cellsNorm(
  { norm }: Mlp, params: MlpParams, x: Tensor, layer: number, { mask, gradMask = mask }: { mask?: Tensor; gradMask?: Tensor },
): Tensor {
  const how = { scale: params[`scale${layer}`], shift: params[`shift${layer}`], groups: norm!.groups }
  if (!gradMask) return layerNorm(x, how)
  const through = layerNorm(where(onChannels(gradMask), x, 0), how)
  return gradMask === mask ? through : where(onChannels(gradMask), through, stopGradient(layerNorm(x, how)))
}

/** A mask `[b,h,w]` as `[b,h,w,1]`. */
function onChannels(mask: Tensor): Tensor {
  return reshape(mask, [...mask.shape, 1])
}
