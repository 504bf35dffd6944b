/**
 * Segmentation in three dimensions, like M3D-NCA (Kalkhof & Mukhopadhyay 2023): a rule finds the solid digit in a noisy volume
 * that also has balls (`lib/solids.ts`). It sees 3×3×3 voxels in a step, and runs fused.
 *
 * Brightness does not distinguish a digit from a ball, and noise hides both. So cells have to average over their neighbours, and
 * to communicate the shape of the whole solid. The baselines are the best threshold, and a network on 5×5×5 windows.
 */
import { join } from 'node:path'
import {
  adam, cosineDecay, defineRule, dice, diceBce, examplesOf, explain, filmStrip, greater, imageToImageTask, key, mean, mlp, predict, scope, takeRole,
  taskTrainer, tensor, upscale, warmUp, type DataParams, type DataRule, type Image, type Task,
} from '../src/index.ts'
import { readMnist } from '../src/node/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context } from './lib/context.ts'
import { halved } from './lib/digits.ts'
import { averaged, learn, summary } from './lib/learn.ts'
import { judgeModel, listOf } from './lib/models.ts'
import { grey } from './lib/pictures.ts'
import { linesSvg } from './lib/plot.ts'
import { trainReader } from './lib/reader.ts'
import type { Report } from './lib/report.ts'
import { edge, noise, solidsOf, type Volumes } from './lib/solids.ts'
import { windowsOf } from './lib/windows.ts'

const grid = [edge, edge, edge], voxels = edge ** 3, side = 5, steps = 24

const rule: DataRule = defineRule({
  channels: { input: 1, output: 1, hidden: 10 }, frozen: ['input'], grid: 3, fireRate: 0.5,
  perceive: ['identity', 'sobelX', 'sobelY', 'sobelZ', 'laplacian'], update: mlp(48, { activation: 'leakyRelu', lastStd: 1e-3 }),
})

export async function reproduceDigits3d(context: Context): Promise<Report> {
  const folder = join(context.data, 'mnist')
  const digits = async (train: boolean, count: number): Promise<Float32Array> =>
    halved((await readMnist(folder, { train })).images.subarray(0, count * 784))
  const train = solidsOf(key(2 * context.seed), await digits(true, context.quick ? 4 : 400))
  const test = solidsOf(key(2 * context.seed + 1), await digits(false, context.quick ? 2 : 20))
  const iterations = iterationsOf(context, 1500, 4)
  const trainer = taskTrainer({
    rule, task: taskOf(train), batch: 2, steps: [steps - 8, steps + 1], normalise: true,
    optimiser: adam({ rate: warmUp(50, cosineDecay(2e-3, { length: iterations, final: 1e-4 })) }),
  })
  const learned = await learn(context, 'solids', trainer, {
    iterations, target: slice(train.labels, 0),
    paint: async params => slice(await segmented(params, { ...train, n: 1 }, context.seed), 0),
  })

  const own = await judgeModel(context, '', learned, {
    rule, data: { set: 'MNIST, made solid', loss: 'diceBce' }, grid: edge, steps: [steps - 8, steps + 1],
    starts: { input: tensor(test.images.slice(0, voxels), { shape: [1, ...grid, 1] }) },
  }, { measure: ({ params }) => segmented(params, test, context.seed), shown: said => diceOf(said, test).toFixed(3) })
  const guesses = {
    'the rule': own.measured,
    [`windows of ${side}×${side}×${side}`]: await windowed(train, test, context.quick ? 20 : 4000),
    'the best threshold': thresholded(train, test),
  }
  const rows = Object.entries(guesses).map(([by, said]) => ({ by, 'Dice': diceOf(said, test).toFixed(3) }))
  const [score, ...others] = rows.map(row => Number(row.Dice))
  await writePicture(context, 'slices', filmStrip(Array.from({ length: Math.min(5, test.n) }, (_, i) => [
    slice(test.images, i), ...[test.labels, ...Object.values(guesses)].map(list => slice(list, i)),
  ]).flat().map(image => upscale(image, 4)), { columns: 5, gap: 4 }))
  await writeSvg(context, 'loss', await linesSvg([{ name: 'loss', points: averaged(learned.losses) }], {
    title: 'Learning solid digits', xLabel: 'iteration', yLabel: 'Dice and cross-entropy', log: true,
  }))
  return { rows, text: numbers => `
# Solid digits

Segmentation in three dimensions: \`npm run reproduce -- digits3d\`. A digit of MNIST, made solid and turned at random, is to be
found in a volume of ${edge}³ voxels that has four balls of the same brightness and normal noise of deviation ${noise}.

${numbers}

Dice is the mean over ${test.n} volumes of digits from the test set. The rule is ${score > Math.max(...others) ? 'better' : 'not better'} than both, than the threshold that
is best for the volumes for training, and than a network of 64 units that sees the ${side}×${side}×${side} voxels round each, trained by the same engine on the same volumes:
on all voxels of digits, and three times as many others. A voxel is of the digit above the probability that is best for some of the training volumes.

${summary(learned)}; ${train.n} volumes, ${steps} steps. The rule runs ${explain(rule).split(':')[0]}. What differs from M3D-NCA: solids that are made
instead of scans of hippocampi and prostates, one rule on one scale instead of a cascade, and so no numbers to compare with.

${listOf(context, [own])}

![loss](${fileOf(context, 'loss', 'svg')})

Each row the middle slice of a test volume: what is given, the truth, and what is said by ${Object.keys(guesses).join(', ')}:

![slices](${fileOf(context, 'slices', 'png')})
` }
}

function taskOf({ images, labels }: Volumes): Task {
  const pairs = { inputs: examplesOf(images, [...grid, 1]), outputs: examplesOf(labels, [...grid, 1]) }
  return imageToImageTask(rule, pairs, { loss: (y, wanted) => diceBce(y, wanted) })
}

/** 1 for each voxel that the rule assigns to the digit. */
async function segmented(params: DataParams, volumes: Volumes, seed: number): Promise<Uint8Array> {
  const examples = Array.from({ length: volumes.n }, (_, i) => i)
  const on = scope(() => {
    const x = predict(rule, taskOf(volumes), params, { steps, examples, batch: 4, key: key(seed) })
    return greater(takeRole(rule, x, 'output'), 0)
  })
  return Uint8Array.from(await on.data())
}

/** The segmentation by a network on windows, above the probability with the greatest Dice on some training volumes. */
async function windowed(train: Volumes, test: Volumes, iterations: number): Promise<Uint8Array> {
  const all = [...train.labels.keys()], share = train.labels.reduce((a, b) => a + b, 0) / all.length
  const every = Math.max(1, Math.floor(1 / share / 3))
  const learnt = all.filter(i => train.labels[i] === 1 || i % every === 0)
  const reader = trainReader(windowsOf(train.images, grid, side, learnt), Uint8Array.from(learnt, i => train.labels[i]), { pixels: side ** 3, iterations })
  const probabilities = async ({ images, n }: Volumes): Promise<Float32Array> => {
    const found = new Float32Array(n * voxels)
    for (let i = 0; i < n; i++) { // volume by volume, since all windows together would take much memory
      const cells = Array.from({ length: voxels }, (_, p) => i * voxels + p)
      found.set((await reader.probabilities(windowsOf(images, grid, side, cells))).filter((_, i) => i % 2 === 1), i * voxels)
    }
    return found
  }
  const some = { images: train.images, labels: train.labels.subarray(0, 40 * voxels), n: Math.min(40, train.n) }
  const levels = Array.from({ length: 99 }, (_, i) => (i + 1) / 100)
  return above(await probabilities(test), bestLevel(await probabilities(some), some, levels))
}

/** The segmentation by the threshold with the greatest Dice on the training volumes. */
function thresholded(train: Volumes, test: Volumes): Uint8Array {
  return above(test.images, bestLevel(train.images, train, Array.from({ length: 21 }, (_, i) => i / 10)))
}

const above = (values: Float32Array, level: number): Uint8Array => Uint8Array.from(values, v => +(v > level))

/** The level above which these values segment volumes with the greatest Dice. */
function bestLevel(values: Float32Array, volumes: Volumes, levels: readonly number[]): number {
  const scores = levels.map(level => diceOf(above(values, level), volumes))
  return levels[scores.indexOf(Math.max(...scores))]
}

/** The mean Dice of the volumes. */
function diceOf(said: Uint8Array, { labels, n }: Volumes): number {
  const mask = (list: Uint8Array) => tensor(Uint32Array.from(list), { shape: [n, voxels] })
  return scope(() => mean(dice(mask(said), mask(labels)))).toArray()[0]
}

/** The middle slice of the i-th volume. */
function slice(values: ArrayLike<number>, i: number): Image {
  const from = i * voxels + edge / 2 * edge ** 2
  return grey(Array.from({ length: edge ** 2 }, (_, p) => values[from + p]), edge)
}
