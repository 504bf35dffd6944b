/**
 * The cost of a training step with one sample, measured in a process of its own: `step-cost.ts latents 256 3`, or `pixels`, prints
 * the seconds per step, averaged over 3 steps, and the peak memory of the process in MB, as JSON. The cost does not depend on what
 * has been learned, so the rules are untrained; all cells live, in latents and in pixels.
 */
import { readFile } from 'node:fs/promises'
import {
  adam, defineRule, examplesOf, growingRule, growingTask, initAutoencoder, key, latentTask, tensor, taskTrainer, type DataRule, type Task,
} from '../../src/index.ts'
import { rule } from '../latent.ts'
import { autoencoder, shrinking } from './codec.ts'

const [space, side, rounds] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
const image = new Float32Array(4 * side * side).fill(0.5)

/** The published rule of 16 channels, in which all cells live. */
const pixelRule: DataRule = defineRule({ ...growingRule, living: null })
const latentRule: DataRule = defineRule({ ...rule, channels: { ...rule.channels, condition: 1 } })

const { learner, task, cells }: { learner: DataRule; task: Task; cells: number } = space === 'pixels'
  ? { learner: pixelRule, task: growingTask(pixelRule, tensor(image, { shape: [side, side, 4] })), cells: side }
  : {
    learner: latentRule, cells: side / shrinking,
    task: latentTask(latentRule, examplesOf(image, [side, side, 4]), { autoencoder, params: initAutoencoder(autoencoder, key(0)) }),
  }
const trainer = taskTrainer({ rule: learner, task, batch: 1, steps: [cells / 2, cells / 2 + 1], optimiser: adam() })
let { state } = trainer.step(trainer.init(key(0))) // a first step, so that one-time work is not measured
const began = performance.now()
for (let i = 0; i < rounds; i++) {
  const next = trainer.step(state)
  await next.metrics.loss.data()
  ;({ state } = next)
}
const seconds = (performance.now() - began) / 1000 / rounds
console.log(JSON.stringify({ seconds, megabytes: await peak() }))
process.exit(0)

/** The peak memory of this process in MB. On Linux `maxRSS` is at least that of the process that started this one, so it is not used there. */
async function peak(): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8').catch(() => '')
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1] ?? process.resourceUsage().maxRSS
  return Number(kilobytes) / 1024
}
