/**
 * --minutes: trains as many iterations as fit into a time, and stretches everything that is counted in iterations to them.
 *
 * The time of an iteration is measured before the run begins, for a fortieth of the available time: rollouts of the
 * mean length, with their gradient, of a batch in which every sample is the target itself. Time is spent on living cells, and
 * once the rule has learned, as many cells live as the target covers; an untrained rule leaves them alive. A
 * sample that grows from one cell has fewer: on average over a rollout three quarters, as measured with trained
 * lizards. The same factor covers the optimiser, pictures and files. The number of iterations is written into config.yaml with
 * its schedules, as if it had been given: this is the plan of the run.
 *
 * Two things cannot be foreseen: other programs may use the machine more or less than during the measurement, and, in short
 * runs, rules may grow over everything at first. So whenever half of the remaining time or half of the remaining iterations has
 * passed, the number of remaining iterations is estimated again, from the time that the last ones took, and the remaining plan is
 * spread over them (`src/nca/training/pace.ts`). The estimate gets better towards the end, and a run that has no time left ends.
 * The time is that of the whole command, once it is loaded: the pictures at its end take as long as training on some samples,
 * a measured number.
 *
 * A clock makes each decision, but afterwards the run no longer depends on it: a checkpoint is saved, and then the decision is
 * written into config.yaml, as data that give for each iteration its position in the plan. So a run that is killed and
 * resumed ends with the parameters that it would have had with the decisions made until then; the resuming process makes
 * no further ones, however long it takes. And config.yaml alone repeats the run.
 */
import { valueAndGrad } from '../../autograd/grad.ts'
import type { Backend } from '../../backends/backend.ts'
import { imageToTensor } from '../../nca/files/image-tensor.ts'
import type { Image } from '../../nca/files/image.ts'
import { mse } from '../../nca/losses/loss.ts'
import { channelCount } from '../../nca/rule/channels.ts'
import { init } from '../../nca/rule/parameters.ts'
import type { DataParams } from '../../nca/rule/types.ts'
import { rgba } from '../../nca/state.ts'
import { rollout } from '../../nca/step.ts'
import { plannedAt } from '../../nca/training/pace.ts'
import type { Schedule } from '../../nca/training/schedule.ts'
import { key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { mean } from '../../tensor/ops/reduce.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import type { Config, Training } from '../../experiment/config/schema.ts'

const grownShare = 0.75 // the living cells of a sample that grows from one cell, as a share of those of the target
const mostMeasured = 10_000 // milliseconds
const picturesInSamples = 100 // drawing the pictures of a lizard takes as long as training on so many samples
const leastFactor = 2 ** -1022 // of a decay: shrinking a long run to a few iterations could otherwise round it to 0

/** The number of iterations that fit into so many minutes, at least one; `target` is padded. */
export async function iterationsIn(minutes: number, config: Config, target: Image, backend: Backend): Promise<number> {
  const { rule, train: { batch, pool, reseed, steps: [shortest, end] } } = config
  const steps = Math.round((shortest + end - 1) / 2)
  const { width, height } = target
  const params = init(rule, key(0), { backend })
  const picture = imageToTensor(target, { backend })
  const start = scope(() => concat([
    broadcastTo(picture, [batch, height, width, 4]),
    zeros([batch, height, width, channelCount(rule.channels) - 4], { backend }),
  ]))
  const lossAndGrads = valueAndGrad((p: DataParams) => (
    mean(mse(rgba(rollout(rule, p, start, key(0), { steps })), picture))
  ))
  const once = (): Promise<number> => scope(() => lossAndGrads(params)[0]).item()
  await once() // threads start, code is compiled
  const began = performance.now()
  let count = 0
  let passed = 0
  while (passed < Math.min(mostMeasured, 1500 * minutes)) {
    await once()
    count++
    passed = performance.now() - began
  }
  const young = (pool === 0 ? batch : reseed) / batch
  const milliseconds = (passed / count) * (1 - young + young * grownShare)
  return Math.max(1, Math.floor((60_000 * minutes) / milliseconds))
}

/** The replanning of a run that must end in time. */
export type Replanning<R> = {
  /** The number of iterations left after this one, if it is time to estimate it again; else null. */
  left(iteration: number): number | null
  /** The run with so many iterations left. */
  planned(iteration: number, left: number): R
}

/** The replanning of a run that ends so many minutes after `began`. */
export function replanning<R extends { readonly config: Config }>(minutes: number, began: number, first: R): Replanning<R> {
  let run = first
  return {
    left: estimates(minutes, began, first.config.train),
    planned: (iteration, left) => (run = { ...run, config: paced(run.config, iteration, left) }),
  }
}

/**
 * Returns a function to call after each iteration of a run that ends so many minutes after `began`: it returns the number of
 * iterations left whenever it is time to estimate it again, else null.
 */
export function estimates(minutes: number, began: number, { iterations, batch }: Training): (iteration: number) => number | null {
  const total = 60_000 * minutes, drawing = picturesInSamples / batch
  let end = began + total * (1 - Math.min(0.5, drawing / iterations))
  let last = { time: performance.now(), iteration: 0 }
  let half = { time: (last.time + end) / 2, iteration: iterations / 2 }
  return iteration => {
    const time = performance.now()
    if (time >= end) return 0
    if (end - time < total / 64 || (time < half.time && iteration < half.iteration)) return null
    const each = (time - last.time) / (iteration - last.iteration)
    end = began + total - Math.min(total / 2, drawing * each)
    const left = Math.max(0, Math.floor((end - time) / each))
    last = { time, iteration }
    half = { time: (time + end) / 2, iteration: iteration + left / 2 }
    return left
  }
}

/** A configuration in which, from `iteration` on, the rest of the plan is spread over `left` iterations. */
export function paced(config: Config, iteration: number, left: number): Config {
  const { iterations, pace } = config.train
  const plan = plannedAt(pace, iteration)
  const legs = left === 0 ? pace : [...pace, { at: iteration, plan, per: (plannedAt(pace, iterations) - plan) / left }]
  return { ...config, train: { ...config.train, iterations: iteration + left, pace: legs } }
}

/** A configuration with another number of iterations, in which everything happens at the same fraction of the run. */
export function stretched(config: Config, iterations: number): Config {
  const { train } = config
  const by = iterations / train.iterations
  const { warmUp, optimiser, fromPool, perturbAfter } = train
  const longer: Training = {
    ...train,
    iterations,
    warmUp: warmUp && { ...warmUp, iterations: count(warmUp.iterations, by) },
    perturbAfter: Math.round(perturbAfter * by),
    fromPool: typeof fromPool === 'number' ? fromPool : {
      ...fromPool, delay: Math.round((fromPool.delay ?? 0) * by), iterations: count(fromPool.iterations ?? 1, by),
    },
    optimiser: { ...optimiser, rate: stretchedRate(optimiser.rate, by) },
  }
  return { ...config, train: longer }
}

/** A schedule that takes `by` times as long. */
export function stretchedRate(rate: Schedule, by: number): Schedule {
  if (typeof rate === 'number') return rate
  switch (rate.type) {
    case 'step': return { ...rate, at: rate.at.map(t => Math.round(t * by)) }
    case 'exponential': return { ...rate, factor: Math.max(leastFactor, rate.factor ** (1 / by)) }
    case 'cosine': return { ...rate, length: count(rate.length, by) }
    case 'warmUp': return { ...rate, length: count(rate.length, by), schedule: stretchedRate(rate.schedule, by) }
    case 'wsd': {
      const [warmUp, stable, decay] = [rate.warmUp, rate.stable, rate.decay].map(n => Math.round(n * by))
      return { ...rate, warmUp, stable, decay }
    }
  }
}

function count(iterations: number, by: number): number {
  return Math.max(1, Math.round(iterations * by))
}
