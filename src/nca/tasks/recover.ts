/**
 * How a rule responds to a perturbation in the middle of a rollout (Spitznagel & Keuper 2026, equation 3, and the protocol of
 * NCAtorch): examples run from their seeds, are perturbed after one step, and are measured after a later one.
 *
 *   damage     a part of the grid is erased, except for frozen channels
 *   mutation   the frozen channels are replaced by those of another example, which the state should then become
 *
 *   recovery % = 100 (m_final − m_damaged) / (m_before − m_damaged),     m the mean of an error over the examples
 *
 * If the perturbation hardly increased the error, there is nothing to recover from, and the quotient means nothing.
 */
import { callable, check, checkOptions, keysOf, later, oneOf, required, wholeFrom } from '../../backends/options.ts'
import { foldIn, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { tensor, type Tensor } from '../../tensor/tensor.ts'
import { recovery, recoveryProtocol } from '../losses/recovery.ts'
import { inStages } from '../cascade.ts'
import { dataRuleOf } from '../rule/define.ts'
import type { Params, Rule } from '../rule/types.ts'
import { exchangeInputs, rollout } from '../step.ts'
import { damagedBut, damageMask, publishedCircles, wholeDamage, type Damage } from '../training/damage.ts'
import { kindOf, type Task } from '../training/trainer-options.ts'
import { batches, predictOptions, type PredictOptions } from './evaluate.ts'

export type RecoverOptions = Omit<PredictOptions, 'steps'> & {
  /** The perturbation: 'damage', only for planes, or 'mutation', for rules with frozen channels and at least two examples. */
  by: 'damage' | 'mutation'
  /** How they are damaged, default `publishedCircles`. */
  damage?: Damage
  /** The step after which they are perturbed; default that of `recoveryProtocol`, 149. */
  perturb?: number
  /** The step after which they are measured; default that of `recoveryProtocol`, 449. */
  judge?: number
  /** From states `[n,h,w,c]` and their examples to an error `[n]`, the lower the better; default the task's loss. */
  measure?: Task['loss']
}

export type Recovered = {
  /** The mean error before the perturbation, right after it, and at the end. */
  readonly before: number
  readonly damaged: number
  readonly final: number
  /** Recovery in percent, see `recovery`; null where the error grew by less than 1 %: nothing was damaged. */
  readonly percent: number | null
}

const { steps: _steps, ...shared } = predictOptions
const recoverKeys = keysOf<RecoverOptions>({
  ...shared, by: required(oneOf(['damage', 'mutation'])), damage: later, perturb: wholeFrom(0), judge: wholeFrom(0), measure: callable,
})

/**
 * How much of what a perturbation destroys a rule rebuilds. A mutation turns each example into the one half the list further on,
 * or the next of another kind (`Task.kind`), by which it is measured from then on. A task with several readouts is measured by its
 * first one at the perturbation, and by its last one at the end.
 *
 * @throws where the task has no such example, `judge` is not after `perturb`, or the rule cannot be perturbed like this
 * @example const { percent } = await recover(rule, task, params, { by: 'damage', examples: [0, 1, 2, 3] })
 */
export async function recover<R extends Rule>(rule: R, task: Task, params: Params<R>, options: RecoverOptions): Promise<Recovered> {
  const name = 'recover'
  checkOptions(name, options, recoverKeys)
  const { by, damage = publishedCircles, perturb = recoveryProtocol.perturb, judge = recoveryProtocol.judge, measure = task.loss, ...rest } = options
  const { batch = 32, examples: ids = Array.from({ length: task.examples }, (_, i) => i) } = rest
  check(judge > perturb, name, 'judge', judge, `a step after ${perturb}, that of the perturbation`)
  wholeDamage(name, damage)
  const runs = batches(name, rule, task, params, { ...rest, steps: perturb })
  const isMutation = by === 'mutation', told = dataRuleOf(rule)
  check(!isMutation || (told !== undefined && told.frozen.length > 0), name, 'by', by, "'damage': the rule has no frozen channels in which it is told what to become")
  check(!isMutation || ids.length > 1, name, 'the number of examples', ids.length, 'at least 2, of which one can become the other')
  const others = isMutation ? ids.map((_, i) => otherThan(task, ids, i)) : ids
  const early = (task.readouts ?? 1) > 1 ? 0 : undefined
  const errors: readonly number[][] = [[], [], []]
  for (const [i, run] of runs.entries()) {
    const wanted = others.slice(i * batch, (i + 1) * batch)
    const judged = scope(() => {
      const { x, ids: own, k } = run()
      const hit = isMutation ? exchangeInputs(told!, x, task.seeds(wanted, foldIn(k, 2 ** 32 - 2))) : damagedBy(rule, x, damage, foldIn(k, perturb))
      const end = rollout(inStages(rule, options.cascade), params, hit, k, { steps: judge - perturb, from: perturb })
      return { data: [measure(x, own, k, early, params), measure(hit, wanted, k, early, params), measure(end, wanted, k, undefined, params)].map(error => error.data()) }
    })
    for (const [j, values] of (await Promise.all(judged.data)).entries()) errors[j].push(...values)
  }
  const [before, damaged, final] = errors.map(values => values.reduce((a, b) => a + b, 0) / values.length)
  const isUnhurt = damaged - before <= 0.01 * Math.abs(before)
  return { before, damaged, final, percent: isUnhurt ? null : await percentOf(before, damaged, final) }
}

/** The example that the one at a place of the list becomes: half the list further on, or the next one after that of another kind. */
function otherThan(task: Task, ids: readonly number[], place: number): number {
  const own = kindOf(task, ids[place]), half = place + (ids.length >> 1)
  const other = ids.findIndex((_, i) => kindOf(task, ids[(half + i) % ids.length]) !== own)
  check(other >= 0, 'recover', 'examples', ids, 'examples of more than one kind, of which one can become the other')
  return ids[(half + other) % ids.length]
}

function damagedBy(rule: Rule, x: Tensor, damage: Damage, k: Key): Tensor {
  const [n, ...axes] = x.shape.slice(0, -1)
  check(axes.length === 2, 'recover', 'by', 'damage', 'mutation: damage is of planes')
  return damagedBut(rule, x, damageMask(k, damage, n, axes[0], axes[1], x.backend))
}

async function percentOf(...errors: readonly [number, number, number]): Promise<number> {
  const of = (x: number): Tensor => tensor(x, { dtype: 'float64' })
  const [before, damaged, final] = errors
  const [percent] = await scope(() => ({ data: recovery(of(before), of(damaged), of(final)).data() })).data
  return percent
}
