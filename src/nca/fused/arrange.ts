/**
 * A rule as a program and its inputs: plain data, and arrays that operators make of the parameters, so that what is
 * owed to the parameters follows by their adjoints.
 */
import type { Activation as ProgramActivation, Program, View } from '../../backends/program.ts'
import { add, mul } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { matmul } from '../../tensor/ops/dense.ts'
import { depthwiseConv } from '../../tensor/ops/depthwise-conv/depthwise-conv.ts'
import { leakySlope } from '../../tensor/ops/functions.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { pad, slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { MlpParams } from '../mlp.ts'
import { filtersKernel, joined, sameSize } from '../perceive.ts'
import { isLearned } from '../perceptions/kinds.ts'
import { channelCount, updatedChannels } from '../rule/channels.ts'
import { perceptionSize } from '../rule/parameters.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import {
  activationsOf, hasBias, isConvolution, isLinear, seesWindow, slopesOf, sumOf, tapsOf, windowSize,
} from './sight.ts'

/**
 * The program of a rule from states like `x` `[b,h,w,c]`, for one that can be fused (`eligible.ts`), and its inputs beside
 * the state, made of the parameters; `folded` where some of these are multiplied with others.
 */
export function arrange(
  rule: DataRule, x: Tensor, angle: number,
): { program: Program; folded: boolean; inputsOf: (params: DataParams) => Tensor[] } {
  const folded = seesWindow(rule) && isLinear(rule) && (
    rule.perceive.length > 1 || x.backend.runner!.mostLayers < rule.update.hidden.length + 2 || foldingPays(rule))
  const views = viewsOf(rule, angle, folded)
  return {
    program: programOf(rule, x, folded, views),
    folded,
    inputsOf: params => inOrder(rule, [
      ...perceptionInputs(rule, params, { folded, views, angle, like: x }), ...networkInputs(rule, params.update),
    ]),
  }
}

/**
 * The inputs in the order in which runners read them (`Program`): channels in whole fours, filter by filter or tap by tap;
 * and an output of the last layer for every channel, zero for those that never change.
 */
function inOrder(rule: DataRule, inputs: readonly Tensor[]): Tensor[] {
  const channels = channelCount(rule.channels)
  const toFours = (t: Tensor, axis: number): Tensor => channels % 4 === 0 ? t
    : pad(t, t.shape.map((_, i) => [0, i === axis ? 4 - channels % 4 : 0] as const))
  const ordered = [...inputs]
  if (seesWindow(rule)) {
    const [matrix] = inputs, columns = matrix.shape[1]
    ordered[0] = reshape(toFours(reshape(matrix, [-1, channels, columns]), 1), [-1, columns])
  } else {
    const [kernel, w1] = inputs
    const [size, , , filters] = kernel.shape, columns = w1.shape[1]
    ordered[0] = toFours(transpose(reshape(kernel, [size * size, channels, filters]), [0, 2, 1]), 2)
    ordered[1] = reshape(toFours(transpose(reshape(w1, [channels, filters, columns]), [1, 0, 2]), 1), [-1, columns])
  }
  const updated = updatedChannels(rule)
  if (updated.length === channels) return ordered
  // A column of zeros behind the others stands for every channel that never changes.
  const from = Array.from({ length: channels }, (_, c) => (updated.includes(c) ? updated.indexOf(c) : updated.length))
  const spreadOut = (t: Tensor): Tensor =>
    gather(pad(t, t.shape.map((_, i) => [0, +(i === t.shape.length - 1)] as const)), from, t.shape.length - 1)
  const first = ordered.length - (rule.update.lastBias ? 2 : 1)
  return ordered.map((t, i) => (i >= first ? spreadOut(t) : t))
}

/**
 * What the first outputs of a program that sees windows see, all of them the same where the perception is folded into the
 * first layer. Else its parts are convolutions, each with the same function behind it; where their windows differ, each is
 * a view of its own, since a zero in the place of what a part does not see would, times NaN, be NaN.
 */
function viewsOf(rule: DataRule, angle: number, folded: boolean): View[] {
  const one = (outputs: number): View[] => [{ taps: tapsOf(rule, angle), outputs }]
  if (folded) return one(rule.update.hidden[0])
  const views = rule.perceive.map(part => ({
    taps: tapsOf(rule, angle, [part]), outputs: ceilTo16(perceptionSize({ ...rule, perceive: [part] })),
  }))
  return views.every(({ taps }) => `${taps}` === `${views[0].taps}`) ? one(perceptionSize(rule)) : views
}

const ceilTo16 = (n: number): number => Math.ceil(n / 16) * 16

function programOf(rule: DataRule, x: Tensor, folded: boolean, views: readonly View[]): Program {
  const [batch, height, width, channels] = x.shape
  const size = windowSize(rule)
  const perceived = perceptionSize(rule)
  const { hidden, lastBias } = rule.update
  // Whoever asks for a program has asked `whyComposed`.
  const [first, activation] = [activationsOf(rule)[0], rule.update.activation] as ProgramActivation[]
  return {
    batch, height, width, channels,
    padding: rule.padding,
    perception: seesWindow(rule)
      ? { type: 'window', size, views }
      : { type: 'filters', size, filters: perceived / channels, learned: rule.perceive.some(isLearned) },
    layers: [
      ...(seesWindow(rule) && !folded
        ? [{ outputs: sumOfOutputs(views), activation: first, bias: hasBias(rule) }]
        : []),
      ...hidden.map(outputs => ({ outputs, activation, bias: true })),
      { outputs: channels, activation: 'linear', bias: lastBias },
    ],
    slope: slopesOf(rule)[0] ?? leakySlope,
    updated: updatedChannels(rule),
    fireRate: rule.fireRate,
    inputMask: rule.inputMask,
    noise: rule.noise && rule.noise.std,
    bound: rule.bound && { low: -1, high: 1, ...rule.bound, squash: rule.bound.type === 'tanh' },
    living: rule.living,
  }
}

/**
 * The inputs of the program up to the first layer of the network: the kernel of all filters `[size,size,c,F]`; or,
 * where there are convolutions, the whole perception as one matrix `[taps·c, perceptionSize]`, and its bias if it
 * has one. Folded, the matrix and the bias are multiplied with the first layer and take its place: part by part, so that
 * no zero stands for what a part does not see, which times NaN would be NaN in the derivatives. Therefore several linear
 * parts are always folded. Convolutions with an activation cannot be; the matrix of several views has their blocks along
 * its diagonal, and in w1 rows of zeros stand for the outputs with which these are padded.
 */
function perceptionInputs(
  rule: DataRule, { perceive, update: { w1, b1 } }: DataParams,
  { folded, views, angle, like }: { folded: boolean; views: readonly View[]; angle: number; like: Tensor },
): Tensor[] {
  const filters = filtersKernel(rule, { perceive }, { angle, like })
  if (!seesWindow(rule)) return [filters!, w1, b1]
  const learned = rule.perceive.filter(isLearned)
  const parts = learned.flatMap((part, i) =>
    (isConvolution(part) ? [{ window: sumOf(part)!, kernel: perceive![i].kernel, bias: perceive![i].bias }] : []))
  if (!folded) {
    const kernels = sameSize(parts.map(({ window, kernel }) => spread(kernel, window.dilation)))
    const biases = parts.map(({ bias, kernel }) => bias ?? zeros([kernel.shape[3]], { like }))
    if (views.length === 1) {
      return [asMatrix(joined(kernels), views[0].taps), ...(hasBias(rule) ? [joined(biases)] : []), w1, b1]
    }
    const all = sumOfOutputs(views)
    const [blocks, wideBiases, rows] = [[], [], []] as Tensor[][]
    let row = 0, column = 0
    views.forEach(({ taps, outputs }, i) => {
      const [n] = biases[i].shape
      blocks.push(pad(asMatrix(kernels[i], taps), [[0, 0], [column, all - column - n]]))
      wideBiases.push(pad(biases[i], [[0, outputs - n]]))
      rows.push(pad(slice(w1, [row, 0], [n, w1.shape[1]]), [[0, outputs - n], [0, 0]]))
      row += n
      column += outputs
    })
    return [concat(blocks, 0), ...(hasBias(rule) ? [concat(wideBiases, 0)] : []), concat(rows, 0), b1]
  }
  // The rows of w1 are those of the filters, then those of each convolution.
  const hidden = w1.shape[1]
  let row = w1.shape[0] - parts.reduce((all, { kernel }) => all + kernel.shape[3], 0)
  const products = filters ? [foldFilters(filters, slice(w1, [0, 0], [row, hidden]))] : []
  let first = b1
  for (const { window, kernel, bias } of parts) {
    const [size, , channels, outputs] = kernel.shape
    const own = slice(w1, [row, 0], [outputs, hidden])
    const product = matmul(reshape(kernel, [-1, outputs]), own)
    products.push(spread(reshape(product, [size, size, channels, hidden]), window.dilation))
    if (bias) first = add(first, reshape(matmul(reshape(bias, [1, outputs]), own), [hidden]))
    row += outputs
  }
  return [asMatrix(sameSize(products).reduce(add), views[0].taps), first]
}

const sumOfOutputs = (views: readonly View[]): number => views.reduce((sum, { outputs }) => sum + outputs, 0)

/** A kernel `[k,k,c,n]` as the matrix `[taps·c, n]` of its taps. */
function asMatrix(kernel: Tensor, taps: readonly number[]): Tensor {
  const [size, , channels, n] = kernel.shape
  const window = reshape(kernel, [size * size, channels, n])
  return reshape(taps.length < size * size ? gather(window, taps, 0) : window, [-1, n])
}

/**
 * Filters `[k,k,c,F]` times the rows `[c·F, n]` of a layer that reads them: the kernel `[k,k,c,n]`, Σ_f k[t,c,f]·w[c·F+f,j].
 * It is made by depthwiseConv, to which the columns are cells of c·F channels, and the taps filters: since there a weight
 * of zero looks at nothing.
 */
function foldFilters(filters: Tensor, w: Tensor): Tensor {
  const [size, , channels, count] = filters.shape
  const taps = size * size, n = w.shape[1], rows = channels * count
  const kernel = reshape(transpose(reshape(filters, [taps, rows]), [1, 0]), [1, 1, rows, taps])
  const terms = depthwiseConv(reshape(transpose(w, [1, 0]), [1, 1, n, rows]), kernel)
  return reshape(transpose(sum(reshape(terms, [n, channels, count, taps]), 2), [2, 1, 0]), [size, size, channels, n])
}

/** A kernel `[k,k,c,n]` with its taps so many cells apart, zeros between them. */
function spread(kernel: Tensor, dilation: number): Tensor {
  if (dilation === 1) return kernel
  const [k, , c, n] = kernel.shape
  const gap = [0, dilation - 1] as const, none = [0, 0] as const
  const apart = pad(reshape(kernel, [k, 1, k, 1, c, n]), [none, gap, none, gap, none, none])
  const size = (k - 1) * dilation + 1
  return slice(reshape(apart, [k * dilation, k * dilation, c, n]), [0, 0, 0, 0], [size, size, c, n])
}

/** Weights and biases of the network after its first layer; the step size is multiplied into the last. */
function networkInputs({ update: { hidden }, stepSize }: DataRule, update: MlpParams): Tensor[] {
  const last = hidden.length + 1
  return Array.from({ length: hidden.length }, (_, i) => i + 2).flatMap(n => {
    const layer = [update[`w${n}`], update[`b${n}`]].filter(p => p !== undefined)
    return n === last && stepSize !== 1 ? layer.map(p => mul(stepSize, p)) : layer
  })
}

/**
 * A linear perception before a linear layer is one matrix, their product: K (window → perceived) times w1. Whether that
 * matrix has fewer numbers than the two.
 */
function foldingPays(rule: DataRule): boolean {
  const window = tapsOf(rule, 0).length * channelCount(rule.channels)
  const perceived = perceptionSize(rule), [hidden] = rule.update.hidden
  return window * hidden <= perceived * (window + hidden)
}
