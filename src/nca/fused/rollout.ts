/**
 * Fused rollouts: a data rule as a program that a backend runs as a whole (src/backends/program.ts).
 *
 * A rollout of operators makes a tensor per operator and step, of every cell. A fused one keeps only what changes, does
 * only what a living cell that fires needs, and stays in the cache. `rollout` chooses; both give the same values and
 * gradients, up to the rounding of float32.
 */
import type { Backend, Handle } from '../backends/backend.ts'
import type { ProgramHistory, Program, ProgramRun } from '../backends/program.ts'
import { fused } from '../autograd/fused.ts'
import { vjp } from '../autograd/vjp.ts'
import { filterSees } from '../tensor/filters.ts'
import { foldIn } from '../tensor/key.ts'
import type { Key } from '../tensor/key.ts'
import { add, mul } from '../tensor/ops/arithmetic.ts'
import { concat } from '../tensor/ops/concat.ts'
import { zeros } from '../tensor/ops/create.ts'
import { matmul } from '../tensor/ops/dense.ts'
import { leakySlope } from '../tensor/ops/functions.ts'
import { gather } from '../tensor/ops/gather.ts'
import { pad, slice } from '../tensor/ops/pad-slice.ts'
import { reshape } from '../tensor/ops/sum.ts'
import { concrete, Storage, storageOf, tensor, wrap } from '../tensor/tensor.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { filtersKernel, sameSize } from './perceive.ts'
import { isLearned } from './perceptions/kinds.ts'
import type { Learned } from './perceptions/kinds.ts'
import type { Conv } from './perceptions/conv.ts'
import type { Activation, MlpParams } from './mlp.ts'
import { channelCount, paramShapes, perceptionSize, updatedChannels } from './rule.ts'
import type { DataParams, DataRule, Perception, Rule } from './rule.ts'

/** How a rollout is to be run; see RolloutOptions. */
export type FusedOptions = {
  readonly steps: number
  readonly readouts: readonly number[]
  readonly checkpoint: 'auto' | number | false
  readonly masks?: readonly Tensor[]
  readonly angle: number
  readonly from: number
}

/** Why a backend cannot run a rule as a whole, or null where it can. */
export function whyComposed(rule: Rule, backend: Backend): string | null {
  if (rule.type === 'custom') return 'it is code'
  if (!backend.runner) return `${backend.name} has no fused rollouts here`
  if (rule.grid !== 2) return `its grid has ${rule.grid} ${rule.grid === 1 ? 'dimension' : 'dimensions'}`
  if (rule.noise) return 'it has noise'
  if (rule.bound) return 'it has bounds'
  if (rule.update.residual) return 'its network is residual'
  const other = rule.perceive.find(part => isLearned(part) && part.type !== 'conv' && part.type !== 'depthwise')
  if (other) return `it perceives by ${(other as Learned).type}`
  if (new Set(activationsOf(rule)).size > 1) return 'parts of its perception have different activations'
  if (new Set(slopesOf(rule)).size > 1) return 'its leaky ReLUs have different slopes'
  const { widestWindow, mostLayers } = backend.runner
  const layers = rule.update.hidden.length + 1 + +(seesWindow(rule) && !foldable(rule))
  if (layers > mostLayers) return `${backend.name} runs ${mostLayers} layers at most, and it has ${layers}`
  return windowSize(rule) <= widestWindow ? null : `windows may be ${widestWindow} cells wide on ${backend.name}`
}

/** Why a rollout from this state is composed, or null where it is fused. */
export function whyStateComposed(rule: Rule, x: Tensor): string | null {
  const why = whyComposed(rule, x.backend)
  if (why !== null || rule.type === 'custom') return why
  if (x.dtype !== 'float32') return `its state is ${x.dtype}`
  const mirror = rule.padding === 'reflect' ? Math.floor(windowSize(rule) / 2) : 0
  return mirror < Math.min(...x.shape.slice(1, -1)) ? null : `its grid is too small to mirror ${mirror} cells`
}

/** The learned convolutions of a perception. */
function convolutions({ perceive }: DataRule): Conv[] {
  return perceive.filter((part): part is Conv => isLearned(part) && part.type === 'conv')
}

/** Whether cells see their whole window, and not only what filters make of it. */
function seesWindow(rule: DataRule): boolean {
  return convolutions(rule).length > 0
}

/** What the parts of a perception apply to their sums. */
function activationsOf(rule: DataRule): Activation[] {
  return rule.perceive.map(part => (isLearned(part) && part.type === 'conv' ? part.activation : 'linear'))
}

/** The slopes of its leaky ReLUs. */
function slopesOf(rule: DataRule): number[] {
  return [rule.update, ...convolutions(rule)].filter(layer => layer.activation === 'leakyRelu').map(({ slope }) => slope)
}

/** Whether the perception can be multiplied with the first layer of the network. */
function foldable(rule: DataRule): boolean {
  return activationsOf(rule).every(activation => activation === 'linear')
}

/**
 * The states after each readout by a fused rollout, or null where there is none for this rule and state.
 * All that it is given has been checked (`run-options.ts`).
 *
 * @param x `[b,h,w,c]`
 * @param composed the same rollout out of operators
 */
export function fusedRollout(
  rule: Rule, params: DataParams, x: Tensor, key: Key, options: FusedOptions,
  composed: (params: DataParams, x: Tensor) => Tensor[],
): Tensor[] | null {
  if (rule.type === 'custom' || options.steps === 0 || whyStateComposed(rule, x) !== null) return null
  const kernels = x.backend.runner!
  const folded = seesWindow(rule) && foldable(rule)
    && (kernels.mostLayers < rule.update.hidden.length + 2 || foldingPays(rule))
  const taps = tapsOf(rule, options.angle)
  const program = programOf(rule, x, folded, taps)
  const run = runOf(key, options)
  // The inputs of the primitive: the state, and the parameters by their paths.
  const paths = Object.keys(paramShapes(rule))
  const tree = (list: readonly Tensor[]): DataParams => paramTree(paths, list)
  /** The inputs of the program beside the state. */
  const arranged = (list: readonly Tensor[]): Tensor[] => {
    const { perceive, update } = tree(list)
    const how = { folded, taps, angle: options.angle, like: x }
    return [...perceptionInputs(rule, { perceive, update }, how), ...networkInputs(rule, update)]
  }

  return fused({
    name: 'rollout',
    constants: options.masks ?? [],
    forward([state, ...values], keep) {
      const outputs = options.readouts.map(() => emptyLike(state))
      const inputs = [state, ...arranged(values)].map(handle)
      const history = kernels.forward(program, inputs, run, outputs.map(handle), keep)
      return { outputs, history: history && new Kept(history) }
    },
    backward([state, ...values], history, cotangents, wanted) {
      const [others, pullback] = vjp(arranged, values)
      const inputs = [state, ...others]
      const gradients = inputs.map((t, i) => (i !== 0 || wanted[0] ? emptyLike(t) : null))
      kernels.backward(
        program, inputs.map(handle), run, (history as Kept).history, cotangents.map(g => g && handle(g)),
        gradients.map(g => g && handle(g)),
      )
      const [gState, ...gOthers] = gradients
      return [gState, ...pullback(gOthers as Tensor[])]
    },
    composed: ([state, ...values]) => composed(tree(values), state),
  }, [x, ...paths.map(path => paramAt(params, path)!)])
}

/** The parameter at a dotted path, where there is one. */
function paramAt(params: DataParams, path: string): Tensor | undefined {
  return path.split('.').reduce<unknown>((node, name) => (node as Record<string, unknown> | undefined)?.[name], params) as
    Tensor | undefined
}

/** Parameters from their paths and tensors. */
export function paramTree(paths: readonly string[], list: readonly Tensor[]): DataParams {
  const perceive: Record<string, Tensor>[] = []
  const update: Record<string, Tensor> = {}
  paths.forEach((path, i) => {
    const [group, ...names] = path.split('.')
    if (group === 'update') update[names[0]] = list[i]
    else (perceive[Number(names[0])] ??= {})[names[1]] = list[i]
  })
  return { ...(perceive.length > 0 ? { perceive } : {}), update: update as unknown as MlpParams }
}

/** A history of the backend, to be dropped by its owner. */
class Kept {
  readonly history: ProgramHistory
  constructor(history: ProgramHistory) {
    this.history = history
  }
  drop(): void {
    this.history.release()
  }
}

function handle(t: Tensor): Handle {
  return storageOf(concrete(t)).handle
}

function emptyLike(t: Tensor): Tensor {
  const memory = t.backend.alloc({ shape: t.shape, dtype: t.dtype }, 'rollout')
  return wrap(t, t.backend, 'rollout', new Storage(t.backend, memory))
}

/**
 * The inputs of the program up to the first layer of the network: the kernel of all filters `[size,size,c,F]`; or,
 * where there are convolutions, the whole perception as one matrix `[taps·c, perceptionSize]`, and its bias if it
 * has one. Folded, the matrix and the bias are multiplied with the first layer and take its place.
 */
function perceptionInputs(
  rule: DataRule, { perceive, update: { w1, b1 } }: DataParams,
  { folded, taps, angle, like }: { folded: boolean; taps: readonly number[]; angle: number; like: Tensor },
): Tensor[] {
  const filters = filtersKernel(rule, { perceive }, { angle, like })
  if (!seesWindow(rule)) return [filters!, w1, b1]
  const learned = rule.perceive.filter(isLearned)
  const parts = learned.flatMap((part, i) =>
    (part.type === 'conv' ? [{ part, kernel: perceive![i].kernel, bias: perceive![i].bias }] : []))
  const kernels = sameSize([
    ...(filters ? [asConvolution(filters)] : []),
    ...parts.map(({ part, kernel }) => spread(kernel, part.dilation)),
  ])
  const kernel = kernels.length === 1 ? kernels[0] : concat(kernels)
  const [size, , channels, perceived] = kernel.shape
  const window = reshape(kernel, [size * size, channels, perceived])
  const matrix = reshape(taps.length < size * size ? gather(window, taps, 0) : window, [-1, perceived])
  const bias = hasBias(rule) ? perceptionBias(rule, parts, like) : null
  if (!folded) return [matrix, ...(bias ? [bias] : []), w1, b1]
  const first = bias ? add(b1, reshape(matmul(reshape(bias, [1, -1]), w1), [-1])) : b1
  return [matmul(matrix, w1), first]
}

function hasBias(rule: DataRule): boolean {
  return convolutions(rule).some(part => part.bias)
}

/** The biases of all that is perceived, zero where there is none. */
function perceptionBias(rule: DataRule, parts: readonly { part: Conv; bias: Tensor | undefined }[], like: Tensor): Tensor {
  const own = parts.map(({ part, bias }) => bias ?? zeros([part.outputs], { like }))
  const filters = perceptionSize(rule) - convolutions(rule).reduce((sum, part) => sum + part.outputs, 0)
  return concat([...(filters > 0 ? [zeros([filters], { like })] : []), ...own])
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

/** Filters `[size,size,c,F]` as a convolution `[size,size,c,c·F]`, which is zero between different channels. */
function asConvolution(filters: Tensor): Tensor {
  const [size, , c, count] = filters.shape
  const { dtype, backend } = filters
  const same = tensor(Array.from({ length: c * c }, (_, i) => +(i % (c + 1) === 0)), { shape: [c, c, 1], dtype, backend })
  return reshape(mul(reshape(filters, [size, size, c, 1, count]), same), [size, size, c, c * count])
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

/** The places within the window, row·size + column, at which any part of a perception looks; the middle is one of them. */
function tapsOf(rule: DataRule, angle: number): number[] {
  const size = windowSize(rule), middle = (size - 1) / 2
  const inLine = ({ size: taps, dilation }: Conv, d: number): boolean =>
    d % dilation === 0 && Math.abs(d) <= dilation * (taps - 1) / 2
  const sees = (part: Perception, dy: number, dx: number): boolean => {
    if (isLearned(part)) return [dy, dx].every(d => inLine({ dilation: 1, ...part } as Conv, d))
    return Math.max(Math.abs(dy), Math.abs(dx)) <= 1 && filterSees(part, angle)[3 * (dy + 1) + dx + 1]
  }
  return Array.from({ length: size * size }, (_, t) => t).filter(t => {
    const [dy, dx] = [Math.floor(t / size) - middle, t % size - middle]
    return (dy === 0 && dx === 0) || rule.perceive.some(part => sees(part, dy, dx))
  })
}

/** The side of the largest window that a rule's cells look at. */
function windowSize({ perceive }: DataRule): number {
  return Math.max(...perceive.map(part => {
    if (!isLearned(part)) return 3
    return part.type === 'conv' ? (part.size - 1) * part.dilation + 1 : part.size
  }))
}

function programOf(rule: DataRule, x: Tensor, folded: boolean, taps: readonly number[]): Program {
  const [batch, height, width, channels] = x.shape
  const size = windowSize(rule)
  const perceived = perceptionSize(rule)
  const { hidden, activation, lastBias } = rule.update
  return {
    batch, height, width, channels,
    padding: rule.padding,
    perception: seesWindow(rule)
      ? { type: 'window', size, taps }
      : { type: 'filters', size, filters: perceived / channels, learned: rule.perceive.some(isLearned) },
    layers: [
      ...(seesWindow(rule) && !folded
        ? [{ outputs: perceived, activation: convolutions(rule)[0].activation, bias: hasBias(rule) }]
        : []),
      ...hidden.map(outputs => ({ outputs, activation, bias: true })),
      { outputs: updatedChannels(rule).length, activation: 'linear', bias: lastBias },
    ],
    slope: slopesOf(rule)[0] ?? leakySlope,
    updated: updatedChannels(rule),
    fireRate: rule.fireRate,
    inputMask: rule.inputMask,
    living: rule.living,
  }
}

function runOf(key: Key, { steps, readouts, checkpoint, masks, from }: FusedOptions): ProgramRun {
  return {
    steps,
    keys: Uint32Array.from(Array.from({ length: steps }, (_, t) => foldIn(key, from + t)).flat()),
    masks: masks ? masks.map(handle) : null,
    readouts,
    segment: typeof checkpoint === 'number' ? checkpoint : Math.ceil(Math.sqrt(steps)),
    budget: typeof checkpoint === 'number' ? 0 : checkpoint === false ? Infinity : 'auto',
  }
}
