/**
 * Fused rollouts: a data rule as a program that a backend runs as a whole (src/backends/rollout.ts).
 *
 * A rollout of operators makes a tensor per operator and step, of every cell. A fused one keeps only what changes, does
 * only what a living cell that fires needs, and stays in the cache. `rollout` chooses; both give the same values and
 * gradients, up to the rounding of float32.
 */
import type { Backend, Handle } from '../backends/backend.ts'
import type { RolloutHistory, RolloutProgram, RolloutRun } from '../backends/rollout.ts'
import { fused } from '../autograd/fused.ts'
import { vjp } from '../autograd/vjp.ts'
import { foldIn } from '../tensor/key.ts'
import type { Key } from '../tensor/key.ts'
import { mul } from '../tensor/ops/arithmetic.ts'
import { concat } from '../tensor/ops/concat.ts'
import { matmul } from '../tensor/ops/dense.ts'
import { leakySlope } from '../tensor/ops/functions.ts'
import { reshape } from '../tensor/ops/sum.ts'
import { sameShape } from '../tensor/shape.ts'
import { concrete, Storage, storageOf, tensor, wrap } from '../tensor/tensor.ts'
import type { Tensor } from '../tensor/tensor.ts'
import { perceptionKernels, sameSize } from './perceive.ts'
import { channelCount, kernelShapes, perceptionSize, updatedChannels } from './rule.ts'
import type { DataParams, DataRule, Rule } from './rule.ts'

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
  if (!backend.rollout) return `${backend.name} has no fused rollouts here`
  const { widestWindow } = backend.rollout
  return windowSize(rule) <= widestWindow ? null : `windows may be ${widestWindow} cells wide on ${backend.name}`
}

/** Whether cells see their whole window, and not only what filters make of it. */
function seesWindow({ perceive }: DataRule): boolean {
  return perceive.some(part => typeof part !== 'string' && part.type === 'conv')
}

/**
 * The states after each readout by a fused rollout, or null where there is none for this rule, backend or element type,
 * and where something does not fit (the composition says what).
 *
 * @param x `[b,h,w,c]`
 * @param composed the same rollout out of operators
 */
export function fusedRollout(
  rule: Rule, params: DataParams, x: Tensor, key: Key, options: FusedOptions,
  composed: (params: DataParams, x: Tensor) => Tensor[],
): Tensor[] | null {
  const kernels = x.backend.rollout
  if (!kernels || rule.type === 'custom' || whyComposed(rule, x.backend) || !fits(rule, params, x, options)) return null
  const folded = seesWindow(rule) && (kernels.mostLayers < 3 || foldingPays(rule))
  const program = programOf(rule, params, x, folded)
  const run = runOf(key, options)
  const learned = params.perceive?.length ?? 0
  /** From the inputs of the primitive: the state, learned kernels, and the network as the program wants it. */
  const parts = ([state, ...rest]: readonly Tensor[]): { state: Tensor; perceive: Tensor[]; network: Tensor[] } =>
    ({ state, perceive: rest.slice(0, learned), network: rest.slice(learned) })
  /** The inputs of the program beside the state. */
  const arranged = ({ perceive, network: [w1, ...others] }: { perceive: Tensor[]; network: Tensor[] }): Tensor[] => {
    const first = perceptionInput(rule, perceive, options.angle, x)
    return folded ? [matmul(first, w1), ...others] : [first, w1, ...others]
  }
  const { w1, b1, w2, b2 } = params.update

  return fused({
    name: 'rollout',
    constants: options.masks ?? [],
    forward(values, keep) {
      const { state, ...rest } = parts(values)
      const outputs = options.readouts.map(() => emptyLike(state))
      const inputs = [state, ...arranged(rest)].map(handle)
      const history = kernels.forward(program, inputs, run, outputs.map(handle), keep)
      return { outputs, history: history && new Kept(history) }
    },
    backward(values, history, cotangents, wanted) {
      const { state, ...rest } = parts(values)
      const [others, pullback] = vjp(arranged, rest)
      const inputs = [state, ...others]
      const gradients = inputs.map((t, i) => (i !== 0 || wanted[0] ? emptyLike(t) : null))
      kernels.backward(
        program, inputs.map(handle), run, (history as Kept).history, cotangents.map(g => g && handle(g)),
        gradients.map(g => g && handle(g)),
      )
      const [gState, ...gOthers] = gradients
      const { perceive, network } = pullback(gOthers as Tensor[])
      return [gState, ...perceive, ...network]
    },
    composed(inputs) {
      const { state, perceive, network: [w1, b1, w2, b2] } = parts(inputs)
      const update = { w1, b1, w2, ...(b2 && { b2 }) }
      return composed(learned > 0 ? { perceive, update } : { update }, state)
    },
  }, [x, ...(params.perceive ?? []), w1, b1, w2, ...(b2 ? [b2] : [])])
}

/** A history of the backend, to be dropped by its owner. */
class Kept {
  readonly history: RolloutHistory
  constructor(history: RolloutHistory) {
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
 * The kernel of all filters `[size,size,c,F]`; or, where there are convolutions, the whole perception as one matrix
 * `[size·size·c, perceptionSize]`.
 */
function perceptionInput(rule: DataRule, learned: readonly Tensor[], angle: number, like: Tensor): Tensor {
  const { filters, convolutions } = perceptionKernels(rule, { perceive: learned }, { angle, like })
  if (convolutions.length === 0) return filters!
  const kernels = sameSize([...(filters ? [asConvolution(filters)] : []), ...convolutions])
  const kernel = kernels.length === 1 ? kernels[0] : concat(kernels)
  return reshape(kernel, [-1, kernel.shape[3]])
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
  const window = windowSize(rule) ** 2 * channelCount(rule.channels)
  const perceived = perceptionSize(rule), { hidden } = rule.update
  return window * hidden <= perceived * (window + hidden)
}

/** The side of the largest window that a rule's cells look at. */
function windowSize({ perceive }: DataRule): number {
  return Math.max(...perceive.map(part => (typeof part === 'string' ? 3 : part.size)))
}

function programOf(
  rule: DataRule, { perceive, update: { w2, b2 } }: DataParams, x: Tensor, folded: boolean,
): RolloutProgram {
  const [batch, height, width, channels] = x.shape
  const size = windowSize(rule)
  const perceived = perceptionSize(rule)
  return {
    batch, height, width, channels,
    padding: rule.padding,
    perception: seesWindow(rule)
      ? { type: 'window', size }
      : { type: 'filters', size, filters: perceived / channels, learned: perceive !== undefined },
    layers: [
      ...(seesWindow(rule) && !folded ? [{ outputs: perceived, activation: 'linear', bias: false } as const] : []),
      { outputs: rule.update.hidden, activation: rule.update.activation, bias: true },
      { outputs: w2.shape[1], activation: 'linear', bias: b2 !== undefined },
    ],
    slope: leakySlope,
    updated: updatedChannels(rule),
    fireRate: rule.fireRate,
    living: rule.living,
  }
}

function runOf(key: Key, { steps, readouts, checkpoint, masks, from }: FusedOptions): RolloutRun {
  return {
    steps,
    keys: Uint32Array.from(Array.from({ length: steps }, (_, t) => foldIn(key, from + t)).flat()),
    masks: masks ? masks.map(handle) : null,
    readouts,
    segment: typeof checkpoint === 'number' ? checkpoint : Math.ceil(Math.sqrt(steps)),
    budget: typeof checkpoint === 'number' ? 0 : checkpoint === false ? Infinity : 'auto',
  }
}

/** Whether all shapes, types and backends are what the rule says. */
function fits(rule: DataRule, params: DataParams, x: Tensor, { steps, masks }: FusedOptions): boolean {
  const channels = channelCount(rule.channels)
  const { w1, b1, w2, b2 } = params.update
  const { hidden, lastBias } = rule.update
  const kernels = kernelShapes(rule)
  const outputs = updatedChannels(rule).length
  const expected: (readonly [Tensor | undefined, readonly number[]])[] = [
    ...kernels.map((shape, i) => [params.perceive?.[i], shape] as const),
    [w1, [perceptionSize(rule), hidden]], [b1, [hidden]], [w2, [hidden, outputs]],
    ...(lastBias ? [[b2, [outputs]] as const] : []),
  ]
  const cells = x.shape.slice(0, 3)
  const mirror = rule.padding === 'reflect' ? Math.floor(windowSize(rule) / 2) : 0
  return steps > 0
    && x.shape.length === 4 && x.shape[3] === channels && x.dtype === 'float32' && mirror < Math.min(...cells.slice(1))
    && (params.perceive?.length ?? 0) === kernels.length && (b2 !== undefined) === lastBias
    && expected.every(([t, shape]) => t?.dtype === 'float32' && t.backend === x.backend && sameShape(t.shape, shape))
    && (masks ?? []).every(m => m.dtype === 'uint32' && m.backend === x.backend && sameShape(m.shape, cells))
}
