/**
 * White and grey matter: a segmentation on real labelled data, the INIA19 atlas of the rhesus brain (Rohlfing et al. 2012,
 * CC-BY), a scan in which anatomists have named every region.
 *
 * Of each region we ask only whether it is white matter (bright on the whole) or grey. That cannot be read off a single
 * cell: intensities overlap, which is what the best threshold shows. Slices from the middle of the head are for testing;
 * no slice next to them is for training.
 */
import { join } from 'node:path'
import {
  adam, argMax, conv, cosineDecay, crossEntropy, defineRule, dice, equal, examplesOf, filmStrip, imageToImageTask, key,
  mlp, reshape, rollout, scope, takeRole, taskTrainer, tensor, upscale, warmUp, type DataParams, type DataRule,
  type Image,
} from '../src/index.ts'
import { readNifti } from '../src/node/index.ts'
import { fileOf, iterationsOf, writePicture, type Context } from './lib/context.ts'
import { learn, summary } from './lib/learn.ts'
import { coloured, grey } from './lib/pictures.ts'
import type { Report } from './lib/report.ts'

const classes = ['outside', 'grey matter', 'white matter'] as const

/** One cell stands for 3×3 voxels of a slice. */
const step = 3, height = 56, width = 68, cells = height * width

const rule: DataRule = defineRule({
  channels: { input: 1, output: classes.length, hidden: 12 }, frozen: ['input'], inputMask: { channel: 0, above: 0.02 },
  perceive: [conv(48, { bias: true, activation: 'leakyRelu' })], update: mlp(64, { activation: 'leakyRelu', lastStd: 1e-3 }),
  fireRate: 0.5,
})

/** Slices: intensities about 0 to 1, and class numbers, cell by cell. */
type Slices = { readonly images: Float32Array; readonly labels: Uint8Array; readonly n: number }

export async function reproduceSegmentation(context: Context): Promise<Report> {
  const { train, test } = await readBrain(join(context.data, 'brain'))
  const iterations = iterationsOf(context, 5000, 10)
  const task = imageToImageTask(rule, {
    inputs: examplesOf(train.images, [height, width, 1]), outputs: examplesOf(unitVectors(train.labels), [height, width, 3]),
  }, { loss: (y, wanted) => crossEntropy(y, argMax(wanted)) })
  const trainer = taskTrainer({
    rule, task, batch: 4, steps: [12, 20], normalise: true,
    optimiser: adam({ rate: warmUp(50, cosineDecay(2e-3, { length: iterations, final: 1e-4 })) }),
  })
  const learned = await learn(context, 'brain', trainer, {
    iterations, target: coloured(train.labels.subarray(0, cells), width),
    paint: async params => coloured((await segmented(params, train, context.seed)).subarray(0, cells), width),
  })
  const said = await segmented(learned.params, test, context.seed)
  const guess = bestThresholds(train)
  const guessed = Uint8Array.from(test.images, guess)
  const rows = classes.map((name, c) => ({
    'class': name,
    'Dice': diceOf(said, test.labels, c).toFixed(3),
    'Dice of the best thresholds': diceOf(guessed, test.labels, c).toFixed(3),
  }))
  const right = (list: Uint8Array): number => {
    const inside = test.labels.map((label, i) => +(label > 0 && label === list[i])).reduce((a, b) => a + b, 0)
    return 100 * inside / test.labels.filter(label => label > 0).length
  }
  const strips: Image[] = []
  for (let i = 0; i < 4; i++) {
    const at = Math.floor((i + 0.5) * test.n / 4) * cells
    const cut = <T extends Float32Array | Uint8Array>(list: T): T => list.subarray(at, at + cells) as T
    strips.push(grey(cut(test.images), width), ...[test.labels, said, guessed].map(list => coloured(cut(list), width)))
  }
  await writePicture(context, 'slices', filmStrip(strips.map(image => upscale(image, 2)), { columns: 4, gap: 4 }))
  return { rows, text: numbers => `
# White and grey matter

Segmentation of slices of the INIA19 atlas (Rohlfing et al., "The INIA19 template and NeuroMaps atlas for primate brain image
parcellation and spatial normalization", 2012, CC-BY): \`npm run reproduce -- segmentation\`.

${numbers}

Of the cells of the brain, ${right(said).toFixed(1)} % are given the right class, by the best thresholds
${right(guessed).toFixed(1)} %.

${right(said) > right(guessed) ? '' : 'Here the rule is not better than the thresholds.\n'}${summary(learned)}; ${train.n} slices for training, ${test.n} for testing, from one averaged brain: this says how well
slices of this brain are told apart, not how well those of another one would be. A region counts as white matter where its
mean intensity is above 100.

Each row a test slice: the scan, the labels, what the rule says after 20 steps, what thresholds say:

![slices](${fileOf(context, 'slices', 'png')})
` }
}

/** What the rule says of all slices, class numbers cell by cell. */
async function segmented(params: DataParams, { images, n }: Slices, seed: number): Promise<Uint8Array> {
  const said = new Uint8Array(n * cells)
  for (let from = 0; from < n; from += 8) {
    const count = Math.min(8, n - from)
    const state = new Float32Array(count * cells * 16)
    for (let i = 0; i < count * cells; i++) state[16 * i] = images[from * cells + i]
    const list = await scope(() => {
      const x = tensor(state, { shape: [count, height, width, 16] })
      return argMax(takeRole(rule, rollout(rule, params, x, key(seed), { steps: 20 }), 'output'))
    }).data()
    said.set(list, from * cells)
  }
  return said
}

/** Dice of a class over all cells together. */
function diceOf(said: Uint8Array, labels: Uint8Array, c: number): number {
  const mask = (list: Uint8Array) => equal(reshape(tensor(Int32Array.from(list)), [1, -1]), c)
  return scope(() => dice(mask(said), mask(labels)).toArray()[0])
}

/** The two thresholds that give most cells of the training slices their class. */
function bestThresholds({ images, labels }: Slices): (v: number) => number {
  const levels = Array.from({ length: 101 }, (_, i) => i / 100)
  // right[c][i]: cells of class c whose intensity is at most levels[i].
  const atMost = classes.map((_, c) => {
    const counts = new Float64Array(levels.length)
    labels.forEach((label, i) => { if (label === c) counts[Math.min(100, Math.max(0, Math.ceil(images[i] * 100)))]++ })
    return counts.map((_, i) => counts.subarray(0, i + 1).reduce((a, b) => a + b, 0))
  })
  let best = { right: -1, low: 0, high: 0 }
  for (let i = 0; i < levels.length; i++) {
    for (let j = i; j < levels.length; j++) {
      const right = atMost[0][i] + (atMost[1][j] - atMost[1][i]) + (atMost[2].at(-1)! - atMost[2][j])
      if (right > best.right) best = { right, low: levels[i], high: levels[j] }
    }
  }
  return v => +(v > best.low) + +(v > best.high)
}

function unitVectors(labels: Uint8Array): Float32Array {
  return Float32Array.from({ length: 3 * labels.length }, (_, i) => +(labels[Math.floor(i / 3)] === i % 3))
}

/** Slices of the brain: those from the middle for testing, the others for training, with a gap between them. */
async function readBrain(folder: string): Promise<{ train: Slices; test: Slices }> {
  const scan = await readNifti(join(folder, 'inia19-t1-brain.nii.gz'))
  const atlas = await readNifti(join(folder, 'inia19-NeuroMaps.nii.gz'))
  const [, rows, slices] = scan.shape
  const sums = new Map<number, { total: number; count: number }>()
  atlas.data.forEach((region, i) => {
    const sum = sums.get(region) ?? { total: 0, count: 0 }
    sums.set(region, { total: sum.total + scan.data[i], count: sum.count + 1 })
  })
  const classOf = (region: number): number => {
    const { total, count } = sums.get(region)!
    return region === 0 ? 0 : total / count > 100 ? 2 : 1
  }
  const take = (wanted: (z: number) => boolean): Slices => {
    const images: number[] = [], labels: number[] = []
    for (let z = 0; z < slices; z += 2) {
      if (!wanted(z)) continue
      const image: number[] = [], label: number[] = []
      for (let i = 0; i < height; i++) {
        for (let j = 0; j < width; j++) {
          let total = 0
          for (let v = 0; v < step; v++) {
            for (let u = 0; u < step; u++) total += scan.data[((i * step + v) * rows + j * step + u) * slices + z]
          }
          image.push(total / step ** 2 / 150)
          label.push(classOf(atlas.data[((i * step + 1) * rows + j * step + 1) * slices + z]))
        }
      }
      if (label.filter(l => l > 0).length < cells / 20) continue
      images.push(...image)
      labels.push(...label)
    }
    return { images: Float32Array.from(images), labels: Uint8Array.from(labels), n: labels.length / cells }
  }
  return { test: take(z => z >= 54 && z <= 74), train: take(z => z < 50 || z > 78) }
}
