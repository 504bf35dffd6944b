/**
 * How sure a rule is: which cells fire is drawn anew in each of n runs, and where runs differ, the rule does not know
 * (Kalkhof, González & Mukhopadhyay, "Med-NCA: Robust and Lightweight Segmentation with Neural Cellular Automata", IPMI
 * 2023; "M3D-NCA", MICCAI 2023, whose quality metric NQM is).
 *
 *   mean = 1/n Σᵣ yᵣ        std = √(1/n Σᵣ (yᵣ − mean)²)        NQM = Σ std / Σ |mean|
 *
 * y are amounts of foreground, like the probabilities of a mask; NQM sums over all cells and channels of an example. The
 * sums grow run by run (Welford, Technometrics 1962), so that memory does not grow with n, and equal runs have a
 * deviation of exactly 0.
 */
import { callable, check, checkOptions, keysOf, wholeFrom } from '../../backends/options.ts'
import { checkKey, foldIn, key as keyOf } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, div, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { equal, where } from '../../tensor/ops/compare.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { zerosLike } from '../../tensor/ops/create.ts'
import { abs, sqrt } from '../../tensor/ops/functions.ts'
import { sum } from '../../tensor/ops/sum.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { sampleAxes } from '../losses/loss.ts'
import type { Params, Rule } from '../rule/types.ts'
import type { Task } from '../training/trainer-options.ts'
import { batches, predictOptions, type PredictOptions } from './evaluate.ts'

export type UncertaintyOptions = PredictOptions & {
  /** How many runs, from 2 on, default 10. Run r has the key foldIn(key, r). */
  runs?: number
  /** From states `[n,h,w,c]` to what is compared, `[n,…]`, like the probabilities of a mask; default the states as they are. */
  of?: (x: Tensor) => Tensor
}

export type Uncertainty = {
  /** The mean of the runs, `[n,…]`, as `of` returns it. */
  readonly mean: Tensor
  /** The standard deviation of each number over the runs, `[n,…]`, ≥ 0: the map of uncertainty. */
  readonly std: Tensor
  /** Σ std / Σ |mean| of each example, `[n]`, ≥ 0; 0 where no run differs. */
  readonly nqm: Tensor
}

const uncertaintyKeys = keysOf<UncertaintyOptions>({ ...predictOptions, runs: wholeFrom(2), of: callable })

/**
 * Mean, standard deviation and NQM of what a rule makes of examples in several runs, in each of which other cells fire.
 *
 * @returns `{ mean, std, nqm }`, of shapes `[n,…]`, `[n,…]` and `[n]`, in the order of the examples
 * @throws for fewer than 2 runs, where the task has no such example, or `of` does not return `[n,…]`
 * @example
 * const { std, nqm } = uncertainty(rule, task, params, { steps: 64, of: x => sigmoid(takeRole(rule, x, 'output')) })
 */
export function uncertainty<R extends Rule>(rule: R, task: Task, params: Params<R>, options: UncertaintyOptions): Uncertainty {
  const name = 'uncertainty'
  checkOptions(name, options, uncertaintyKeys)
  const { runs = 10, key = keyOf(0), of = (x: Tensor) => x, ...rest } = options
  checkKey(name, key)
  return scope(() => {
    const drawn = Array.from({ length: runs }, (_, r) => batches(name, rule, task, params, { ...rest, key: foldIn(key, r) }))
    const parts = drawn[0].map((_, batch) => spread(runs, r => scope(() => {
      const { x, ids } = drawn[r][batch]()
      const y = of(x)
      check(y instanceof Tensor && y.shape[0] === ids.length, name, 'what of returned', y, `a tensor [${ids.length},…], something for each example`)
      return y
    })))
    const [mean, std] = [concat(parts.map(part => part.mean), 0), concat(parts.map(part => part.std), 0)]
    const all = (x: Tensor): Tensor => sum(x, sampleAxes(x))
    return { mean, std, nqm: where(equal(all(std), 0), 0, div(all(std), all(abs(mean)))) }
  }, 'uncertainty()')
}

/** Mean and standard deviation of what several runs make. */
function spread(runs: number, run: (r: number) => Tensor): { mean: Tensor; std: Tensor } {
  let mean = run(0)
  let squares = zerosLike(mean)
  for (let r = 1; r < runs; r++) {
    [mean, squares] = scope(() => {
      const y = run(r)
      const from = sub(y, mean)
      const to = add(mean, div(from, r + 1))
      return [to, add(squares, mul(from, sub(y, to)))]
    })
  }
  return { mean, std: sqrt(div(squares, runs)) }
}
