/**
 * The arguments of a step and of a rollout, checked against the rule once, at the public function: what is refused depends
 * neither on the backend nor on whether the rollout runs fused or composed.
 */
import { segmentLength, type ScanOptions } from '../autograd/scan.ts'
import { checkKey, type Key } from '../tensor/key.ts'
import { requireTensor } from '../tensor/op.ts'
import {
  callable, check, checkOptions, isNumber, isWhole, keysOf, later, required, wholeFrom, type Kind,
} from '../backends/options.ts'
import { sameShape, showShape } from '../tensor/shape.ts'
import { Tensor } from '../tensor/tensor.ts'
import { checkParams } from './rule/check-params.ts'
import { channelCount } from './rule/channels.ts'
import type { Rule, StepContext } from './rule/types.ts'

export type RolloutOptions = {
  /** How many steps, a whole number from 0 to 1,000,000. For more use several rollouts, see `from`. */
  steps: number
  /** Steps per checkpointed segment, see `scan`: 'auto' (default), a whole number > 0, or false to keep every step. */
  checkpoint?: ScanOptions['checkpoint']
  /** Fire masks, uint32, 1 where a cell updates, `[b,h,w]` in the plane: one per step, to use instead of drawing them. */
  masks?: readonly Tensor[]
  /** Angle in radians by which cells see the world rotated, default 0; see `StepContext`. */
  angle?: number
  /** External inputs: what to write into channels, by role, before step t; see `setChannels`. */
  inputs?: (t: number) => Readonly<Record<string, Tensor>>
  /** Number of the first step, default 0: rollouts that each go on where the last ended equal one long rollout. */
  from?: number
}

/** For a rollout that returns intermediate states, and not only the last one. */
export type Readouts = {
  /** The numbers of steps after which states are returned, whole numbers from 1 to `steps`. */
  readouts: readonly number[]
}

/** The most steps of one rollout: each has a key and, when composed, a place on the tape. */
export const mostSteps = 1_000_000

const listOf = (what: string): Kind => ({ fits: Array.isArray, expected: `a list of ${what}` })

// Options that depend on the rule and the state (masks, an angle) are checked below.
const stepOptions = keysOf<StepContext>({ key: later, t: later, mask: later, angle: later })
const rolloutOptions = keysOf<Partial<Readouts> & RolloutOptions>({
  steps: required(wholeFrom(0, mostSteps)),
  readouts: listOf('numbers of steps'),
  checkpoint: segmentLength,
  masks: listOf('fire masks, one per step'),
  angle: later,
  inputs: { fits: callable.fits, expected: 'a function from the number of a step to tensors by role' },
  from: later,
})

/** Throws a sentence unless `step` can run with this. */
export function checkStep(rule: Rule, params: unknown, x: Tensor, context: StepContext): void {
  checkOptions('step', context, stepOptions)
  const { key, t, mask, angle = 0 } = context
  checkKey('step', key)
  check(isWhole(t), 'step', 't', t, 'the number of the step, a whole number ≥ 0')
  checkState('step', rule, params, x)
  if (mask !== undefined) checkMask('step', 'mask', mask, x)
  checkAngle('step', rule, angle)
}

/** The options of a rollout with their defaults. Throws a sentence unless `rollout` can run with all of this. */
export function checkRollout(
  rule: Rule, params: unknown, x: Tensor, key: Key, options: Partial<Readouts> & RolloutOptions,
): Required<Omit<RolloutOptions, 'masks' | 'inputs'>> & Pick<typeof options, 'masks' | 'inputs' | 'readouts'> {
  const where = 'rollout'
  checkKey(where, key)
  checkOptions(where, options, rolloutOptions)
  const { steps, readouts, checkpoint = 'auto', masks, angle = 0, inputs, from = 0 } = options
  check(isWhole(from) && from <= 2 ** 32 - steps, where, 'from', from, 'a whole number ≥ 0, with steps at most 2^32')
  checkAngle(where, rule, angle)
  Array.from(readouts ?? []).forEach((n, i) => {
    check(isWhole(n, 1) && n <= steps, where, `readouts[${i}]`, n, `a whole number from 1 to steps, ${steps}`)
  })
  checkState(where, rule, params, x)
  check((masks?.length ?? steps) === steps, where, 'the number of masks', masks?.length, `that of the steps, ${steps}`)
  Array.from(masks ?? []).forEach((mask, t) => checkMask(where, `masks[${t}]`, mask, x))
  return { steps, readouts, checkpoint, masks, angle, inputs, from }
}

/** Throws unless x is a state of a rule, and these are parameters for it. */
export function checkState(where: string, rule: Rule, params: unknown, x: Tensor): void {
  requireTensor(where, 'the state', x)
  const channels = channelCount(rule.channels)
  const axes = { 1: 'b,w', 2: 'b,h,w', 3: 'b,d,h,w' }[rule.grid]
  if (x.shape.length !== rule.grid + 2 || x.shape.at(-1) !== channels) {
    throw new Error(
      `${where}: the state is ${showShape(x.shape)}, expected [${axes},${channels}] for channels `
        + `${JSON.stringify(rule.channels)}.`,
    )
  }
  const floating = x.dtype === 'float32' || x.dtype === 'float64'
  check(floating || rule.type === 'custom', where, 'the state', x, 'a tensor of float32 or float64')
  checkParams(where, rule, params, { like: x })
}

/** Throws unless a mask has an entry for each cell of a state. */
function checkMask(where: string, name: string, mask: Tensor, x: Tensor): void {
  const cells = x.shape.slice(0, -1)
  const fits = mask instanceof Tensor && mask.dtype === 'uint32' && sameShape(mask.shape, cells)
  check(fits, where, name, mask, `a tensor ${showShape(cells)} uint32`)
  if (mask.backend !== x.backend) {
    throw new Error(`${where}: ${name} is on ${mask.backend.name}, but the state is on another backend, ${x.backend.name}.`)
  }
}

/** Throws unless the cells of the rule can see their grid rotated by this angle. */
function checkAngle(where: string, rule: Rule, angle: number): void {
  check(isNumber(angle), where, 'angle', angle, 'an angle in radians, a finite number')
  check(rule.grid > 1 || rule.type === 'custom' || angle === 0, where, 'angle', angle, '0 on a line, where nothing can turn')
}
