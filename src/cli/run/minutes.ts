/**
 * --minutes: as many iterations as fit into a time, and all that is counted in iterations stretched to them.
 *
 * The time of an iteration is measured once, before the run begins, for a fortieth of the time there is: rollouts of the
 * mean length, with their gradient, of a batch of which every sample is the target itself. What costs time is living
 * cells, and when the rule has learned, as many live as the target covers; an untrained rule leaves them as they are. A
 * sample that grows from one cell has fewer, three quarters on average over a rollout, as it was measured with trained
 * lizards; that pays for the optimiser, pictures and files too. What it cannot foresee is a machine that others use more
 * or less than during the measurement, and, in short runs, rules that grow over everything at first.
 *
 * The number is written into config.yaml with its schedules, like one that was given, and no clock decides anything
 * after that: a run that is killed and resumed ends where it would have ended, with the same parameters, however long
 * that takes.
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
import type { Schedule } from '../../nca/training/schedule.ts'
import { key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { mean } from '../../tensor/ops/reduce.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import type { Config, Training } from '../../experiment/config/schema.ts'

const grownShare = 0.75 // of the target's cells, that live in a sample on its way from one cell
const mostMeasured = 10_000 // milliseconds
const leastFactor = 2 ** -1022 // of a decay by which a long run, shrunk to a few iterations, would be 0

/** How many iterations fit into so many minutes, at least one; `target` is padded. */
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

/** A configuration of another number of iterations, in which all that happens at an iteration happens at the same part. */
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
