/**
 * Moving digits that go on moving: MovingMNIST (Srivastava et al. 2015) as Spitznagel & Keuper (2026), section 3, have it:
 * the last two frames stand in channels that never change, and the rule must make the two that follow.
 *
 * Fed with its own frames, the rule makes a video of any length. It is judged beside the guess that nothing moves.
 */
import { join } from 'node:path'
import {
  adam, conv, cosineDecay, defineRule, examplesOf, filmStrip, key, mean, mlp, movingMnist, mse, rollout, scope, ssim,
  takeRole, taskTrainer, tensor, upscale, videoTask, warmUp, type DataParams, type DataRule, type Image, type Tensor,
} from '../src/index.ts'
import { readMnist } from '../src/node/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context } from './lib/context.ts'
import { halved } from './lib/digits.ts'
import { learn, summary } from './lib/learn.ts'
import { grey } from './lib/pictures.ts'
import { linesSvg } from './lib/plot.ts'
import type { Report } from './lib/report.ts'

const side = 32, frames = 20, k = 2

const rule: DataRule = defineRule({
  channels: { input: k, output: k, hidden: 12 }, frozen: ['input'], padding: 'zero',
  perceive: [conv(48, { bias: true, activation: 'leakyRelu' })], update: mlp(64, { activation: 'leakyRelu', lastStd: 1e-3 }),
  fireRate: 0.5,
})

export async function reproduceVideo(context: Context): Promise<Report> {
  const videos = (images: Float32Array, count: number, seed: number): Float32Array => {
    const small = halved(images)
    return movingMnist({ images: small, n: small.length / 196 }, key(seed), {
      count, length: frames, size: side, digits: 2, speed: 1.8,
    }).frames
  }
  const folder = join(context.data, 'mnist')
  const train = videos((await readMnist(folder)).images, 1000, context.seed)
  const test = videos((await readMnist(folder, { train: false })).images, 32, context.seed + 1)
  const iterations = iterationsOf(context, 2500, 10)
  const shape = [frames, side, side]
  const task = videoTask(rule, examplesOf(train, shape), k)
  const trainer = taskTrainer({
    rule, task, batch: 8, steps: [12, 17], normalise: true,
    optimiser: adam({ rate: warmUp(50, cosineDecay(2e-3, { length: iterations, final: 1e-4 })) }),
  })
  const learned = await learn(context, 'mnist', trainer, {
    iterations, target: grey(train.subarray(k * side * side, (k + 1) * side * side), side),
    paint: async params => {
      const y = await scope(() => predicted(params, task.seeds([0]), context.seed)).data()
      return grey(Array.from({ length: side * side }, (_, i) => y[i * k]), side)
    },
  })

  const n = test.length / (frames * side * side)
  const frame = (video: number, t: number): Float32Array =>
    test.subarray((video * frames + t) * side * side, (video * frames + t + 1) * side * side)
  /** Frame t of every test video, [n,h,w,1]. */
  const framesAt = (t: number): Tensor => tensor(
    Float32Array.from(Array.from({ length: n }, (_, i) => [...frame(i, t)]).flat()), { shape: [n, side, side, 1] },
  )
  const made: Float32Array[][] = []
  let seen = Array.from({ length: n }, (_, i) => [frame(i, 0), frame(i, 1)])
  const rows: Record<string, string | number>[] = []
  for (let t = k; t + k <= 10; t += k) {
    const input = tensor(Float32Array.from(seen.flatMap(([a, b]) => Array.from(a, (v, i) => [v, b[i]])).flat()), {
      shape: [n, side, side, k],
    })
    const y = await scope(() => predicted(learned.params, statesOf(input), context.seed)).data()
    const next = Array.from({ length: n }, (_, i) => [0, 1].map(c =>
      Float32Array.from({ length: side * side }, (_, p) => Math.min(Math.max(y[(i * side * side + p) * k + c], 0), 1))))
    for (let c = 0; c < k; c++) {
      const prediction = tensor(Float32Array.from(next.flatMap(list => [...list[c]])), { shape: [n, side, side, 1] })
      const truth = framesAt(t + c), still = framesAt(k - 1)
      const value = (x: Tensor): Promise<number> => scope(() => mean(x)).item()
      rows.push({
        'frame': t + c + 1,
        'MSE': (await value(mse(prediction, truth))).toFixed(4),
        'MSE, nothing moves': (await value(mse(still, truth))).toFixed(4),
        'SSIM': (await value(ssim(prediction, truth))).toFixed(3),
        'SSIM, nothing moves': (await value(ssim(still, truth))).toFixed(3),
      })
    }
    next.forEach((list, i) => (made[i] ??= []).push(...list))
    seen = next.map(list => list.slice(-k))
  }
  const points = (name: string) => rows.map(row => ({ x: Number(row.frame), y: Number(row[name]) }))
  await writeSvg(context, 'error', await linesSvg(
    ['MSE', 'MSE, nothing moves'].map(name => ({ name, points: points(name) })),
    { title: 'Frames made from own frames', xLabel: 'frame', yLabel: 'mean squared error' },
  ))
  const strips: Image[] = []
  for (let i = 0; i < 4; i++) {
    for (let t = 0; t < 10; t++) strips.push(upscale(grey(frame(i, t), side), 2))
    for (let t = 0; t < 10; t++) strips.push(upscale(grey(t < k ? frame(i, t) : made[i][t - k], side), 2))
  }
  await writePicture(context, 'frames', filmStrip(strips, { columns: 10, gap: 2 }))
  return { rows, text: numbers => `
# Moving digits that go on moving

MovingMNIST (Srivastava et al. 2015), made from real MNIST, two digits of 14×14 pixels on ${side}×${side}:
\`npm run reproduce -- video\`. From two frames the rule makes the next two, and goes on from those.

${numbers}

${summary(learned)}, 1,000 videos; judged on ${n} videos of digits from the test set. Spitznagel & Keuper (2026) show such
videos and give no numbers.

![error by frame](${fileOf(context, 'error', 'svg')})

Four test videos, each above what the rule makes of their first two frames:

![frames](${fileOf(context, 'frames', 'png')})
` }
}

/** The output after a rollout, [n,h,w,k]. */
function predicted(params: DataParams, x: Tensor, seed: number): Tensor {
  return takeRole(rule, rollout(rule, params, x, key(seed), { steps: 14 }), 'output')
}

/** States with an input, zero elsewhere. */
function statesOf(input: Tensor): Tensor {
  const values = input.toArray(), cells = values.length / k
  const state = new Float32Array(cells * 16)
  for (let i = 0; i < cells; i++) for (let c = 0; c < k; c++) state[i * 16 + c] = values[i * k + c]
  return tensor(state, { shape: [...input.shape.slice(0, 3), 16] })
}
