/**
 * Batches: the samples of an iteration, fresh or from the pool, some of them reseeded, damaged, or mutated.
 */
import { drawInteger, foldIn, uniformAt, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { all, any } from '../../tensor/ops/any-all.ts'
import { cast } from '../../tensor/ops/cast.ts'
import { and, greaterEqual, less, not, or, where } from '../../tensor/ops/compare.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { abs } from '../../tensor/ops/functions.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { argSort } from '../../tensor/ops/sort.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { tensor, valuesOf, type Tensor } from '../../tensor/tensor.ts'
import { sampleAxes } from '../losses/loss.ts'
import { damagedBut, damageMask } from './damage.ts'
import { makePool, samplePool, type Pool } from './pool.ts'
import { dataRuleOf } from '../rule/define.ts'
import type { Rule } from '../rule/types.ts'
import { exchangeInputs, frozenChannels } from '../step.ts'
import { kindOf, poolRatioAt, type Complete } from './trainer-options.ts'

/** A pool in which each slot is the seed of its example, the same for all slots of an example. Random seeds follow from k. */
export function firstPool<R extends Rule>({ task }: Complete<R>, examples: readonly number[], k: Key): Pool {
  if (examples.length === 0) return []
  const state = (seeds: Tensor, i: number): Tensor =>
    reshape(slice(seeds, [i, ...seeds.shape.slice(1).map(() => 0)], [1, ...seeds.shape.slice(1)]), seeds.shape.slice(1))
  const different = examples.slice(0, task.examples)
  const pools = Array.from({ length: Math.ceil(different.length / 64) }, (_, n) => scope(() => {
    const ids = different.slice(64 * n, 64 * (n + 1))
    const seeds = task.seeds(ids, foldIn(k, n))
    return ids.flatMap((_, i) => makePool(state(seeds, i), 1))
  })).flat()
  return examples.map(example => pools[example])
}

/** The slots of the pool that hold the samples of a batch, and what happened to each sample before its rollout. */
export type Drawn = {
  readonly slots: readonly number[]
  /** int32 `[b]`: 1 for reseeded, else 2 for damaged, else 3 for mutated, else 0. */
  readonly fates: Tensor
}

type Batch = { x: Tensor; slots: number[]; examples: number[]; fates: Tensor | null }

/** What a batch is drawn from, and by which keys. */
type From = { readonly params?: unknown; readonly pool: Pool; readonly examples: readonly number[]; readonly iteration: number }
type Keys = { readonly slots: Key; readonly damage: Key; readonly loss: Key; readonly seeds?: Key }

/**
 * A batch, the slots that it comes from, and the examples that its samples should become. Ranks stay on the backend, so that
 * no iteration waits for the one before it.
 */
export function drawBatch<R extends Rule>(options: Complete<R>, from: From, keys: Keys): Batch {
  const { rule, task, dropped } = options
  if (dropped === 0) return drawSamples(options, from, keys)
  return scope(() => {
    const { x, examples, ...rest } = drawSamples(options, from, keys)
    const told = maskOf(examples.map((_, i) => uniformAt(foldIn(keys.slots, 4), i) >= dropped), x)
    const perCell = [examples.length, ...x.shape.slice(1).map(() => 1)]
    // Inputs that an earlier iteration dropped are restored; samples that are carried on keep the inputs that they have now.
    const inputs = where(reshape(told, perCell), task.carry ? x : task.seeds(examples, keys.seeds), 0)
    return { x: where(frozenChannels(dataRuleOf(rule)!, x, task.condition!), inputs, x), examples, ...rest }
  }, 'the drawing of a batch')
}

function drawSamples<R extends Rule>(options: Complete<R>, { params, pool, examples, iteration }: From, keys: Keys): Batch {
  const { rule, task, batch, reseed, ranked, damage } = options
  const { damaged, mutated } = iteration < options.perturbAfter ? { damaged: 0, mutated: 0 } : options
  const anew = (i: number, which: number): number =>
    (task.examples === 1 ? 0 : drawInteger(foldIn(foldIn(keys.slots, which), i), 0, task.examples))
  /** A random example of another kind than that of the sample. */
  const another = (i: number, id: number): number => {
    const own = kindOf(task, id), others: number[] = []
    for (let one = 0; one < task.examples; one++) if (kindOf(task, one) !== own) others.push(one)
    return others[drawInteger(foldIn(foldIn(keys.slots, 2), i), 0, others.length)]
  }
  return scope(() => {
    if (pool.length === 0) {
      const ids = Array.from({ length: batch }, (_, i) => anew(i, 1))
      return { x: task.seeds(ids, keys.seeds), slots: [], examples: ids, fates: null }
    }
    const { slots, batch: drawn } = samplePool(pool, keys.slots, batch)
    const before = slots.map(slot => examples[slot])
    const ratio = poolRatioAt(options.fromPool, iteration)
    const fresh = before.map((_, i) => uniformAt(foldIn(keys.slots, 3), i) >= ratio)
    // The places of samples from the pool among each other; fresh ones, which are neither replaced nor perturbed, come after them.
    let old = 0
    const places = fresh.map(is => (is ? batch : old++))
    const isLate = places.map(place => place < old && place >= old - mutated)
    const ids = before.map((id, i) => {
      if (fresh[i] || places[i] < reseed) return ranked === 'none' ? anew(i, 1) : id
      return isLate[i] ? another(i, id) : id
    })
    if (reseed + damaged + mutated === 0 && !fresh.includes(true)) {
      return { x: drawn, slots, examples: ids, fates: zeros([batch], { dtype: 'int32', backend: drawn.backend }) }
    }
    // From 0, the first to be reseeded, to old − 1, the first to be damaged or, where nothing is ranked, mutated.
    const isFresh = maskOf(fresh, drawn)
    const rank = ranked === 'none'
      ? tensor(Int32Array.from(places), { backend: drawn.backend })
      : argSort(argSort(where(isFresh, -Infinity, task.loss(drawn, before, keys.loss, undefined, params)), -1, { descending: true }))
    const last = ranked === 'none' ? old - mutated : old
    const begins = or(less(rank, reseed), isFresh)
    const isDamaged = and(and(greaterEqual(rank, last - damaged), less(rank, last)), not(begins))
    const isMutated = maskOf(isLate, drawn)
    const fates = cast(where(begins, 1, where(isDamaged, 2, where(isMutated, 3, 0))), 'int32')
    const perCell = [batch, ...drawn.shape.slice(1, -1).map(() => 1)]
    const seeds = reseed + mutated > 0 || fresh.includes(true) ? task.seeds(ids, keys.seeds) : null
    const turned = mutated > 0 ? mutate(rule, drawn, seeds!, isLate) : drawn
    const renewed = seeds ? where(reshape(begins, [...perCell, 1]), seeds, turned) : turned
    if (damaged === 0) return { x: renewed, slots, examples: ids, fates }
    const [height, width] = drawn.shape.slice(1, -1)
    const hit = and(
      damageMask(keys.damage, damage, batch, height, width, drawn.backend),
      reshape(isDamaged, perCell),
    )
    return { x: damagedBut(rule, renewed, hit), slots, examples: ids, fates }
  }, 'the drawing of a batch')
}

/** x with the inputs of the seeds in some samples. */
function mutate(rule: Rule, x: Tensor, seeds: Tensor, some: readonly boolean[]): Tensor {
  const mask = reshape(maskOf(some, x), [x.shape[0], ...x.shape.slice(1).map(() => 1)])
  return where(mask, exchangeInputs(dataRuleOf(rule)!, x, seeds), x)
}

/**
 * Grown states, with seeds in place of those that have a NaN or ∞, or zeros in all channels that change: there is nothing to
 * learn from them, and they would stay in the pool for ever.
 */
export function soundOr(rule: Rule, x: Tensor, seeds: () => Tensor): Tensor {
  return scope(() => {
    const axes = sampleAxes(x)
    const told = dataRuleOf(rule)
    const moving = told?.frozen.length ? where(frozenChannels(told, x), 0, x) : x
    const sound = and(all(less(abs(x), Infinity), axes), any(moving, axes))
    if (x.backend.readSync && valuesOf(sound).every(bit => bit === 1)) return x
    return where(reshape(sound, [x.shape[0], ...axes.map(() => 1)]), x, seeds())
  })
}

/** A mask `[b]` on the backend of x. */
function maskOf(bits: readonly boolean[], { backend }: Tensor): Tensor {
  return tensor(Uint32Array.from(bits, Number), { backend })
}
