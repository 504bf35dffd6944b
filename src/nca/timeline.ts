/**
 * Time lines: rollouts in which one can go back.
 *
 * A state is determined by the first one, the key and the number of the step, so not all T states need to be kept: every
 * k-th one is, and any other is computed again from the kept one before it, at most k − 1 steps away. With k = ⌈√T⌉ both
 * the memory and the time to reach a state grow like √T. The state is that of the rollout bit for bit: the fire mask of step t
 * follows from `foldIn(key, t)`, wherever one starts.
 *
 * The derivative of a loss L of the last state is computed backwards, one step at a time,
 *
 *   ∂L/∂s_t = (∂s_(t+1)/∂s_t)ᵀ ∂L/∂s_(t+1)          ∂L/∂w = Σ_t (∂s_(t+1)/∂w)ᵀ ∂L/∂s_(t+1)
 *
 * so that all ∂L/∂s_t cost one backward pass. Their norms over t show where the error vanishes or explodes (Hochreiter
 * 1991; Pascanu, Mikolov & Bengio, "On the difficulty of training recurrent neural networks", 2013).
 */
import { valueAndGrad } from '../autograd/grad.ts'
import { vjp, type Pullback } from '../autograd/vjp.ts'
import { check, checkFunction, checkOptions, isWhole, keysOf, later, required, wholeFrom } from '../backends/options.ts'
import type { Key } from '../tensor/key.ts'
import { scope } from '../tensor/lifetime.ts'
import { add } from '../tensor/ops/arithmetic.ts'
import { stack } from '../tensor/ops/concat.ts'
import { zerosLike } from '../tensor/ops/create.ts'
import { norm } from '../tensor/ops/norm.ts'
import { Tensor } from '../tensor/tensor.ts'
import { mapTree, zipTrees } from '../tensor/tree.ts'
import type { Params, Rule } from './rule/types.ts'
import { mostSteps, type RolloutOptions } from './run-options.ts'
import { rollout } from './step.ts'

export type TimelineOptions = Pick<RolloutOptions, 'steps' | 'angle'> & {
  /** A state is kept every `every` steps, a whole number > 0; default ⌈√steps⌉. */
  every?: number
}

const timelineOptions = keysOf<TimelineOptions>({ steps: required(wholeFrom(0, mostSteps)), angle: later, every: wholeFrom(1) })

/** A rollout as data, from which any of its states can be computed. */
export type Timeline<R extends Rule = Rule> = {
  readonly rule: R
  readonly params: Params<R>
  readonly key: Key
  readonly steps: number
  readonly angle: number
  readonly every: number
  /** The states after 0, `every`, 2·`every`, … steps, `[b,h,w,c]`. */
  readonly kept: readonly Tensor[]
}

/**
 * Runs a rule as `rollout` does, and keeps some of the states.
 *
 * @param x the first state `[b,h,w,c]`
 * @throws where `rollout` would
 * @example
 * const line = timeline(rule, params, seed(rule, { height: 72, width: 72 }), key(1), { steps: 256 })
 * const before = stateAt(line, 95)
 */
export function timeline<R extends Rule>(
  rule: R, params: Params<R>, x: Tensor, key: Key, options: TimelineOptions,
): Timeline<R> {
  checkOptions('timeline', options, timelineOptions)
  const { steps, angle = 0, every = Math.max(1, Math.ceil(Math.sqrt(steps))) } = options
  const readouts = Array.from({ length: Math.floor(steps / every) }, (_, i) => (i + 1) * every)
  const states = rollout(rule, params, x, key, { steps: readouts.at(-1) ?? 0, angle, readouts })
  return { rule, params, key, steps, angle, every, kept: [x, ...states] }
}

/**
 * The state after t steps.
 *
 * @param t a whole number from 0 to the steps of the line
 * @returns `[b,h,w,c]`, exactly the state that `rollout` returns after t steps
 * @throws where the line has no such step
 * @example const picture = await tensorToImage(stateAt(line, 31))
 */
export function stateAt<R extends Rule>(line: Timeline<R>, t: number): Tensor {
  checkStepNumber('stateAt', line, t)
  const [state] = statesFrom(line, Math.floor(t / line.every), [t])
  return state
}

/** The states after some numbers of steps, all of them from the kept state k on. */
function statesFrom<R extends Rule>(line: Timeline<R>, k: number, at: readonly number[]): Tensor[] {
  const { rule, params, key, angle, every, kept } = line
  const from = k * every
  const readouts = at.filter(t => t > from).map(t => t - from)
  const states = readouts.length === 0 ? [] : rollout(rule, params, kept[k], key, {
    steps: Math.max(...readouts), from, angle, readouts,
  })
  return at.map(t => (t === from ? kept[k] : states[readouts.indexOf(t - from)]))
}

function checkStepNumber(where: string, { steps }: Timeline, t: number): void {
  check(isWhole(t) && t <= steps, where, 't', t, `a whole number from 0 to ${steps}, the steps of the line`)
}

/** The gradients of a loss of the last state. */
export type TimelineGradients<R extends Rule = Rule> = {
  /** L, a scalar. */
  readonly loss: Tensor
  /** ∂L/∂s_t for t = 0 … steps, each `[b,h,w,c]`. */
  readonly states: readonly Tensor[]
  /** ‖∂L/∂s_t‖ for t = 0 … steps, `[steps + 1]`. */
  readonly norms: Tensor
  /** ∂L/∂w, a tree like the parameters. */
  readonly params: Params<R>
}

/**
 * The gradients of a loss of the last state with respect to every state before it and to the parameters, in one backward pass.
 *
 * They equal those of `grad` through the whole rollout, up to the rounding of sums in another order. The gradients of all
 * states are in memory at once: 33 MB for 96 steps of 72×72 cells of 16 channels.
 *
 * @param loss a function of a state `[b,h,w,c]` that returns a scalar
 * @throws where the loss is no such function
 * @example
 * const { norms, states } = timelineGradients(line, x => mean(mse(rgba(x), target)))
 * console.log(await norms.data())
 */
export function timelineGradients<R extends Rule>(line: Timeline<R>, loss: (x: Tensor) => Tensor): TimelineGradients<R> {
  checkFunction('timelineGradients', 'loss', loss)
  const { rule, key, angle, steps, every } = line
  type Given = { readonly w: Params<R>; readonly x: Tensor }
  const next = ({ w, x }: Given, t: number): Tensor => rollout(rule, w, x, key, { steps: 1, from: t, angle })
  return scope(() => {
    const [value, last] = valueAndGrad(loss)(stateAt(line, steps))
    const states = [last]
    let sums = mapTree(line.params, leaf => (leaf instanceof Tensor ? zerosLike(leaf) : leaf))
    for (let end = steps; end > 0;) {
      const k = Math.floor((end - 1) / every)
      const times = Array.from({ length: end - k * every }, (_, i) => k * every + i)
      const part = scope(() => {
        const before = statesFrom(line, k, times)
        const found: Tensor[] = []
        let total = sums
        for (const t of times.toReversed()) {
          const [, pullback] = vjp(next, { w: line.params, x: before[t - k * every] }, t)
          const { w, x } = (pullback as Pullback<Given, Tensor>)(found.at(-1) ?? states.at(-1)!)
          found.push(x)
          total = zipTrees(total, [w], (sum, [more]) => (sum instanceof Tensor ? add(sum, more as Tensor) : sum))
        }
        return { found, total }
      }, 'a part of timelineGradients()')
      states.push(...part.found)
      sums = part.total
      end = k * every
    }
    return { loss: value, states: states.toReversed(), norms: stack(states.toReversed().map(g => norm(g))), params: sums }
  }, 'timelineGradients()')
}
