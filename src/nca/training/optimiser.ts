/**
 * Optimisers, as pure functions from parameters and gradients to new parameters.
 *
 * An optimiser is frozen JSON; its state is a separate tree, stored and resumed beside the parameters.
 * With g the gradient, η the rate and t = 1, 2, … the number of the step, elementwise:
 *
 *   sgd     v ← μ v + g                          p ← p − η v
 *   adam    m ← β₁ m + (1 − β₁) g                p ← p − η · m̂ / (√v̂ + ε)
 *           v ← β₂ v + (1 − β₂) g²               m̂ = m / (1 − β₁ᵗ),  v̂ = v / (1 − β₂ᵗ)
 *   adamW   p ← p − η λ p, then as adam
 *   muon    m ← μ m + (1 − μ) g                  p ← p − 0.2 η √max(rows, columns) · orthogonal(μ m + (1 − μ) g)
 *
 * (Polyak 1964; Kingma & Ba 2015, algorithm 1; Loshchilov & Hutter 2019; Jordan et al. 2024, with the factor of Liu et al., "Muon is
 * scalable for LLM training", 2025, by which steps are as large as those of adam at the same rate). Muon is for matrices: all axes of
 * a kernel but the last are its rows. Parameters with a single row or column, like a bias, follow adam, with μ for β₁.
 *
 * The place of ε differs between frameworks.
 * Keras and TensorFlow, in which Growing NCA was trained, follow the remark before section 2.1 of Kingma & Ba,
 *
 *   p ← p − η √(1 − β₂ᵗ) / (1 − β₁ᵗ) · m / (√v + ε̂)      that is, ε = ε̂ / √(1 − β₂ᵗ)
 *
 * so that small gradients move parameters less in the first steps. This is the default; PyTorch and Optax follow
 * algorithm 1.
 */
import { scope } from '../../tensor/lifetime.ts'
import { checkData, choice, dataOf, record, type Field, type Table } from '../../backends/fields.ts'
import { check, flag, isNumber, isObject, isWhole, numberFrom, type Kind } from '../../backends/options.ts'
import { add, div, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { equal, lessEqual, where } from '../../tensor/ops/compare.ts'
import { stack } from '../../tensor/ops/concat.ts'
import { ones, zerosLike } from '../../tensor/ops/create.ts'
import { abs, clamp, floor, log, sqrt, square } from '../../tensor/ops/functions.ts'
import { norm } from '../../tensor/ops/norm.ts'
import { pow } from '../../tensor/ops/power.ts'
import { max as greatest } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sameShape, showShape, sizeOf } from '../../tensor/shape.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { eachLeaf, mapTree, zipTrees } from '../../tensor/tree.ts'
import { orthogonal } from './orthogonal.ts'
import { rateAt, scheduleField, type Schedule } from './schedule.ts'

type Sgd = {
  readonly type: 'sgd'
  /** Learning rate, a number or a schedule; default 0.01. */
  readonly rate: Schedule
  /** μ in [0, 1), default 0. */
  readonly momentum: number
}

type Adam = {
  readonly type: 'adam'
  /** Learning rate, a number or a schedule; default 1e-3. */
  readonly rate: Schedule
  /** β₁, decay of the running mean of gradients, in [0, 1), default 0.9. */
  readonly beta1: number
  /** β₂, decay of the running mean of their squares, in [0, 1), default 0.999. */
  readonly beta2: number
  /** ε, default 1e-7 as in Keras (PyTorch: 1e-8). */
  readonly epsilon: number
  /**
   * Whether `epsilon` is the ε̂ of Keras, the default, or the ε of algorithm 1, as in PyTorch; see the top of this file.
   */
  readonly epsilonHat: boolean
  /** λ of adamW, 0 for adam. */
  readonly decay: number
}

type Muon = {
  readonly type: 'muon'
  /** Learning rate, a number or a schedule; default 2e-3. */
  readonly rate: Schedule
  /** μ in [0, 1), default 0.95. */
  readonly momentum: number
  /** β₂ of the parameters that are no matrices, which follow adam, in [0, 1), default 0.999. */
  readonly beta2: number
  /** λ ≥ 0: each step also shrinks a parameter by η·λ times itself; default 0. */
  readonly decay: number
}

/** The description of an optimiser, frozen JSON. */
export type Optimiser = Sgd | Adam | Muon

/**
 * The state of an optimiser: the number of steps taken, and trees like the parameters (adam and muon: m and v, sgd: v if it has
 * momentum).
 */
export type OptimiserState<P> = { readonly step: number; readonly moments: readonly P[] }

export type SgdOptions = Partial<Omit<Sgd, 'type'>>

export type AdamOptions = Partial<Omit<Adam, 'type' | 'decay'>>

export type MuonOptions = Partial<Omit<Muon, 'type'>>

export type AdamWOptions = AdamOptions & {
  /** λ, a number ≥ 0; default 0.01. Each step shrinks a parameter by η·λ times itself. */
  readonly decay?: number
}

const fraction: Kind = {
  fits: x => isNumber(x, 0) && x < 1, expected: 'a number in [0, 1)',
  json: { type: 'number', minimum: 0, exclusiveMaximum: 1 },
}
const sgdTable: Table<Sgd> = {
  type: 'sgd',
  fields: {
    rate: { ...scheduleField, default: 0.01 },
    momentum: { ...fraction, default: 0, about: 'Share of the last step that the next one keeps' },
  },
}
const adamTable: Table<Adam> = {
  type: 'adam',
  fields: {
    rate: { ...scheduleField, default: 1e-3 },
    beta1: { ...fraction, default: 0.9, about: 'Decay of the mean of gradients' },
    beta2: { ...fraction, default: 0.999, about: 'Decay of the mean of their squares' },
    epsilon: { ...numberFrom(0), default: 1e-7, about: 'What is added to the root of that mean' },
    epsilonHat: { ...flag, default: true, about: 'Epsilon as in Keras; false: as in PyTorch' },
    decay: { ...numberFrom(0), default: 0, about: 'Decoupled weight decay, as in AdamW' },
  },
}
const adamWTable: Table<Adam> = {
  ...adamTable, fields: { ...adamTable.fields, decay: { ...adamTable.fields.decay, default: 0.01 } },
}
const muonTable: Table<Muon> = {
  type: 'muon',
  fields: {
    rate: { ...scheduleField, default: 2e-3 },
    momentum: { ...fraction, default: 0.95, about: 'Decay of the mean of gradients' },
    beta2: { ...fraction, default: 0.999, about: 'Decay of the mean of their squares, for parameters that are no matrices' },
    decay: { ...numberFrom(0), default: 0, about: 'Decoupled weight decay' },
  },
}

/** An optimiser as a field of data. */
export const optimiserField: Field<Optimiser> = {
  ...choice<Optimiser>([adamTable, muonTable, sgdTable]), expected: 'an optimiser, like adam({ rate: 2e-3 })',
  about: 'How parameters follow their gradients: adam, muon or sgd',
}

/**
 * Stochastic gradient descent, with momentum if wanted.
 *
 * @throws where the momentum is not in [0, 1) or the rate is no rate, and for options that do not exist
 * @example sgd({ rate: 0.1, momentum: 0.9 })
 */
export function sgd(options: SgdOptions = {}): Optimiser {
  return dataOf('sgd', sgdTable, {}, options)
}

/**
 * Adam. The defaults are those of Keras.
 *
 * @throws where a β is not in [0, 1), ε is negative or the rate is no rate, and for options that do not exist
 * @example adam({ rate: stepDecay(2e-3, { at: [2000], factor: 0.1 }) })
 */
export function adam(options: AdamOptions = {}): Optimiser {
  return dataOf('adam', adamTable, { decay: 0 }, options)
}

/**
 * Adam with decoupled weight decay: every step also shrinks each parameter by η·decay of itself, default 0.01.
 *
 * @throws where `adam` does, and for a negative decay
 * @example adamW({ rate: 1e-3, decay: 0.004 })
 */
export function adamW(options: AdamWOptions = {}): Optimiser {
  return dataOf('adamW', adamWTable, {}, options)
}

/**
 * Muon: matrices move in the direction whose singular values are all about 1, so that the weak directions of a gradient count as
 * much as its strong ones; other parameters follow Adam. It may need fewer iterations. Rates are on the scale of Adam's.
 *
 * @throws where the momentum or β₂ is not in [0, 1), the decay is negative or the rate is no rate, and for options that do not exist
 * @example muon({ rate: cosineDecay(2e-3, { length: 10_000 }) })
 */
export function muon(options: MuonOptions = {}): Optimiser {
  return dataOf('muon', muonTable, {}, options)
}

/**
 * The state before the first step: zeros of the types and on the backends of the parameters.
 *
 * @example let state = initOptimiser(optimiser, params)   // then: ({ params, state } = updateParams(optimiser, state, params, grads))
 */
export function initOptimiser<P>(given: Optimiser, params: P): OptimiserState<P> {
  const optimiser = wholeOptimiser('initOptimiser', given)
  const zeros = (): P => mapTree(params, leaf => (leaf instanceof Tensor ? zerosLike(leaf) : leaf))
  return { step: 0, moments: Array.from({ length: momentCount(optimiser) }, zeros) }
}

/** How many moments an optimiser keeps for each parameter. */
export function momentCount(optimiser: Optimiser): number {
  return optimiser.type !== 'sgd' ? 2 : optimiser.momentum === 0 ? 0 : 1
}

const givenOptimiser = record<{ optimiser: Optimiser }>({ fields: { optimiser: optimiserField } })

/** An optimiser with its defaults. Throws unless it is one. */
function wholeOptimiser(where: string, optimiser: Optimiser): Optimiser {
  return checkData(where, givenOptimiser, { optimiser }).optimiser
}

type Updated<P> = { params: P; state: OptimiserState<P> }

/**
 * One step: the new parameters, and the new state. The old ones are not touched.
 *
 * @param params any tree; what is not a tensor stays as it is
 * @param grads a tree like the parameters, as `grad` returns it
 * @param rate this step's learning rate, by default that of the optimiser's schedule at the number of steps taken
 * @throws where a gradient is missing or has another shape, naming the parameter
 * @example
 * const { params: next, state: after } = updateParams(optimiser, state, params, grad(loss)(params))
 */
export function updateParams<P>(
  given: Optimiser, state: OptimiserState<P>, params: P, grads: P, rate?: number,
): Updated<P> {
  const optimiser = wholeOptimiser('updateParams', given)
  const known = isObject(state) && isWhole(state.step) && Array.isArray(state.moments)
  check(
    known, 'updateParams', 'state', state,
    'what initOptimiser returned (the order is optimiser, state, params, grads)',
  )
  const now = rate ?? rateAt(optimiser.rate, state.step)
  check(isNumber(now), 'updateParams', 'rate', now, 'a number')
  const step = (): Updated<P> =>
    optimiser.type === 'sgd'
      ? sgdStep(optimiser, state, params, grads, now)
      : adamStep(optimiser, state, params, grads, now)
  return scope(step, 'updateParams()')
}

function sgdStep<P>({ momentum }: Sgd, state: OptimiserState<P>, params: P, grads: P, rate: number): Updated<P> {
  const step = state.step + 1
  const descend = (v: P): P => combine(params, { gradient: v }, (p, g) => sub(p, mul(rate, g)))
  if (momentum === 0) return { params: descend(grads), state: { step, moments: [] } }
  const v = combine(
    params, { gradient: grads, momentum: state.moments[0] }, (_, g, before) => add(mul(momentum, before), g),
  )
  return { params: descend(v), state: { step, moments: [v] } }
}

function adamStep<P>(optimiser: Adam | Muon, state: OptimiserState<P>, params: P, grads: P, rate: number): Updated<P> {
  const { beta1, beta2, epsilon, epsilonHat, decay } = optimiser.type === 'adam' ? optimiser : adamOf(optimiser)
  const step = state.step + 1
  const bounded = mapTree(grads, g => (g instanceof Tensor ? squarable(g) : g))
  const m = combine(params, { gradient: bounded, 'first moment': state.moments[0] }, (_, g, before) =>
    add(mul(beta1, before), mul(1 - beta1, g)))
  const v = combine(params, { gradient: bounded, 'second moment': state.moments[1] }, (_, g, before) =>
    add(mul(beta2, before), mul(1 - beta2, square(g))))
  const bias1 = 1 - beta1 ** step
  const bias2 = Math.sqrt(1 - beta2 ** step)
  const moved = combine(params, { m, v, gradient: bounded }, (p, x, y, g) => {
    const shrunk = decay === 0 ? p : mul(p, 1 - rate * decay)
    if (optimiser.type === 'muon' && isMatrix(p)) return sub(shrunk, mul(rate, turned(add(mul(beta1, x), mul(1 - beta1, g)))))
    return sub(shrunk, mul(rate / bias1, div(x, add(div(sqrt(y), bias2), epsilonHat ? epsilon / bias2 : epsilon))))
  })
  return { params: moved, state: { step, moments: [m, v] } }
}

/** The Adam that the parameters of Muon follow which are no matrices. */
function adamOf({ rate, momentum, beta2, decay }: Muon): Adam {
  return { type: 'adam', rate, beta1: momentum, beta2, epsilon: 1e-7, epsilonHat: true, decay }
}

/** The rows and columns of a parameter: all axes but the last are rows. */
function matrixOf({ shape }: Tensor): readonly [rows: number, columns: number] {
  const columns = shape.at(-1) ?? 1
  return [sizeOf(shape.slice(0, -1)), columns]
}

function isMatrix(p: Tensor): boolean {
  return matrixOf(p).every(length => length > 1)
}

/** A direction for a matrix with singular values of about 1, as long as one of Adam is: its entries are about 0.2. */
function turned(direction: Tensor): Tensor {
  const matrix = matrixOf(direction)
  return mul(0.2 * Math.sqrt(Math.max(...matrix)), reshape(orthogonal(reshape(direction, matrix)), direction.shape))
}

/**
 * g, with entries whose squares would overflow clamped to the largest magnitude whose square does not. An infinite second
 * moment would never let its parameter move again, and Adam's steps hardly depend on the size of g. Entries that are
 * infinite or NaN stay, so that they are noticed.
 */
function squarable(g: Tensor): Tensor {
  const most = g.dtype === 'float32' ? 2 ** 63 : 2 ** 511
  return where(equal(sub(g, g), 0), clamp(g, -most, most), g)
}

/** A tree like the parameters, each tensor computed from a parameter and the tensors at the same path in other trees. */
function combine<P>(
  params: P, others: Readonly<Record<string, unknown>>, fn: (p: Tensor, ...others: Tensor[]) => Tensor,
): P {
  return zipTrees(params, Object.values(others), (p, leaves, path) => {
    if (!(p instanceof Tensor)) return p
    const namesakes = leaves.map((leaf, i) => {
      if (leaf instanceof Tensor && sameShape(leaf.shape, p.shape)) return leaf
      const got = leaf instanceof Tensor ? showShape(leaf.shape) : 'missing'
      throw new Error(
        `updateParams: the ${Object.keys(others)[i]} of ${path || 'the parameter'} is ${got}, `
          + `expected ${showShape(p.shape)}.`,
      )
    })
    return fn(p, ...namesakes)
  })
}

/**
 * Each tensor divided by its own norm, g / (‖g‖₂ + ε): what Growing NCA does to its gradients, so that steps have the same
 * size even if the gradients of long rollouts explode or vanish. Right for all finite numbers, even if their norm
 * overflows.
 *
 * @example updateParams(optimiser, state, params, normaliseGrads(grads))
 */
export function normaliseGrads<P>(grads: P, epsilon = 1e-8): P {
  return scope(() => mapTree(grads, g => {
    if (!(g instanceof Tensor)) return g
    const unit = unitOf([g])
    const scaled = div(g, unit)
    return div(scaled, add(norm(scaled), div(epsilon, unit)))
  }), 'normaliseGrads()')
}

/**
 * All tensors multiplied by one factor, min(1, max / ‖grads‖₂), so that their norm together is at most `max`. Gradients
 * with a smaller norm are returned bit for bit. A NaN anywhere makes all of them NaN. Right for all finite numbers, like
 * `normaliseGrads`.
 *
 * @throws where `max` is not a positive number
 * @example updateParams(optimiser, state, params, clipByGlobalNorm(grads, 1))
 */
export function clipByGlobalNorm<P>(grads: P, max: number): P {
  if (!(max > 0)) throw new Error(`clipByGlobalNorm: max is ${max}, expected a number > 0.`)
  return scope(() => {
    const unit = unitOf(tensorsOf('clipByGlobalNorm', grads))
    const scaled = mapTree(grads, g => (g instanceof Tensor ? div(g, unit) : g))
    const length = globalNorm(scaled)
    const short = lessEqual(mul(length, unit), max)
    const factor = div(max, length)
    return zipTrees(scaled, [grads], (s, [g]) => (s instanceof Tensor ? where(short, g as Tensor, mul(s, factor)) : s))
  }, 'clipByGlobalNorm()')
}

/** A power of two near the greatest magnitude: dividing by it is exact, and norms do not overflow afterwards. */
function unitOf(tensors: readonly Tensor[]): Tensor {
  const some = tensors.filter(t => sizeOf(t.shape) > 0)
  if (some.length === 0) return ones([], { like: tensors[0] })
  const most = greatest(stack(some.map(t => greatest(abs(t)))))
  return pow(2, clamp(floor(mul(log(most), 1 / Math.LN2)), -126, 126))
}

function tensorsOf(where: string, tree: unknown): Tensor[] {
  const tensors: Tensor[] = []
  eachLeaf(tree, leaf => { if (leaf instanceof Tensor) tensors.push(leaf) })
  if (tensors.length === 0) throw new Error(`${where}: there is no tensor in this tree.`)
  return tensors
}

/**
 * ‖tree‖₂ over all elements of all its tensors, a tensor of rank 0; right whenever it does not overflow itself.
 *
 * @example await globalNorm(grads).item()
 */
export function globalNorm(tree: unknown): Tensor {
  return scope(() => norm(stack(tensorsOf('globalNorm', tree).map(t => norm(t)))), 'globalNorm()')
}
