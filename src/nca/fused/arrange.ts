/**
 * A rule as a program and its inputs. The program is plain data; its inputs are arrays that operators make from the
 * parameters, so that the gradient of the parameters follows from theirs by the derivatives of these operators.
 */
import { ceilTo } from '../../backends/ceil-to.ts'
import { chosenBy, type Applied, type Box, type Layer, type Program, type View } from '../../backends/program.ts'
import { add, mul } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { dense } from '../../tensor/ops/dense.ts'
import { depthwiseConv } from '../../tensor/ops/depthwise-conv/depthwise-conv.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { pad } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import { sizeOf } from '../../tensor/shape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { MlpParams } from '../mlp.ts'
import { filtersKernel, joined, within } from '../perceive.ts'
import { isLearned } from '../perceptions/kinds.ts'
import { channelCount, updatedChannels } from '../rule/channels.ts'
import { partSize, perceptionSize } from '../rule/parameters.ts'
import type { DataParams, DataRule, Perception } from '../rule/types.ts'
import { askingOf, attendedIn } from './attention.ts'
import { deformedIn, movingOf } from './deformable.ts'
import { excludesZero } from './eligible.ts'
import { extend, inFours } from './extend.ts'
import { fronted, frontedParams, hiddenLayers, type Hidden } from './norms.ts'
import { isResidual, plain, plainParams, readingPlain } from './plain.ts'
import { ownChannels, placed, placedParams, placedState, readingPlaced } from './position.ts'
import { readingSeen } from './reading.ts'
import { learnedIn, rowsBy, times, type Reading } from './rows.ts'
import { choosesWhere, inThree, isConvolution, isLinear, seesWindow, sumOf, tapsOf, tapsWithin, windowOf } from './sight.ts'

/**
 * The program of a rule that can be fused (`eligible.ts`) for states like `x` `[b,h,w,c]`, and its inputs, which are made from
 * the parameters and a state; `folded` where some parameters are multiplied with others.
 */
export function arrange(
  whole: DataRule, x: Tensor, angle: number, written: Program['given'] = null,
): { program: Program; folded: boolean; inputsOf: (params: DataParams, x: Tensor) => Tensor[] } {
  // The program has the perception of the plain rule, but the layers of the given one: a norm and a residual layer count what that perceives.
  const given = fronted(whole), located = placed(given), rule = plain(located)
  const hidden = hiddenLayers(given), residual = hidden.map(({ adds }) => adds)
  const choosing = rule.perceive.some(choosesWhere)
  const folded = seesWindow(rule) && isLinear(rule) && !residual[0] && !choosing && (
    rule.perceive.length > 1 || x.backend.runner!.mostLayers < rule.update.hidden.length + 2 || foldingPays(rule))
  const views = viewsOf(rule, angle, folded && hidden[0], x.backend.runner!.multiples.hidden)
  const program = { ...programOf(rule, x, { folded, views, hidden }), given: written }
  return {
    program,
    folded: folded || isResidual(given) || choosing,
    inputsOf: (wholeParams, state) => {
      const own = frontedParams(whole, wholeParams), wide = placedParams(given, own)
      const params = plainParams(located, wide), { w1, b1 } = params.update
      const filters = wideFilters(rule, params, { angle, like: x })
      const seen = (layer: Reading): Reading => readingSeen(rule, params, program, layer)
      const first = folded ? [foldedLayer(rule, params, views[0].taps, filters)]
        : [...(seesWindow(rule) ? [windowLayer(rule, params, { program, like: x })] : []), seen([w1, b1])]
      const network = program.layers.slice(-residual.length - 1)
      /** A layer that reads hidden layer i. If that is residual, what it adds comes first among its columns. */
      const reading = (i: number, layer: Reading): Reading => {
        if (!residual[i]) return layer
        const [rows, b] = i > 0 ? reading(i - 1, layer) : seen(readingPlain(located, wide, readingPlaced(given, own, layer)))
        // Padded even if by nothing, so that gradients are added in the same order whatever columns there are.
        const before = pad(rows, [[0, network[i].first - rows.shape[0]], [0, 0]])
        return [concat([before, layer[0]], 0), b]
      }
      const further = furtherLayers(rule, own.update).map((layer, i) => reading(i, layer))
      const norms = network.map(({ groups }, i) => (groups > 0 ? [own.update[`scale${i + 1}`], own.update[`shift${i + 1}`]] : []))
      const layers = [...first, ...further].map((layer, l): Tensor[] => (
        [...layer, ...norms[l - program.layers.length + network.length] ?? []]))
      const asks = [...movingOf(rule, params), ...askingOf(rule, params, program.perception.attention)]
      return [placedState(given, own, state), ...packed(program, folded ? null : filters, layers, asks)]
    },
  }
}

/** The kernel of all filters, as large as the window of the rule, or null where it has none. */
function wideFilters(rule: DataRule, params: DataParams, options: { angle: number; like: Tensor }): Tensor | null {
  const filters = filtersKernel(rule, params, options)
  return filters && within(windowOf(rule).slice(-rule.grid), filters)
}

/**
 * The arrays in the layout of `ProgramRunner`: channels padded to multiples of four; an output of the last layer for every
 * channel, zero for those that never change; and all but the first weights in one array.
 *
 * @param kernel `[…,c,F]`, or null where there are no filters
 * @param given the layers: weights and bias of each, then scale and shift where it has a norm. The first layer reads what is
 *   perceived or, where there are views, the window as `[taps·c]`
 * @param asks what moves the taps of deformable convolutions, and what makes the queries of attention
 */
function packed(
  { channels, layers, updated, perception }: Program, kernel: Tensor | null, given: readonly Tensor[][], asks: readonly Tensor[],
): Tensor[] {
  const last = layers.length - 1
  // Every channel that never changes reads one column of zeros, appended to those of the last layer.
  const from = Array.from({ length: channels }, (_, c) => (updated.includes(c) ? updated.indexOf(c) : updated.length))
  function columns(t: Tensor, l: number): Tensor {
    const axis = t.shape.length - 1
    const all = l < last || updated.length === channels ? t : gather(extend(t, axis, updated.length + 1), from, axis)
    const { first, columns: n } = layers[l], own = all.shape[axis]
    return own === n ? all : pad(all, all.shape.map((_, i) => (i === axis ? [first, n - first - own] : [0, 0])))
  }
  const [[w1, ...vectors], ...further] = given
  const all = columns(w1, 0)
  const isWindow = perception.views.length > 0, before = isWindow ? seenBefore(perception, channels) : 0
  const rows = isWindow ? reshape(inFours(reshape(all, [-1, channels, layers[0].columns])), [-1, layers[0].columns]) : all
  const rest = further.flatMap(([w, ...vectors], i) => (
    [reshape(extend(columns(w, i + 1), 0, layers[i].columns), [-1]), ...vectors.map(t => columns(t, i + 1))]))
  const filters = kernel && transpose(reshape(kernel, [-1, channels, kernel.shape.at(-1)!]), [2, 0, 1])
  return [
    ...(filters ? [inFours(filters, 2)] : []),
    before > 0 ? pad(rows, [[before, 0], [0, 0]]) : rows,
    concat([...vectors.map(t => columns(t, 0)), ...rest, ...asks], 0),
  ]
}

/** How many numbers come before those of the views: what moved taps and attention see, and what filters make. */
function seenBefore(
  perception: Pick<Program['perception'], 'deformable' | 'attention' | 'filters'>, channels: number,
): number {
  const padded = ceilTo(channels, 4)
  return chosenBy(perception, padded) + perception.filters * padded
}

/** The activation of a part, without its other fields. */
const appliedBy = ({ activation, slope }: Applied): Applied => ({ activation, slope })

/**
 * The views of a program, which say what of the window its first outputs see. Where the perception is folded into the first
 * hidden layer, all of them see the same. Otherwise the parts are convolutions, each followed by an activation. Where their windows
 * or activations differ, each is a view of its own: a zero weight for what a part does not see would make NaN of a NaN there.
 */
function viewsOf(rule: DataRule, angle: number, folded: Hidden | false, multiple: number): View[] {
  const view = (parts: readonly Perception[], outputs: number, part: Applied): View =>
    ({ taps: tapsOf(rule, angle, parts), outputs, columns: ceilTo(outputs, multiple), ...appliedBy(part) })
  if (folded) return [view(rule.perceive, folded.outputs, folded)]
  const parts = rule.perceive.filter(isConvolution)
  const views = parts.map(part => view([part], partSize(rule, part), sumOf(part)!))
  const alike = ({ taps, activation, slope }: View): string => `${taps} ${activation} ${slope}`
  if (views.length < 2 || views.some(v => alike(v) !== alike(views[0]))) return views
  return [view(parts, views.reduce((sum, { outputs }) => sum + outputs, 0), sumOf(parts[0])!)]
}

function programOf(
  rule: DataRule, x: Tensor,
  { folded, views, hidden }: { folded: boolean; views: readonly View[]; hidden: readonly Hidden[] },
): Omit<Program, 'given'> {
  const [batch] = x.shape, channels = channelCount(rule.channels)
  const [depth, height, width] = inThree(x.shape.slice(1, -1))
  const { hidden: multiple, last } = x.backend.runner!.multiples
  const filters = folded ? [] : rule.perceive.filter(part => !isConvolution(part) && !choosesWhere(part))
  const attention = attendedIn(rule), deformable = deformedIn(rule)
  const count = filters.length === 0 ? 0 : perceptionSize({ ...rule, perceive: filters }) / channels
  const before = seenBefore({ deformable, attention, filters: count }, channels)
  const layers: Layer[] = []
  if (views.length > 0 && !folded) {
    const first = ceilTo(before, multiple), [{ outputs, activation, slope }] = views
    const columns = first + views.reduce((sum, view) => sum + view.columns, 0)
    layers.push({
      outputs: views.length === 1 ? first + outputs : columns, columns, copied: before, first, groups: 0, activation, slope,
    })
  }
  for (const { outputs, adds, groups, ...applied } of hidden) {
    const copied = adds ? layers.at(-1)?.columns ?? before : 0, first = ceilTo(copied, multiple)
    layers.push({ outputs: first + outputs, columns: first + ceilTo(outputs, multiple), copied, first, groups, ...appliedBy(applied) })
  }
  return {
    batch, depth, height, width, channels,
    padding: rule.padding,
    perception: { window: windowOf(rule), filters: count, learned: filters.some(isLearned), views, deformable, attention, normalised: ownChannels(rule) },
    layers: [...layers, {
      outputs: channels, columns: ceilTo(channels, last), copied: 0, first: 0, groups: 0,
      ...appliedBy({ activation: rule.update.lastActivation, slope: rule.update.slope }),
    }],
    stepSize: rule.update.lastActivation === 'linear' ? 1 : rule.stepSize,
    updated: updatedChannels(rule),
    fireRate: rule.fireRate,
    inputMask: rule.inputMask,
    noise: rule.noise,
    bound: rule.bound && { low: -1, high: 1, ...rule.bound, squash: rule.bound.type === 'tanh', all: excludesZero(rule) },
    living: rule.living,
  }
}

/**
 * The first layer of the network with the whole perception, as a matrix `[taps·c, perceptionSize]`, multiplied into its weights
 * and bias. The product is taken part by part, so that no zero weight stands for what a part does not see: times NaN it
 * would be NaN in the derivatives. This is also why several linear parts are always folded.
 */
function foldedLayer(
  rule: DataRule, params: DataParams, taps: readonly number[], filters: Tensor | null,
): Reading {
  const { w1, b1 } = params.update, { filtered, parts } = rowsBy(rule, params, w1), window = windowOf(rule)
  const products = filters ? [asMatrix(foldFilters(filters, filtered!), 1, window, taps)] : []
  let first = b1
  for (const { part, own: { kernel, bias }, rows } of parts) {
    products.push(asMatrix(dense(kernel, rows), sumOf(part)!.dilation, window, taps))
    if (bias) first = add(first, times(bias, rows))
  }
  return [products.reduce(add), first]
}

/**
 * The layer of convolutions that are followed by activations. With several views the matrix has their blocks along its
 * diagonal, after the columns of what filters make.
 */
function windowLayer(rule: DataRule, params: DataParams, { program, like }: { program: Program; like: Tensor }): Reading {
  const parts = learnedIn(rule, params).filter(({ part }) => isConvolution(part)), { views } = program.perception, [{ first, columns: all }] = program.layers
  const several = views.length > 1
  const kernels = parts.map(({ part, own }, i) => asMatrix(own.kernel, sumOf(part)!.dilation, windowOf(rule), views[several ? i : 0].taps))
  const biases = parts.map(({ own: { bias, kernel } }) => bias ?? zeros([kernel.shape.at(-1)!], { like }))
  const [matrices, vectors] = several ? [kernels, biases] : [[joined(kernels)], [joined(biases)]]
  let column = first
  const blocks = views.map(({ outputs, columns }, i) => {
    column += columns
    return pad(matrices[i], [[0, 0], [column - columns, all - column + columns - outputs]])
  })
  const wide = views.map(({ columns }, i) => extend(vectors[i], 0, columns))
  return [concat(blocks, 0), concat([...(first > 0 ? [zeros([first], { like })] : []), ...wide], 0)]
}

/**
 * A kernel `[…,c,n]`, whose taps lie `dilation` cells apart, as the matrix `[taps·c, n]` over the given taps of a window
 * around it, zero where the kernel has no tap.
 */
function asMatrix(kernel: Tensor, dilation: number, window: Box, taps: readonly number[]): Tensor {
  const [channels, n] = kernel.shape.slice(-2)
  const own = reshape(kernel, [-1, channels, n]), [count] = own.shape
  const lies = tapsWithin(window, inThree(kernel.shape.slice(0, -2)), dilation)
  const from = taps.map(t => (lies[t] < 0 ? count : lies[t]))
  const isWhole = from.length === count && from.every((tap, i) => tap === i)
  return reshape(isWhole ? own : gather(extend(own, 0, count + 1), from, 0), [-1, n])
}

/**
 * Filters `[…,c,F]` times the rows `[c·F, n]` of a layer that reads them: the kernel `[…,c,n]`, Σ_f k[t,c,f]·w[c·F+f,j].
 * It is computed by depthwiseConv, with the columns as cells of c·F channels and the taps as filters, because there a weight
 * of zero looks at nothing.
 */
function foldFilters(filters: Tensor, w: Tensor): Tensor {
  const [channels, count] = filters.shape.slice(-2), window = filters.shape.slice(0, -2)
  const taps = sizeOf(window), n = w.shape[1], rows = channels * count
  const kernel = reshape(transpose(reshape(filters, [taps, rows]), [1, 0]), [1, 1, rows, taps])
  const terms = depthwiseConv(reshape(transpose(w, [1, 0]), [1, 1, n, rows]), kernel)
  return reshape(transpose(sum(reshape(terms, [n, channels, count, taps]), 2), [2, 1, 0]), [...window, channels, n])
}

/** The layers of the network after its first; the step size is multiplied into the last, where that is linear. */
function furtherLayers({ update: { hidden, lastActivation }, stepSize }: DataRule, update: MlpParams): Reading[] {
  const last = hidden.length + 1
  return Array.from({ length: hidden.length }, (_, i) => i + 2).map(n => {
    const w = update[`w${n}`]!
    const layer = [w, update[`b${n}`] ?? zeros([w.shape[1]], { like: w })] as const
    return n === last && stepSize !== 1 && lastActivation === 'linear' ? [mul(stepSize, layer[0]), mul(stepSize, layer[1])] : layer
  })
}

/**
 * Whether folding pays. A linear perception K (window → perceived) before the linear layer w1 is one matrix, their product;
 * it pays where that matrix has fewer numbers than the two.
 */
function foldingPays(rule: DataRule): boolean {
  const window = tapsOf(rule, 0).length * channelCount(rule.channels)
  const perceived = perceptionSize(rule), [hidden] = rule.update.hidden
  return window * hidden <= perceived * (window + hidden)
}
