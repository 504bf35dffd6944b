/**
 * step and rollout: running an automaton.
 *
 * One step of a data rule, for a state s `[b,h,w,c]` (Mordvintsev et al., "Growing Neural Cellular Automata", Distill
 * 2020; parts in brackets are options of the rule, as in NCAtorch, Spitznagel & Keuper 2026):
 *
 *   [s   ← s + ε]                                 noise on the state
 *   pre  = max3×3(alpha of s) > 0.1               living mask before
 *   m    = fire mask [∧ input > 0.1]              a cell updates in this step or not
 *   s'   = s + m ⊙ η U(P(s)) [+ m ⊙ ε]            perceive, update [noise on the change]
 *   post = max3×3(alpha of s') > 0.1              living mask after
 *   s    ← s' where pre ∧ post, else 0            [where post, else 0]
 *   [s   ← clamp(s) or tanh(s)]                   bounds
 *
 * Frozen channels have no change, no living mask, no noise and no bounds: they stay as they are.
 *
 * Cells that cannot matter are not computed. A cell that does not fire keeps its state. A cell that is dead before the
 * step is zero after it, whatever it would become, but its new alpha counts in its neighbours' `post`. So the cells
 * that are computed are those that fire within one cell of a living one. Nothing else is skipped, and the result is
 * exactly that of the equations above. Derivatives go through the cells that fire and were alive before. This includes
 * cells that died in the step: their cotangent is zero, but 0·NaN is NaN, so a NaN in them shows in the gradient.
 */
import { scan } from '../autograd/scan.ts'
import { stopGradient } from '../tensor/ops/stop-gradient.ts'
import { foldIn, type Key } from '../tensor/key.ts'
import { scope } from '../tensor/lifetime.ts'
import { requireTensor } from '../tensor/op.ts'
import { show } from '../backends/options.ts'
import { add, mul } from '../tensor/ops/arithmetic.ts'
import { and, greater, or, where } from '../tensor/ops/compare.ts'
import { concat, splitAxis } from '../tensor/ops/concat.ts'
import { clamp, tanh } from '../tensor/ops/functions.ts'
import { reshape } from '../tensor/ops/reshape.ts'
import { fire } from '../tensor/ops/fire.ts'
import { normal } from '../tensor/ops/random.ts'
import { sameShape } from '../tensor/shape.ts'
import { Tensor, tensor } from '../tensor/tensor.ts'
import { fusedRollout } from './fused/rollout.ts'
import { mlpLayers } from './mlp.ts'
import { checkParams } from './rule/check-params.ts'
import { perceive } from './perceive.ts'
import { dilateOn } from '../tensor/ops/grid.ts'
import { channelCount, updatedChannels } from './rule/channels.ts'
import type { DataParams, DataRule, Params, Rule, StepContext } from './rule/types.ts'
import { checkRollout, checkStep, type Readouts, type RolloutOptions } from './run-options.ts'
import { setChannels, takeChannels } from './state.ts'

/**
 * η U: the change of each cell from what it perceives, of the channels that change.
 *
 * @param y `[b,h,w,perceptionSize(rule)]`
 * @param mask a mask `[b,h,w]` of the cells to compute; the others are 0
 * @param gradMask the cells among them through which derivatives go; see `dense`
 * @returns `[b,h,w,u]` for the u channels of `updatedChannels(rule)`
 * @throws where the parameters of the network are not those of the rule
 * @example update(rule, params, perceive(rule, params, x))
 */
export function update(rule: DataRule, params: DataParams, y: Tensor, mask?: Tensor, gradMask?: Tensor): Tensor {
  requireTensor('update', 'what is perceived', y)
  return layersOf(rule, params, y, mask, gradMask).change
}

/** The hidden layers of the network, and its change. */
function layersOf(
  rule: DataRule, params: DataParams, y: Tensor, mask?: Tensor, gradMask?: Tensor,
): { hidden: readonly Tensor[]; change: Tensor } {
  checkParams('update', rule, params, { like: y, part: 'update' })
  const layers = mlpLayers(rule.update, params.update, y, mask, gradMask)
  const change = layers.at(-1)!
  return { hidden: layers.slice(0, -1), change: rule.stepSize === 1 ? change : mul(rule.stepSize, change) }
}

/** The living mask `[b,h,w]`: 1 where the cell or one of its neighbours has `channel` > `above`. */
export function alive(rule: DataRule, x: Tensor): Tensor | null {
  return rule.living && dilateOn(exceeds(x, rule.living), { padding: rule.padding })
}

/** Cells whose channel exceeds a threshold, `[b,h,w]`. */
export function exceeds(x: Tensor, { channel, above }: { channel: number; above: number }): Tensor {
  return reshape(greater(takeChannels(stopGradient(x), channel, channel + 1), above), x.shape.slice(0, -1))
}

/**
 * One step.
 *
 * @param x `[b,h,w,c]`
 * @param context has the key of this one step: with the same key, the same cells fire again. `rollout` uses `foldIn(key, t)`
 * @returns `[b,h,w,c]`
 * @throws where parameters, state, mask or angle do not fit the rule, and where a custom rule returns anything but a state
 *   of this shape and type
 * @example for (let t = 0; t < 96; t++) x = step(rule, params, x, { key: foldIn(key(0), t), t })
 */
export function step<R extends Rule>(rule: R, params: Params<R>, x: Tensor, context: StepContext): Tensor {
  checkStep(rule, params, x, context)
  return advance(rule, params, x, context)
}

/** A step whose arguments have been checked. */
function advance<R extends Rule>(rule: R, params: Params<R>, x: Tensor, context: StepContext): Tensor {
  return scope(() => (rule.type === 'custom'
    ? likeState(x, rule.step(params as never, x, context))
    : dataStep(rule, params as DataParams, x, context)), 'step()')
}

/** The state that a rule's own code returned. Throws unless it is like x. */
function likeState(x: Tensor, next: unknown): Tensor {
  if (next instanceof Tensor && sameShape(next.shape, x.shape) && next.dtype === x.dtype) return next
  throw new Error(`step: the rule returned ${show(next)}, expected ${show(x)}.`)
}

function dataStep(rule: DataRule, params: DataParams, before: Tensor, context: StepContext): Tensor {
  return partsOf(rule, params, before, context, 'needed').after
}

/** The quantities of a step, in the order of the equations. Masks are uint32 `[b,h,w]`; null stands for a mask of all cells. */
export type StepParts = {
  /** The state that the cells perceive, `[b,h,w,c]`, with its noise if the rule has noise on the state. */
  readonly state: Tensor
  /** Cells that lived before the update. */
  readonly pre: Tensor | null
  /** Cells that fire; with an input mask, only those with an input. */
  readonly fires: Tensor | null
  /** P(s) `[b,h,w,perceptionSize(rule)]`, see `perceptionNames`. */
  readonly perception: Tensor
  /** The hidden layers of the network `[b,h,w,units]`, from the first to the last, after their activation. */
  readonly hidden: readonly Tensor[]
  /** η U(P(s)) `[b,h,w,u]`, of the channels that change, before the fire mask. */
  readonly change: Tensor
  /** s' `[b,h,w,c]`, before the living mask and bounds. */
  readonly candidate: Tensor
  /** Cells that live after the update: the living mask of s'. */
  readonly post: Tensor | null
  /** The next state `[b,h,w,c]`. */
  readonly after: Tensor
}

/**
 * Everything that one step of a data rule computes, for every cell: even for those that do not fire or do not live, which
 * `step` leaves out.
 *
 * @param x the state before it `[b,h,w,c]`
 * @param context as for `step`
 * @returns the quantities by name; `after` is what `step` returns
 * @throws for a rule that is code, and where `step` would
 * @example const { perception, hidden, fires, after } = inspectStep(rule, params, x, { key: foldIn(k, t), t })
 */
export function inspectStep(rule: DataRule, params: DataParams, x: Tensor, context: StepContext): StepParts {
  if ((rule as Rule).type === 'custom') throw new Error('inspectStep: the rule is code, and only those of defineRule have parts.')
  checkStep(rule, params, x, context)
  return scope(() => partsOf(rule, params, x, context, 'all'), 'inspectStep()')
}

/** A step with everything that it computes, for all cells or only for those that are needed. @internal */
export function partsOf(
  rule: DataRule, params: DataParams, before: Tensor, { key, mask, angle }: StepContext, cells: 'all' | 'needed',
): StepParts {
  const { noise, inputMask, living } = rule
  const epsilon = noise && randomChange(rule, before, foldIn(key, 1), noise.std)
  const x = epsilon && noise?.on === 'state' ? changed(rule, before, epsilon) : before
  const pre = living?.when === 'both' ? alive(rule, x) : null
  const drawn = mask ?? (rule.fireRate < 1 ? fire(key, x, rule.fireRate) : undefined)
  const fires = inBoth(drawn, inputMask ? exceeds(x, inputMask) : undefined)
  const needed = inBoth(fires, pre ? dilateOn(pre, { padding: rule.padding }) : undefined)
  const computed = cells === 'needed' ? needed : undefined
  // A cell that was dead before is zero after, whatever it would have become: no derivative goes through it.
  const gradMask = computed && pre ? inBoth(fires, pre) : undefined
  const perception = perceive(rule, params, x, { angle, mask: computed, gradMask })
  const { hidden, change } = layersOf(rule, params, perception, computed, gradMask)
  // The change is zero in cells that are not computed.
  const own = cells === 'all' && needed ? where(onChannels(needed), change, 0) : change
  const disturbed = epsilon && noise?.on === 'change'
    ? add(own, fires ? where(onChannels(fires), epsilon, 0) : epsilon)
    : own
  const candidate = changed(rule, x, disturbed)
  return { state: x, pre, fires: fires ?? null, perception, hidden, change, candidate, ...settled(rule, pre, candidate) }
}

/** The living mask of a candidate, and the next state: the candidate with mask and bounds applied. @internal */
export function settled(rule: DataRule, pre: Tensor | null, candidate: Tensor): Pick<StepParts, 'post' | 'after'> {
  const post = alive(rule, candidate)
  return { post, after: bounded(rule, post ? where(kept(rule, pre ? and(pre, post) : post), candidate, 0) : candidate) }
}

/** Cells that are in both masks; a missing mask has all cells. */
function inBoth(a: Tensor | undefined, b: Tensor | undefined): Tensor | undefined {
  return a && b ? and(a, b) : a ?? b
}

/** A mask `[b,h,w]` as `[b,h,w,1]`. */
function onChannels(mask: Tensor): Tensor {
  return reshape(mask, [...mask.shape, 1])
}

/** N(0, std) for each channel that changes, `[b,h,w,u]`. */
function randomChange(rule: DataRule, x: Tensor, key: Key, std: number): Tensor {
  return normal(key, [...x.shape.slice(0, -1), updatedChannels(rule).length], { std, like: x })
}

/** x plus the change `[b,h,w,u]` of the channels that are not frozen. */
function changed({ channels, frozen }: DataRule, x: Tensor, change: Tensor): Tensor {
  if (frozen.length === 0) return add(x, change)
  const roles = Object.entries(channels)
  const moving = roles.filter(([role]) => !frozen.includes(role))
  const sizes = (list: typeof roles): number[] => list.map(([, n]) => n)
  const changes = splitAxis(change, sizes(moving))
  return concat(splitAxis(x, sizes(roles)).map((part, i) =>
    (frozen.includes(roles[i][0]) ? part : add(part, changes.shift()!))))
}

/** x with the channels that change within the rule's bounds. */
function bounded(rule: DataRule, x: Tensor): Tensor {
  const { bound } = rule
  if (bound === null) return x
  const within = bound.type === 'tanh' ? tanh(x) : clamp(x, bound.low, bound.high)
  return rule.frozen.length === 0 ? within : where(frozenChannels(rule, x), x, within)
}

/** Where a state is not zeroed: in cells that live, `[b,h,w]`, and in frozen channels. */
function kept(rule: DataRule, lives: Tensor): Tensor {
  return rule.frozen.length === 0 ? onChannels(lives) : or(onChannels(lives), frozenChannels(rule, lives))
}

/**
 * x with the frozen channels of other seeds: another image or another condition in the middle of a rollout. If the rule has an
 * input mask, cells that lose their input are zeroed, since they would never change again.
 *
 * @param x,seeds `[b,h,w,c]`
 * @example exchangeInputs(rule, x, task.seeds(others))
 */
export function exchangeInputs(rule: DataRule, x: Tensor, seeds: Tensor): Tensor {
  const frozen = frozenChannels(rule, x)
  const { inputMask } = rule
  const isInput = inputMask && !updatedChannels(rule).includes(inputMask.channel)
  const kept = isInput ? where(onChannels(exceeds(seeds, inputMask)), x, 0) : x
  return where(frozen, seeds, kept)
}

/** The frozen channels, or those of one frozen role, as a mask `[c]`. */
export function frozenChannels({ channels, frozen }: DataRule, { backend }: Tensor, role?: string): Tensor {
  const others = updatedChannels({ channels, frozen: role === undefined ? frozen : [role] })
  const isFrozen = Uint32Array.from({ length: channelCount(channels) }, (_, c) => +!others.includes(c))
  return tensor(isFrozen, { backend })
}

/**
 * Runs a rule for a number of steps; which cells fire in step t follows from `foldIn(key, t)`. With `readouts` (numbers of
 * steps, each from 1 to `steps`) it returns the list of the states after these numbers of steps.
 *
 * It is differentiable: the memory kept for the derivative grows like √steps, or is bounded by the backend's budget. Where the
 * backend can run the rule fused (see `explain`), it does; the result is that of one `step` after another.
 *
 * @param x the first state `[b,h,w,c]`
 * @returns the last state, or a list of states where `readouts` is given
 * @throws where parameters or state do not fit the rule, or an option has an invalid value; alike on every backend
 * @example const grown = rollout(rule, params, seed(rule, { height: 72, width: 72 }), key(1), { steps: 96 })
 */
export function rollout<R extends Rule>(
  rule: R, params: Params<R>, x: Tensor, key: Key, options: RolloutOptions & Readouts,
): Tensor[]
export function rollout<R extends Rule>(
  rule: R, params: Params<R>, x: Tensor, key: Key, options: RolloutOptions,
): Tensor
export function rollout<R extends Rule>(
  rule: R, params: Params<R>, x: Tensor, key: Key, options: RolloutOptions & Partial<Readouts>,
): Tensor | Tensor[] {
  const { steps, readouts, checkpoint, masks, angle, inputs, from } = checkRollout(rule, params, x, key, options)
  const at = readouts ? [...new Set(readouts)].sort((a, b) => a - b) : [steps]
  /** The states after `at` steps of a rule, composed of operators. */
  const composedBy = <R extends Rule>(rule: R) => (params: Params<R>, x: Tensor, inputs: RolloutOptions['inputs']): Tensor[] => {
    const [, states] = scan((now: Tensor, _, t) => {
      const x = inputs ? setChannels(rule, now, inputs(from + t)) : now
      const next = advance(rule, params, x, { key: foldIn(key, from + t), t: from + t, mask: masks?.[t], angle })
      return [next, at.includes(t + 1) ? next : null] as const
    }, x, steps, { checkpoint })
    return at.map(n => states[n - 1]!)
  }
  if (steps === 0) return readouts ? [] : x
  const how = { steps, readouts: at, checkpoint, masks, angle, from, inputs }
  return scope(() => {
    const whole = rule.type === 'custom' && !masks && !inputs ? rule.whole : undefined
    const states = whole?.(params as never, x, key, how)
      ?? fusedRollout(rule, params as DataParams, x, key, how, composedBy) ?? composedBy(rule)(params, x, inputs)
    return readouts ? readouts.map(n => states[at.indexOf(n)]) : states[0]
  }, 'rollout()')
}
