// Scenes for fused rollouts: random rules that a kernel can run as a whole, grids of awkward sizes, states in which
// cells live, grow and die, and the results of a rollout on any backend.
//
// Rounding must not decide anything, or two right answers would differ: scenes in which the living channel comes near
// its threshold, or a ReLU near its kink, are drawn again. So are those in which the gradient of a bias is what little
// remains of terms that cancel.

import fc from 'fast-check'
import { vjp } from '../../src/autograd/vjp.ts'
import type { Backend, Data, DType } from '../../src/backends/backend.ts'
import { plain, plainParams } from '../../src/nca/fused/plain.ts'
import { isDeformable } from '../../src/nca/fused/sight.ts'
import { perceive } from '../../src/nca/perceive.ts'
import { activate, activations, mlp, type Activation } from '../../src/nca/mlp.ts'
import { attention, attentionKind } from '../../src/nca/perceptions/attention.ts'
import { conv } from '../../src/nca/perceptions/conv.ts'
import { deformable } from '../../src/nca/perceptions/deformable.ts'
import { depthwise } from '../../src/nca/perceptions/depthwise.ts'
import type { WindowSize } from '../../src/nca/perceptions/kind.ts'
import { isLearned } from '../../src/nca/perceptions/kinds.ts'
import { position } from '../../src/nca/perceptions/position.ts'
import { residualConv } from '../../src/nca/perceptions/residual-conv.ts'
import { channelCount, updatedChannels } from '../../src/nca/rule/channels.ts'
import { defineRule } from '../../src/nca/rule/define.ts'
import { paramShapes, paramTree, perceptionSize } from '../../src/nca/rule/parameters.ts'
import type { Bound, DataParams, DataRule, Perception } from '../../src/nca/rule/types.ts'
import { alive, inspectStep, rollout } from '../../src/nca/step.ts'
import type { RolloutOptions } from '../../src/nca/run-options.ts'
import { filterNamesOn, type Dimensions } from '../../src/tensor/filters.ts'
import { foldIn, key } from '../../src/tensor/key.ts'
import { scope } from '../../src/tensor/lifetime.ts'
import { setChannels } from '../../src/nca/state.ts'
import { dense } from '../../src/tensor/ops/dense.ts'
import { layerNorm } from '../../src/tensor/ops/layer-norm.ts'
import { conv2d } from '../../src/tensor/ops/conv2d/conv2d.ts'
import { floor, tanh } from '../../src/tensor/ops/functions.ts'
import { slice } from '../../src/tensor/ops/pad-slice.ts'
import { dilateOn } from '../../src/tensor/ops/grid.ts'
import { add, mul, sub } from '../../src/tensor/ops/arithmetic.ts'
import { and } from '../../src/tensor/ops/compare.ts'
import { paddings } from '../../src/backends/window.ts'
import { sizeOf } from '../../src/tensor/shape.ts'
import { eachLeaf } from '../../src/tensor/tree.ts'
import { fire } from '../../src/tensor/ops/fire.ts'
import { bernoulli, normal, uniform } from '../../src/tensor/ops/random.ts'
import { defaultBackend, tensor, type Tensor } from '../../src/tensor/tensor.ts'

/** An array without a backend. */
type HostArray = { readonly data: Data; readonly shape: readonly number[] }

export type Scene = {
  readonly rule: DataRule
  /** The state under 'x', parameters under their paths, as in `paramShapes`. */
  readonly arrays: Readonly<Record<string, HostArray>>
  readonly masks: readonly HostArray[] | null
  /** The inputs that are written before each step, by role. */
  readonly inputs: readonly Readonly<Record<string, HostArray>>[] | null
  readonly steps: number
  readonly readouts: readonly number[]
  /** ∂L/∂state after each readout; null is zero. */
  readonly cotangents: readonly (HostArray | null)[]
  readonly angle: number
  readonly n: number
}

const sizes: Readonly<Record<Dimensions, fc.Arbitrary<WindowSize>>> = {
  1: fc.constantFrom<WindowSize>(1, 3, 3, 5, [7]),
  2: fc.constantFrom<WindowSize>(1, 3, 3, 3, 5, [1, 3], [5, 1]),
  3: fc.constantFrom<WindowSize>(1, 3, 3, [1, 3, 3], [3, 1, 5]),
}
const filterParts = (grid: Dimensions): fc.Arbitrary<Perception> => fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...filterNamesOn[grid]) },
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 1, max: 3 }), sizes[grid]).map(([n, size]) => depthwise(n, { size })) },
)
const slopes = fc.constantFrom(0.2, 0.01, 0.7)
/** A convolution or a residual one, linear or with one of these activations. */
const convolution = (grid: Dimensions, ...all: Activation[]): fc.Arbitrary<Perception> => fc.record({
  n: fc.integer({ min: 1, max: 11 }), size: sizes[grid], dilation: fc.constantFrom(1, 1, 2), bias: fc.boolean(),
  activation: fc.constantFrom<Activation[]>('linear', 'linear', ...all), slope: slopes,
  residual: fc.constantFrom(false, false, false, true),
}).map(({ n, bias, slope, residual, ...rest }) => {
  const options = { ...rest, dilation: Math.max(...[rest.size].flat()) < 5 ? rest.dilation : 1 }
  return residual ? residualConv(n, options) : conv(n, { ...options, bias, slope })
})
const linear = (grid: Dimensions): fc.Arbitrary<Perception> => fc.tuple(fc.integer({ min: 1, max: 11 }), sizes[grid], fc.boolean())
  .map(([n, size, bias]) => conv(n, { size, bias }))

const living = fc.record({
  index: fc.nat(), above: fc.constantFrom(0.1, 0.1, 0, -0.2, 0.4), when: fc.constantFrom('both', 'both', 'after'),
})

/** Rules of up to 20 channels that perceive by filters, convolutions, or both. */
const rulesOn = (grid: Dimensions): fc.Arbitrary<DataRule> => fc.record({
  grid: fc.constant(grid),
  channels: fc.record({
    seen: fc.integer({ min: 1, max: 5 }), goal: fc.nat(3), hidden: fc.constantFrom(0, 1, 4, 8, 12),
  }),
  frozen: fc.constantFrom([], [], ['goal'], ['goal', 'hidden'], ['seen']),
  perceive: fc.oneof(
    { weight: 2, arbitrary: fc.array(filterParts(grid), { minLength: 1, maxLength: 4 }) },
    { weight: 1, arbitrary: fc.array(convolution(grid, ...activations), { minLength: 1, maxLength: 3 }) },
    { weight: 1, arbitrary: fc.tuple(filterParts(grid), linear(grid), filterParts(grid)) },
  ),
  hidden: fc.oneof(
    { weight: 6, arbitrary: fc.integer({ min: 1, max: 20 }).map(n => [n]) },
    { weight: 1, arbitrary: fc.constantFrom([64], [65], [100]) },
    { weight: 2, arbitrary: fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 2, maxLength: 3 }) },
  ),
  stepSize: fc.constantFrom(1, 1, 0.4),
  masks: fc.option(fc.record({ channel: fc.nat(), above: fc.constantFrom(0, 0.2) }), { freq: 3 }),
  activation: fc.constantFrom(...activations),
  slope: slopes,
  lastBias: fc.boolean(),
  fireRate: fc.constantFrom(0.5, 0.5, 1, 0.1),
  noise: fc.constantFrom(null, null, { on: 'change' as const, std: 0.1 }),
  bound: fc.constantFrom<(Bound | null)[]>(
    null, null, null, { type: 'tanh' }, { type: 'clamp', low: -0.4, high: 0.7 }, { type: 'clamp', low: 0, high: 1 },
  ),
  padding: fc.constantFrom(...paddings),
  lives: fc.option(living, { freq: 6 }),
})
  .filter(({ channels, frozen }) => updatedChannels({ channels, frozen }).length > 0)
  .map(({ lives, masks, hidden, activation, slope, lastBias, ...rest }) => {
    const updated = updatedChannels(rest), all = channelCount(rest.channels)
    return defineRule({
      ...rest, update: mlp(hidden, { activation, slope, lastBias }),
      living: lives && { channel: updated[lives.index % updated.length], above: lives.above, when: lives.when },
      inputMask: masks && { channel: masks.channel % all, above: masks.above },
    })
  })

/** Of planes and lines. */
export const fusedRules: fc.Arbitrary<DataRule> = fc.oneof(
  { weight: 5, arbitrary: rulesOn(2) }, { weight: 1, arbitrary: rulesOn(1) },
)

/** Perceptions with positions, beside filters or convolutions. */
const positioned = (grid: Dimensions): fc.Arbitrary<Perception[]> => fc.record({
  others: fc.oneof(
    fc.array(filterParts(grid), { minLength: 1, maxLength: 3 }), fc.array(convolution(grid, ...activations), { minLength: 1, maxLength: 2 }),
  ),
  outputs: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 2 }),
}).map(({ others: [first, ...rest], outputs }) => [first, ...outputs.map(n => position(n, { bands: 2 })), ...rest])

/** Filters beside convolutions with an activation. */
const mixed = (grid: Dimensions): fc.Arbitrary<Perception[]> =>
  fc.tuple(filterParts(grid), convolution(grid, ...activations), filterParts(grid), convolution(grid, 'tanh'))

/** With a network, whose layer norm takes few outputs that are nearly alike far apart, there are more of these. */
const oneAttention = fc.record({
  outputs: fc.integer({ min: 1, max: 9 }), heads: fc.integer({ min: 1, max: 3 }), keys: fc.integer({ min: 1, max: 5 }),
  size: fc.constantFrom(1, 3, 3, 5), feedForward: fc.constantFrom(0, 0, 1, 7, 9),
}).map(({ outputs, ...rest }): Perception => attention(outputs + (rest.feedForward > 0 ? 5 : 0), rest))

/** Attention on planes, alone or with another, before, behind or between filters, convolutions and positions. */
const attentive: fc.Arbitrary<Perception[]> = fc.record({
  first: oneAttention, second: fc.option(oneAttention, { freq: 2 }), filters: fc.array(filterParts(2), { maxLength: 2 }),
  others: fc.array(fc.oneof(filterParts(2), convolution(2, ...activations), fc.constant(position(3, { bands: 2 }))), { maxLength: 2 }),
}).map(({ first, second, filters, others }) => [...filters, first, ...others, ...(second ? [second] : [])])

/** Rules that perceive by attention. Its layer norm takes few channels that are nearly alike far apart, so there are many. */
export const attentiveRules: fc.Arbitrary<DataRule> = fc.tuple(
  rulesOn(2).filter(({ channels }) => channelCount(channels) > 6), attentive,
).map(([rule, perceive]) => defineRule({ ...rule, perceive }))

const oneDeformable = fc.record({
  outputs: fc.integer({ min: 1, max: 9 }), size: fc.constantFrom(1, 3, 3), reach: fc.constantFrom(1, 1, 2, null, null), modulated: fc.boolean(),
}).map(({ outputs, ...rest }): Perception => deformable(outputs, rest))

/** Deformable convolutions, alone or with another or attention, before, behind or between filters, convolutions and positions. */
export const deformableRules: fc.Arbitrary<DataRule> = fc.tuple(rulesOn(2), fc.record({
  first: oneDeformable, second: fc.option(fc.oneof(oneDeformable, oneAttention), { freq: 1 }), filters: fc.array(filterParts(2), { maxLength: 2 }),
  others: fc.array(fc.oneof(filterParts(2), convolution(2, ...activations), fc.constant(position(3, { bands: 2 }))), { maxLength: 2 }),
})).map(([rule, { first, second, filters, others }]) =>
  defineRule({ ...rule, perceive: [...filters, first, ...others, ...(second && (isDeformable(second) || channelCount(rule.channels) > 6) ? [second] : [])] }))

/**
 * Rules that only the CPU runs fused: on volumes, with attention, deformable convolutions or mixed perceptions, with noise on the
 * state, or with residual layers, the first one or only later ones.
 */
export const fusedOnCpu: fc.Arbitrary<DataRule> = fc.record({
  rule: fc.oneof(
    { weight: 4, arbitrary: fusedRules }, { weight: 1, arbitrary: rulesOn(3) }, { weight: 2, arbitrary: attentiveRules },
    { weight: 1, arbitrary: deformableRules },
  ),
  noise: fc.constantFrom(null, null, { on: 'state' as const, std: 0.1 }),
  bound: fc.constantFrom<(Bound | null)[]>(null, null, null, null, null, null, { type: 'clamp', low: 0.05, high: 0.6 }, { type: 'clamp', low: -0.6, high: -0.05 }),
  lastActivation: fc.constantFrom<Activation[]>('linear', 'linear', ...activations),
  residual: fc.option(fc.record({ layers: fc.integer({ min: 1, max: 3 }), first: fc.boolean() }), { freq: 2 }),
  parts: fc.option(fc.constantFrom(mixed, positioned).chain(of => fc.record({ 1: of(1), 2: of(2), 3: of(3) }))),
  norm: fc.option(fc.record({ on: fc.constantFrom('perception', 'hidden', 'both'), groups: fc.constantFrom(1, 1, 2, 3) }), { freq: 2 }),
}).map(({ norm, ...drawn }) => {
  const rule = drawnOnCpu(drawn), { update } = rule, [n, ...widths] = [perceptionSize(rule), ...update.hidden]
  // A few numbers are often nearly equal, and their norm is then that of rounding errors.
  const normed = norm === null ? [] : [...(norm.on === 'hidden' ? [] : [n]), ...(norm.on === 'perception' ? [] : widths)]
  const groups = [norm?.groups ?? 1, 1].find(groups => normed.every(n => n % groups === 0 && n / groups > 5))
  return norm && groups ? defineRule({ ...rule, update: { ...update, norm: { on: norm.on, groups } } }) : rule
})

function drawnOnCpu({ rule, noise, bound, parts, residual, lastActivation }: {
  rule: DataRule; noise: DataRule['noise']; bound: Bound | null; lastActivation: Activation; residual: { layers: number; first: boolean } | null
  parts: Readonly<Record<Dimensions, Perception[]>> | null
}): DataRule {
  const update = { ...rule.update, lastActivation }
  const seen: DataRule = { ...rule, update, noise: noise ?? rule.noise, bound: bound ?? rule.bound, perceive: parts?.[rule.grid] ?? rule.perceive }
  if (!residual) return defineRule(seen)
  const { activation, slope, lastBias } = rule.update
  const n = residual.first ? Math.min(perceptionSize(seen), 40) : rule.update.hidden[0]
  return defineRule({ ...seen, update: mlp(new Array<number>(residual.layers).fill(n), { activation, slope, lastBias, lastActivation, residual: true }) })
}

/**
 * Heights and widths of every kind: tiny, around the ends of 64-bit words, around the cuts between bands of rows. Lines have
 * the longer of the two, volumes the rows in several slices.
 */
export const grids: fc.Arbitrary<[number, number]> = fc.oneof(
  { weight: 3, arbitrary: fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })) },
  { weight: 1, arbitrary: fc.tuple(fc.integer({ min: 1, max: 4 }), fc.constantFrom(63, 64, 65, 128, 129)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom(15, 16, 17, 24, 33, 41), fc.integer({ min: 1, max: 7 })) },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom(127, 130), fc.constantFrom(1, 3)) },
)

/** The roles that are written before each step: one value for all cells, one for each sample, or one for each cell. */
type Written = { readonly roles: readonly string[]; readonly shape: 'all' | 'sample' | 'cell' }

const written: fc.Arbitrary<Written> = fc.record({
  roles: fc.constantFrom<string[]>(['goal'], ['goal', 'hidden'], ['seen']), shape: fc.constantFrom('all', 'sample', 'cell'),
})

/**
 * The most hidden outputs that a scene computes, and the most moved taps: with more, one of them would be near a
 * kink, or the oracle would take its time.
 */
const work = 40_000

const movesOf = ({ perceive }: DataRule): number =>
  perceive.filter(isDeformable).reduce((sum, { size, reach }) => sum + 2 * (size * (2 * (reach ?? 1) + 1)) ** 2, 0)

/** Scenes of these rules and grids, or of one of each. */
export function scenesOf(
  { rules = fusedRules, grid = grids, batches = fc.integer({ min: 1, max: 5 }), longest = 9, inputs = false }: {
    rules?: fc.Arbitrary<DataRule>
    grid?: fc.Arbitrary<[number, number]>
    batches?: fc.Arbitrary<number>
    longest?: number
    /** Whether some have inputs for each step, which only the CPU runs fused. */
    inputs?: boolean
  } = {},
): fc.Arbitrary<Scene> {
  return fc.record({
    rule: rules, grid, batch: batches,
    steps: fc.integer({ min: 1, max: longest }),
    depth: fc.integer({ min: 1, max: 5 }),
    density: fc.constantFrom(0.02, 0.1, 0.1, 0.4, 1),
    masked: fc.boolean(),
    angle: fc.constantFrom(0, 0, 0.7),
    reads: fc.array(fc.boolean(), { minLength: longest, maxLength: longest }),
    given: inputs ? fc.option(written, { freq: 2 }) : fc.constant(null),
    n: fc.nat(2 ** 30),
  }).map(({ rule, grid: [h, w], depth, batch, steps: wanted, density, masked, angle, reads, given: inputs, n }) => {
    const sizes = { 1: [Math.max(h, w)], 2: [h, w], 3: [depth, Math.ceil(h / depth), w] }[rule.grid]
    const grid = sizes.map(size => Math.max(size, smallest(rule)))
    const most = Math.floor(work / (batch * sizeOf(grid) * (rule.update.hidden.reduce((a, b) => a + b) + movesOf(rule) + 1)))
    const steps = Math.max(1, Math.min(wanted, most))
    const readouts = Array.from({ length: steps }, (_, t) => t + 1).filter(t => t === steps || reads[t])
    const given = readouts.map((_, i) => i === readouts.length - 1 || reads[i])
    for (let tries = 0; tries < 30; tries++) {
      const scene = drawScene(rule, [batch, ...grid], {
        steps, readouts, given, density, masked, angle: rule.grid === 1 ? 0 : angle, n: n + tries, inputs,
      })
      if (isClear(scene) && !cancels(scene)) return scene
    }
    return null
  }).filter(scene => scene !== null)
}

/** Reflection needs something to reflect. */
function smallest({ padding, perceive }: DataRule): number {
  const window = Math.max(...perceive.map(part => {
    if (!isLearned(part)) return 3
    if (isDeformable(part)) return part.size + 2 * (part.reach ?? 0)
    const size = 'size' in part ? Math.max(...[part.size].flat()) : 1
    return 'dilation' in part ? (size - 1) * part.dilation + 1 : size
  }))
  return padding === 'reflect' ? (window + 1) / 2 : 1
}

function drawScene(
  rule: DataRule, cells: readonly number[],
  { steps, readouts, given, density, masked, angle, n, inputs }: {
    steps: number; readouts: number[]; given: boolean[]; density: number; masked: boolean; angle: number; n: number
    inputs: Written | null
  },
): Scene {
  let i = 0
  const k = key(n)
  const host = (draw: (k: readonly [number, number]) => Tensor): HostArray => scope(() => {
    const t = draw(foldIn(k, i++))
    return { data: t.toArray(), shape: t.shape }
  })
  const channels = channelCount(rule.channels)
  const state = [...cells, channels]
  /** How far weights spread, so that states change by about a half in a step. */
  const spread = (path: string, shape: readonly number[]): number => {
    if (path === `update.w${rule.update.hidden.length + 1}`) return 0.8 / Math.sqrt(shape[0])
    if (path.startsWith('update.w')) return 1 / Math.sqrt(shape[0])
    if (path.startsWith('update') || /bias|b\d$/i.test(path)) return 0.3
    if (/k2|skip|weight$/.test(path)) return 1 / Math.sqrt(shape[0])
    const part = rule.perceive.filter(isLearned)[Number(path.split('.')[1])]
    // Large enough that heads choose, and do not weight all neighbours equally.
    if (part.type === 'attention') return shape.length === 2 ? 1 / Math.sqrt(shape[0]) : 1
    if (isDeformable(part)) return (part.reach === null && shape.length > 2 ? 4 : 1) / Math.sqrt(sizeOf(shape) / shape.at(-1)!)
    return 1 / Math.sqrt(sizeOf(shape.slice(0, rule.grid)) * (part.type === 'depthwise' ? 1 : channels))
  }
  const x = host(k => normal(k, state, { std: 0.5 }))
  if (rule.living) {
    const { channel, above } = rule.living
    const draws = host(k => uniform(k, [sizeOf(cells)])).data
    for (let cell = 0; cell < draws.length; cell++) {
      const strong = draws[cell] < density
      const far = 0.05 + Math.abs(x.data[cell * channels + channel])
      x.data[cell * channels + channel] = above + (strong ? far : -far)
      // A third of the cells that are not strong are empty, as most of a grid is.
      if (draws[cell] > 1 - (1 - density) / 3) x.data.fill(0, cell * channels, (cell + 1) * channels)
    }
  }
  const params = Object.entries(paramShapes(rule)).map(([path, shape]) =>
    [path, host(k => normal(k, shape, { std: spread(path, shape) }))] as const)
  const roles = inputs?.roles.map(role => [role, rule.channels[role]] as const).filter(([, n]) => n > 0)
  const shapeOf = (n: number): number[] => ({ all: [n], sample: [cells[0], n], cell: [...cells, n] })[inputs!.shape]
  return {
    inputs: roles?.length ? Array.from({ length: steps }, () => Object.fromEntries(roles.map(([role, n]) =>
      [role, host(k => normal(k, shapeOf(n), { std: 0.5 }))]))) : null,
    rule, arrays: { x, ...Object.fromEntries(params) }, steps, readouts, angle, n,
    masks: masked ? Array.from({ length: steps }, () => host(k => bernoulli(k, cells, rule.fireRate))) : null,
    cotangents: given.map(g => (g ? host(k => normal(k, state)) : null)),
  }
}

/**
 * Whether nothing depends on rounding: no living channel or input within 1e-4 of its threshold, no ReLU within 1e-5 of 0, and no
 * tap that is moved within 1e-5 of a cell.
 */
function isClear(scene: Scene): boolean {
  const { rule, angle, steps, n } = scene
  const hasKink = (word: Activation): boolean => word === 'relu' || word === 'leakyRelu'
  return scope(() => {
    const { params, x, masks, inputs } = placed(scene, defaultBackend, 'float64')
    const channels = x.shape.at(-1)!
    let now = x
    for (let t = 0; t < steps; t++) {
      const k = foldIn(key(n), t)
      if (inputs) now = setChannels(rule, now, inputs[t])
      const { state, candidate, after } = inspectStep(rule, params, now, { key: k, t, mask: masks?.[t], angle })
      now = state
      const pre = alive(rule, now)
      const values = now.toArray()
      // Noise on the state changes every cell, and may bring any of them near the threshold of living.
      const noisy = rule.living && rule.noise?.on === 'state' ? rule.living : { channel: 0, above: NaN }
      if (values.some((v, i) => i % channels === noisy.channel && Math.abs(v - noisy.above) < 1e-5)) return false
      const { channel: at, above: least } = rule.inputMask ?? { channel: 0, above: NaN }
      if (values.some((v, i) => i % channels === at && Math.abs(v - least) < 1e-4)) return false
      const drawn = masks?.[t] ?? fire(k, now, rule.fireRate)
      const input = Uint32Array.from({ length: values.length / channels }, (_, i) => +(values[i * channels + at] > least))
      const fires = rule.inputMask ? and(drawn, tensor(input, { shape: drawn.shape })) : drawn
      const rows = pre && rule.living?.when === 'both' ? and(fires, dilateOn(pre, { padding: rule.padding })) : fires
      const y = perceive(rule, params, now, { angle, mask: rows })
      const computed = rows.toArray()
      const atKink = (z: Tensor): boolean => {
        const n = z.shape.at(-1)!
        return z.toArray().some((v, i) => Math.abs(v) < 1e-5 && computed[Math.floor(i / n)])
      }
      if (movesIn(rule, params, now).some(moves => atKink(sub(moves, floor(add(moves, 0.5)))))) return false
      const parts = plain(rule).perceive, sums = { ...rule, perceive: parts.map(linearly) }
      if (kinksIn(parts) && atKink(perceive(sums, plainParams(rule, params), now, { angle, mask: rows }))) return false
      if (attentionSums(rule, params, now, rows).some(atKink)) return false
      const { hidden, activation, lastActivation, slope, residual } = rule.update
      if (hasKink(activation) || hasKink(lastActivation)) {
        let h = normed(rule, params, y, 0)
        for (let i = 1; i <= hidden.length; i++) {
          const sums = dense(h, params.update[`w${i}`], { bias: params.update[`b${i}`], mask: rows })
          const z = normed(rule, params, sums, i)
          if (hasKink(activation) && atKink(z)) return false
          const made = activate(activation, z, slope)
          h = residual && h.shape.at(-1) === hidden[i - 1] ? add(h, made) : made
        }
        const last = hidden.length + 1
        const z = dense(h, params.update[`w${last}`], { bias: params.update[`b${last}`], mask: rows })
        if (hasKink(lastActivation) && atKink(z)) return false
      }
      const would = candidate.toArray()
      if (rule.living) {
        const { channel, above } = rule.living
        const isNear = (v: Data): boolean => computed.some((acts, cell) => acts && Math.abs(v[cell * channels + channel] - above) < 1e-4)
        if (isNear(would) || isNear(after.toArray())) return false
      }
      if (rule.bound?.type === 'clamp') {
        const { low, high } = rule.bound
        const off = would.map(v => Math.min(Math.abs(v - low), Math.abs(v - high)))
        if (off.some((d, i) => d < 1e-5 && (d > 0 || computed[Math.floor(i / channels)]))) return false
      }
      now = after
    }
    return true
  })
}

/**
 * Whether the gradient of a bias is less than a twentieth of that of its weights. Both are sums of the same terms, which
 * then cancel, and in float32 the rest is mostly rounding error.
 */
function cancels(scene: Scene): boolean {
  const { gradients } = outcome(scene, defaultBackend, { dtype: 'float64' })
  const largest = (path: string): number => distance(gradients[path], gradients[path].map(() => 0))
  return Object.keys(gradients).some(path => {
    const [, of, n = ''] = /^(.*)\.b(?:ias)?(\d*)$/.exec(path) ?? []
    // The biases of deformable convolutions, networks, convolutions and attention.
    const weights = path.endsWith('.offsetBias') ? path.replace('Bias', 's') : [`${of}.w${n}`, `${of}.k${n}`, `${of}.kernel`, `${of}.output`].find(weights => weights in gradients)
    return weights !== undefined && largest(path) < largest(weights) / 20
  })
}

/** The sums of the hidden layer of each network behind an attention. */
function attentionSums({ perceive, padding }: DataRule, params: DataParams, x: Tensor, mask: Tensor): Tensor[] {
  return perceive.filter(isLearned).flatMap((part, i) => {
    if (part.type !== 'attention' || part.feedForward === 0) return []
    const { scale2: scale, shift2: shift, w1, b1: bias, ...own } = params.perceive![i]
    const y = attentionKind.perceive!({ ...part, feedForward: 0 }, own, x, { padding, mask })
    return [dense(layerNorm(y, { scale, shift }), w1, { bias, mask })]
  })
}

/** Through the norm that stands before layer i, if there is one. */
function normed({ update: { norm } }: DataRule, { update }: DataParams, x: Tensor, i: number): Tensor {
  const [scale, shift] = [update[`scale${i}`], update[`shift${i}`]]
  return scale ? layerNorm(x, { scale, shift, groups: norm!.groups }) : x
}

/** By how many cells each deformable convolution of a rule moves its taps. */
function movesIn(rule: DataRule, { perceive }: DataParams, x: Tensor): Tensor[] {
  return rule.perceive.filter(isLearned).flatMap((part, i) => {
    if (!isDeformable(part)) return []
    const { offsets, offsetBias } = perceive![i]
    const z = slice(add(conv2d(x, offsets, { padding: rule.padding }), offsetBias), [0, 0, 0, 0], [...x.shape.slice(0, 3), 2 * part.size ** 2])
    return [part.reach === null ? z : mul(part.reach, tanh(z))]
  })
}

/** A part of a perception without what it applies to its sums. */
function linearly(part: Perception): Perception {
  return isLearned(part) && part.type === 'conv' ? { ...part, activation: 'linear' } : part
}

function kinksIn(perceive: readonly Perception[]): boolean {
  return perceive.some(part => isLearned(part) && part.type === 'conv' && /relu/i.test(part.activation))
}

/** The scene's tensors on a backend. */
export function placed(
  { arrays, masks, inputs }: Scene, backend: Backend, dtype: DType,
): { params: DataParams; x: Tensor; masks: Tensor[] | undefined; inputs: Record<string, Tensor>[] | undefined } {
  const floating = ({ data, shape }: HostArray): Tensor => tensor(data, { shape, backend, dtype })
  const { x, ...params } = Object.fromEntries(Object.entries(arrays).map(([path, array]) => [path, floating(array)]))
  return {
    x,
    params: paramTree(Object.keys(params), Object.values(params)),
    masks: masks?.map(({ data, shape }) => tensor(data, { shape, backend })),
    inputs: inputs?.map(values => Object.fromEntries(Object.entries(values).map(([role, array]) => [role, floating(array)]))),
  }
}

/** States after each readout, and gradients by everything, under their paths. */
export type Outcome<A = Data> = {
  readonly states: readonly A[]
  readonly gradients: Readonly<Record<string, A>>
}

/** How a scene is run. */
export type OutcomeOptions = { dtype?: DType } & Partial<RolloutOptions>

/** What a rollout of the scene gives on a backend, as tensors. */
export function tensorOutcome(
  scene: Scene, backend: Backend, { dtype = 'float32', ...options }: OutcomeOptions = {},
): Outcome<Tensor> {
  const { rule, steps, readouts, angle, n, cotangents } = scene
  return scope(() => {
    const { params, x, masks, inputs } = placed(scene, backend, dtype)
    const [states, pullback] = vjp(
      (p: { params: DataParams; x: Tensor; inputs?: Record<string, Tensor>[] }) => rollout(
        rule, p.params, p.x, key(n), { steps, readouts, masks, angle, ...(p.inputs && { inputs: t => p.inputs![t] }), ...options },
      ),
      { params, x, ...(inputs && { inputs }) },
    )
    const given = cotangents.map(g => g && tensor(g.data, { shape: g.shape, backend, dtype }))
    const found = pullback(given)
    const gradients: Record<string, Tensor> = { x: found.x }
    eachLeaf(found.params, (g, path) => { gradients[path] = g as Tensor })
    eachLeaf(found.inputs ?? [], (g, path) => { gradients[`inputs.${path}`] = g as Tensor })
    return { states, gradients }
  })
}

/** The same as numbers. */
export function outcome(scene: Scene, backend: Backend, options: OutcomeOptions = {}): Outcome {
  return scope(() => {
    const { states, gradients } = tensorOutcome(scene, backend, options)
    return {
      states: states.map(y => y.toArray()),
      gradients: Object.fromEntries(Object.entries(gradients).map(([path, g]) => [path, g.toArray()])),
    }
  })
}

/** The same from a backend whose values arrive later. */
export async function laterOutcome(scene: Scene, backend: Backend, options: OutcomeOptions = {}): Promise<Outcome> {
  const reads = scope(() => {
    const { states, gradients } = tensorOutcome(scene, backend, options)
    return {
      // Reads are made before the scope ends and finish after it.
      read: [...states, ...Object.values(gradients)].map(t => ({ data: t.data() })),
      paths: Object.keys(gradients),
    }
  })
  const data = await Promise.all(reads.read.map(({ data }) => data))
  const [states, gradients] = [data.slice(0, -reads.paths.length), data.slice(-reads.paths.length)]
  return { states, gradients: Object.fromEntries(reads.paths.map((path, i) => [path, gradients[i]])) }
}

/** Largest difference, relative to the largest entry of what is expected, or to `least` where that is more. */
export function distance(got: Data, expected: Data, least = 0): number {
  let worst = 0, largest = 0
  expected.forEach((v, i) => {
    const d = Math.abs(v - got[i])
    worst = d > worst || Number.isNaN(d) ? d : worst
    largest = Math.max(largest, Math.abs(v))
  })
  return got.length === expected.length ? worst / (Math.max(largest, least) || 1) : NaN
}

/** Which cells are empty in the channels that change: the living mask as it can be seen from outside. */
export function empty({ rule }: Scene, state: Data): boolean[] {
  const channels = channelCount(rule.channels), updated = updatedChannels(rule)
  return Array.from({ length: state.length / channels }, (_, cell) =>
    updated.every(c => state[cell * channels + c] === 0))
}

/**
 * Fails unless an outcome is the expected one, up to rounding, and the same cells live. Gradients may be zero except for
 * rounding (of a filter that sees nothing on a grid of height 1, say), so the largest of all counts too.
 */
export function expectNear(scene: Scene, got: Outcome, expected: Outcome): void {
  const expectThat = (holds: boolean, what: string): void => {
    if (!holds) throw new Error(`${what}; rule ${JSON.stringify(scene.rule)}`)
  }
  const expectSmall = (off: number, most: number, what: string): void =>
    expectThat(off < most, `${what} is off by ${off}, expected < ${most}`)
  const paths = Object.keys(expected.gradients)
  expectThat(`${Object.keys(got.gradients)}` === `${paths}`, `gradients are those of ${Object.keys(got.gradients)}`)
  expected.states.forEach((state, i) => {
    expectSmall(distance(got.states[i], state), 1e-5, `state ${i}`)
    expectThat(`${empty(scene, got.states[i])}` === `${empty(scene, state)}`, `other cells live in state ${i}`)
  })
  const least = 1e-3 * Math.max(...Object.values(expected.gradients).map(g => distance(g, g.map(() => 0))))
  for (const path of paths) {
    expectSmall(distance(got.gradients[path], expected.gradients[path], least), 1e-4, `gradient of ${path}`)
  }
}
