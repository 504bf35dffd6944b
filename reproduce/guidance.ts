/**
 * Digits that grow, and what they are told: figure 18 of Spitznagel & Keuper (2026, A.5) in kind. One rule grows all ten digits
 * of MNIST from one cell, each of many handwritings; it is trained by the mean squared error, by the mean of |x − y| (L1), by L1 and
 * a critic, and by these where a fifth of the samples are not told what to grow, so that it can be guided by a scale.
 *
 * The claim: a reader reads all of them, and the first grow one and the same digit every time, while with the critic they
 * vary, and with guidance more so. How much they vary is the variance of each pixel over samples of one digit.
 */
import { join } from 'node:path'
import {
  adam, conditionalTask, conv, cosineDecay, defineRule, filmStrip, foldIn, guided, imageToTensor, key, l1, mlp, mse, oneHot, rollout,
  scope, stack, takeChannels, taskTrainer, tensor, tensorToImage, upscale, warmUp, type CriticOptions, type CustomRule, type DataParams,
  type DataRule, type Image, type Task,
} from '../src/index.ts'
import { readMnist } from '../src/node/index.ts'
import { fileOf, writePicture, type Context } from './lib/context.ts'
import { halved } from './lib/digits.ts'
import { learn, summary, type Learned } from './lib/learn.ts'
import { grey } from './lib/pictures.ts'
import { trainReader } from './lib/reader.ts'
import { seedsInWords, type Report } from './lib/report.ts'

/** Pixels of a digit along each side, and cells of the grid. */
const small = 14, side = 20
const cells = side * side, steps = 40, classes = 10, samples = 9

const rule: DataRule = defineRule({
  channels: { rgba: 4, hidden: 16, condition: classes }, frozen: ['condition'], padding: 'circular', fireRate: 0.5,
  perceive: [conv(80, { bias: true, activation: 'leakyRelu' })], update: mlp(80, { activation: 'leakyRelu', lastStd: 1e-3 }),
  living: { channel: 3, above: 0.1 },
})

const critic: CriticOptions = { widths: [32, 64], steps: 3, lossWeight: 10, optimiser: adam({ rate: 2e-4, beta1: 0, beta2: 0.9 }) }

const losses = {
  mse: { name: 'MSE', loss: mse, critic: null, dropped: 0, scales: [1] },
  l1: { name: 'L1', loss: l1, critic: null, dropped: 0, scales: [1] },
  critic: { name: 'L1 + critic', loss: l1, critic, dropped: 0, scales: [1] },
  guided: { name: 'L1 + critic + guidance', loss: l1, critic, dropped: 0.2, scales: [0, 1, 2, 4] },
} as const

type Name = keyof typeof losses
type Digits = { readonly pixels: Float32Array; readonly labels: Uint8Array }

export async function reproduceGuidance(context: Context): Promise<Report> {
  const folder = join(context.data, 'mnist')
  const [train, test] = await Promise.all([readMnist(folder), readMnist(folder, { train: false })])
  const whole = padded(halved(train.images)), unseen = padded(halved(test.images))
  const reader = trainReader(whole, train.labels, cells, context.quick ? 30 : 3000)
  const readable = await reader.accuracy(unseen, test.labels)
  const count = context.quick ? 40 : 2000
  const digits = { pixels: whole.subarray(0, count * cells), labels: train.labels.subarray(0, count) }

  const rows: Record<string, string | number>[] = []
  const runs: { name: Name; learned: Learned }[] = []
  for (const name of Object.keys(losses) as Name[]) {
    const learned = await trained(context, name, digits)
    runs.push({ name, learned })
    for (const scale of losses[name].scales) {
      const grown = await grow(scale === 1 ? rule : guided(rule, scale), learned.params, context.seed)
      const labels = Array.from({ length: classes * samples }, (_, i) => Math.floor(i / samples))
      const { mean, map } = spread(grown)
      rows.push({
        'learnt by': losses[name].name, 'scale': scale, 'read right, %': (await reader.accuracy(grown, labels)).toFixed(1),
        'variance of pixels': mean.toFixed(5),
      })
      await writePicture(context, `${name}-${scale}`, sheet(grown, map))
    }
  }
  const pictures = rows.map((row, i) => ({ row, file: fileOf(context, namesOf()[i], 'png') }))
  return { rows, text: numbers => `
# Digits that grow, and what they are told

Figure 18 of Spitznagel & Keuper (2026), "A New Kind of Network?", in kind: \`npm run reproduce -- guidance\`. One rule grows
all ten digits of MNIST from one cell.

${numbers}

A digit is read right where a network that was trained on real digits says what the rule was told; of real ones that it had not
seen it reads ${readable.toFixed(1)} %. The variance is that of each pixel over ${samples} samples of a digit, which differ in nothing but in which
cells fire, on average over all pixels and digits. At scale 0 the rule is told nothing, so that a tenth would be read right by
chance; from 1, the rule itself, on, it does more of what it does because of what it is told.

${runs.map(({ name, learned }) => `- ${losses[name].name}: ${summary(learned)}.`).join('\n')}

What differs from the paper: digits of ${small}×${small} pixels on ${side}×${side} cells, ${count.toLocaleString('en-US')} of them; what to grow is told to all cells, in
channels that never change, and not by the colour of the seed, since guidance needs both answers of the same cells; ${seedsInWords(context)}.

Each row a digit: ${samples} samples, and the standard deviation of each pixel, white where it is greatest.

${pictures.map(({ row, file }) => `${row['learnt by']}, scale ${row.scale}: ![digits](${file})`).join('\n\n')}
` }
}

/** The parts of the pictures, in the order of the rows. */
function namesOf(): string[] {
  return (Object.keys(losses) as Name[]).flatMap(name => losses[name].scales.map(scale => `${name}-${scale}`))
}

function taskOf({ pixels, labels }: Digits, loss: typeof mse): Task {
  const targets = scope(() => stack(Array.from(labels, (_, i) => imageToTensor(white(pixels.subarray(i * cells, (i + 1) * cells))))))
  return conditionalTask(rule, targets, { codes: scope(() => oneHot(tensor(Int32Array.from(labels)), classes)), loss })
}

async function trained(context: Context, name: Name, digits: Digits): Promise<Learned> {
  const { loss, critic: judge, dropped } = losses[name]
  const iterations = context.quick ? 3 : 4000
  const task = taskOf(digits, loss)
  const trainer = taskTrainer({
    rule, task, batch: 10, steps: [32, steps + 1], normalise: true, critic: judge, dropped,
    optimiser: adam({ rate: warmUp(50, cosineDecay(1e-3, { length: iterations, final: 1e-4 })), beta1: judge ? 0 : 0.9 }),
  })
  return learn(context, name, trainer, {
    iterations, target: white(digits.pixels.subarray(0, cells)),
    paint: async params => tensorToImage(scope(() => rollout(rule, params, task.seeds([0]), key(0), { steps }))),
  })
}

/** What a rule grows of each digit, `samples` of every one: the red of `[90,side,side]`. */
async function grow(grower: DataRule | CustomRule<DataParams>, params: DataParams, seed: number): Promise<Float32Array> {
  const labels = Uint8Array.from({ length: classes }, (_, i) => i)
  const task = taskOf({ pixels: new Float32Array(classes * cells), labels }, mse)
  const all = new Float32Array(classes * samples * cells)
  for (let digit = 0; digit < classes; digit++) {
    const x = scope(() => takeChannels(
      rollout(grower, params, task.seeds(new Array<number>(samples).fill(digit)), foldIn(key(seed), digit), { steps }), 0, 1,
    ))
    all.set(Float32Array.from(await x.data(), v => Math.min(Math.max(v, 0), 1)), digit * samples * cells)
  }
  return all
}

/** The variance of each pixel over the samples of a digit, `[10,side,side]`, and its mean. */
function spread(grown: Float32Array): { map: Float32Array; mean: number } {
  const map = Float32Array.from({ length: classes * cells }, (_, i) => {
    const digit = Math.floor(i / cells)
    const values = Array.from({ length: samples }, (_, s) => grown[(digit * samples + s) * cells + i % cells])
    const mean = values.reduce((a, b) => a + b) / samples
    return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / samples
  })
  return { map, mean: map.reduce((a, b) => a + b) / map.length }
}

function sheet(grown: Float32Array, map: Float32Array): Image {
  const most = Math.sqrt(Math.max(...map)) || 1
  const row = (digit: number): Image[] => [
    ...Array.from({ length: samples }, (_, s) => grown.slice((digit * samples + s) * cells, (digit * samples + s + 1) * cells)),
    map.slice(digit * cells, (digit + 1) * cells).map(v => Math.sqrt(v) / most),
  ].map(values => upscale(grey(values, side), 2))
  return filmStrip(Array.from({ length: classes }, (_, digit) => row(digit)).flat(), { columns: samples + 1, gap: 2 })
}

/** Digits in the middle of the grid. */
function padded(pixels: Float32Array): Float32Array {
  const n = pixels.length / small ** 2, border = (side - small) / 2
  const all = new Float32Array(n * cells)
  for (let i = 0; i < n; i++) {
    for (let y = 0; y < small; y++) {
      all.set(pixels.subarray(i * small ** 2 + y * small, i * small ** 2 + (y + 1) * small), i * cells + (y + border) * side + border)
    }
  }
  return all
}

/** White where there is ink, transparent elsewhere. */
function white(pixels: Float32Array): Image {
  return { width: side, height: side, data: Float32Array.from({ length: 4 * cells }, (_, i) => pixels[Math.floor(i / 4)]) }
}
