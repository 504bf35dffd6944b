/**
 * How certain a rule is: each of n runs draws new fire masks, and the noise of seeds that have some, and where the runs differ, the rule is
 * uncertain
 * (Kalkhof, González & Mukhopadhyay, "Med-NCA: Robust and Lightweight Segmentation with Neural Cellular Automata", IPMI
 * 2023; "M3D-NCA", MICCAI 2023, which defines the quality metric NQM).
 *
 *   mean = 1/n Σᵣ yᵣ        std = √(1/n Σᵣ (yᵣ − mean)²)        NQM = Σ std / Σ |mean|
 *
 * y are amounts of foreground, like the probabilities of a mask; NQM sums over all cells and channels of an example. Instead
 * of several runs, y may be the last n states of a single one (`last`): a state that does not settle is uncertain too, and this
 * costs only one rollout (as in NCALab, Krumb et al. 2025).
 *
 * The mean over channels of the variance, std², is the map of pixel variance by which images that were grown several times are
 * compared (Spitznagel & Keuper 2026, figure 18). The sums are updated run by run (Welford, Technometrics 1962), so that memory
 * does not grow with n, and equal runs have a deviation of exactly 0.
 */
import { callable, check, checkOptions, keysOf, wholeFrom } from '../../backends/options.ts'
import { checkKey, foldIn, key as keyOf } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, div, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { equal, where } from '../../tensor/ops/compare.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { zerosLike } from '../../tensor/ops/create.ts'
import { abs, sqrt, square } from '../../tensor/ops/functions.ts'
import { mean as meanOf } from '../../tensor/ops/reduce.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { sampleAxes } from '../losses/loss.ts'
import { inStages } from '../cascade.ts'
import type { Params, Rule } from '../rule/types.ts'
import { rollout } from '../step.ts'
import type { Task } from '../training/trainer-options.ts'
import { batches, predictOptions, type PredictOptions } from './evaluate.ts'

export type UncertaintyOptions = PredictOptions & {
  /** How many runs, from 2 on, default 10. Run r has the key foldIn(key, r). */
  runs?: number
  /** How many of the last states of one run to compare, from 2 to `steps`, instead of several runs. They are all in memory. */
  last?: number
  /** From states `[n,h,w,c]` to the numbers to compare, `[n,…]`, like the probabilities of a mask; default the states. */
  of?: (x: Tensor) => Tensor
}

export type Uncertainty = {
  /** The mean of the runs, or steps, `[n,…,m]`, as `of` returns it. */
  readonly mean: Tensor
  /** The standard deviation of each number over them, `[n,…,m]`, ≥ 0: the map of uncertainty. */
  readonly std: Tensor
  /** The mean over channels of the variance, `[n,…]`, ≥ 0: the map of pixel variance. */
  readonly variance: Tensor
  /** Σ std / Σ |mean| of each example, `[n]`, ≥ 0; 0 where no run differs. */
  readonly nqm: Tensor
}

const uncertaintyKeys = keysOf<UncertaintyOptions>({ ...predictOptions, runs: wholeFrom(2), last: wholeFrom(2), of: callable })

/**
 * Mean, standard deviation, variance and NQM of a rule's results for examples, over several runs with different fire masks or
 * over the last steps of one.
 *
 * @returns `{ mean, std, variance, nqm }`, of shapes `[n,…,m]`, `[n,…,m]`, `[n,…]` and `[n]`, in the order of the examples
 * @throws for fewer than 2 runs or steps, for both, where the task has no such example, or `of` does not return `[n,…,m]`
 * @example
 * const { std, nqm } = uncertainty(rule, task, params, { steps: 64, of: x => sigmoid(takeRole(rule, x, 'output')) })
 * @example uncertainty(rule, task, params, { steps: 64, last: 16, of: rgba })
 */
export function uncertainty<R extends Rule>(rule: R, task: Task, params: Params<R>, options: UncertaintyOptions): Uncertainty {
  const name = 'uncertainty'
  checkOptions(name, options, uncertaintyKeys)
  const { runs = 10, last, key = keyOf(0), of = (x: Tensor) => x, ...rest } = options
  checkKey(name, key)
  check(last === undefined || options.runs === undefined, name, 'last', last, 'nothing beside runs')
  check(last === undefined || last <= rest.steps, name, 'last', last, `at most ${rest.steps}, the number of steps`)
  const told = (x: Tensor, ids: readonly number[]): Tensor => {
    const y: unknown = of(x)
    const fits = y instanceof Tensor && y.shape.length > 1 && y.shape[0] === ids.length && y.dtype.startsWith('float')
    check(fits, name, 'what of returned', y, `a tensor [${ids.length},…,m] of floating-point numbers, something for each example`)
    return y as Tensor
  }
  return scope(() => {
    const parts = last === undefined ? overRuns() : overSteps(last)
    const [mean, std] = [concat(parts.map(part => part.mean), 0), concat(parts.map(part => part.std), 0)]
    const all = (x: Tensor): Tensor => sum(x, sampleAxes(x))
    return { mean, std, variance: meanOf(square(std), -1), nqm: where(equal(all(std), 0), 0, div(all(std), all(abs(mean)))) }
  }, 'uncertainty()')

  /** The spread of each batch over runs. */
  function overRuns(): Spread[] {
    const drawn = Array.from({ length: runs }, (_, r) => batches(name, rule, task, params, { ...rest, key: foldIn(key, r) }))
    return drawn[0].map((_, batch) => spread(runs, r => scope(() => {
      const { x, ids } = drawn[r][batch]()
      return told(x, ids)
    })))
  }

  /** The spread of each batch over the states after its last n steps. */
  function overSteps(n: number): Spread[] {
    const from = rest.steps - n + 1
    return batches(name, rule, task, params, { ...rest, key, steps: from }).map(run => scope(() => {
      const { x, ids, k } = run()
      const readouts = Array.from({ length: n - 1 }, (_, i) => i + 1)
      const states = [x, ...rollout(inStages(rule, options.cascade), params, x, k, { steps: n - 1, from, readouts })]
      return spread(n, i => scope(() => told(states[i], ids)))
    }))
  }
}

type Spread = { readonly mean: Tensor; readonly std: Tensor }

/** Mean and standard deviation of the results of several runs. */
function spread(runs: number, run: (r: number) => Tensor): Spread {
  /** Mean and sum of squares of the first n runs; the scope releases those of fewer runs, as in `total`. */
  const upTo = (n: number): { mean: Tensor; squares: Tensor } => scope(() => {
    if (n === 1) {
      const y = run(0)
      return { mean: y, squares: zerosLike(y) }
    }
    const before = upTo(n - 1)
    const y = run(n - 1)
    const from = sub(y, before.mean)
    const mean = add(before.mean, div(from, n))
    return { mean, squares: add(before.squares, mul(from, sub(y, mean))) }
  })
  const { mean, squares } = upTo(runs)
  return { mean, std: sqrt(div(squares, runs)) }
}
