/**
 * Growing digits of MNIST from one cell, for the reproductions that compare ways of training (Spitznagel & Keuper 2026, A.5).
 *
 * One rule grows all ten digits. The condition is either the colour of the seed, as in the paper, or frozen channels of all cells,
 * for guidance, which needs updates of the same cells with and without the condition. There are two measures: whether a network
 * trained on real digits reads the wanted digit, and how much samples of one digit vary, which differ only in their fire masks:
 * the variance of each pixel over the samples that live, averaged over pixels and digits.
 */
import { join } from 'node:path'
import {
  adam, conditionalTask, conv, cosineDecay, defineRule, eye, filmStrip, foldIn, gather, guided, imageToTensor, key, mlp, mse, oneHot, rollout, scope,
  stack, takeChannels, taskTrainer, tensor, tensorToImage, upscale, warmUp, type CriticOptions, type DataParams, type DataRule, type Image,
  type Task, type Tensor,
} from '../../src/index.ts'
import { readMnist } from '../../src/node/index.ts'
import { fileOf, iterationsOf, writePicture, type Context, type Row } from './context.ts'
import { halved } from './digits.ts'
import { learn, summary, type Learned } from './learn.ts'
import { judgeModel, listOf, type Judged } from './models.ts'
import { grey } from './pictures.ts'
import { trainReader } from './reader.ts'

/** The side of a digit in pixels, and that of the grid in cells. */
export const small = 14, side = 20
export const samples = 9
const cells = side * side, steps = 40, classes = 10

type Told = 'seed' | 'cells'

/** How a rule is trained, and the scales of guidance with which it is tested; 1 is the rule itself. */
export type Way = {
  readonly name: string
  readonly told: Told
  readonly loss: typeof mse
  readonly critic: CriticOptions | null
  readonly dropped: number
  readonly scales: readonly number[]
}

/** A critic (WGAN-GP, Gulrajani et al. 2017) for 14×14 digits, together with ten times the loss. */
export const critic: CriticOptions = {
  widths: [32, 64], steps: 3, lossWeight: 10, optimiser: adam({ rate: 2e-4, beta1: 0, beta2: 0.9 }),
}

const options = {
  padding: 'circular', fireRate: 0.5, perceive: [conv(80, { bias: true, activation: 'leakyRelu' })], living: { channel: 3, above: 0.1 },
} as const
const network = mlp(80, { activation: 'leakyRelu', lastStd: 1e-3 })
const rules: Readonly<Record<Told, DataRule>> = {
  seed: defineRule({ ...options, channels: { rgba: 4, hidden: 16 }, update: network }),
  cells: defineRule({ ...options, channels: { rgba: 4, hidden: 16, condition: classes }, frozen: ['condition'], update: network }),
}

/** The seed of each digit: red, green, blue, and alpha, which makes it a living cell. */
const colours = [
  [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1], [1, 0.5, 0], [0.5, 0, 1], [0, 0.5, 0.5], [1, 1, 1],
].map(colour => [...colour, 1])

type Digits = { readonly pixels: Float32Array; readonly labels: Uint8Array }

export type Grown = {
  /** A row for each way and scale. */
  readonly rows: readonly Row[]
  /** How each rule was trained, and pictures of what it grows, in Markdown. */
  readonly training: string
  readonly pictures: string
  /** The files of the models, in Markdown. */
  readonly models: string
  /** The reader's accuracy on real digits that it was not trained on, in per cent. */
  readonly readable: number
  /** The number of training digits. */
  readonly count: number
}

/** Trains rules in several ways, or goes on where training was interrupted, and measures what they grow. */
export async function growDigits(context: Context, ways: Readonly<Record<string, Way>>): Promise<Grown> {
  const folder = join(context.data, 'mnist')
  const [train, test] = await Promise.all([readMnist(folder), readMnist(folder, { train: false })])
  const whole = padded(halved(train.images)), unseen = padded(halved(test.images))
  const reader = trainReader(whole, train.labels, { pixels: cells, iterations: context.quick ? 30 : 3000 })
  const count = context.quick ? 40 : 2000
  const digits = { pixels: whole.subarray(0, count * cells), labels: train.labels.subarray(0, count) }
  const wanted = Array.from({ length: classes * samples }, (_, i) => Math.floor(i / samples))

  const rows: Row[] = [], training: string[] = [], pictures: string[] = [], models: Judged<unknown>[] = []
  for (const [part, way] of Object.entries(ways)) {
    const learned = await trained(context, part, way, digits)
    training.push(`- ${way.name}: ${summary(learned)}.`)
    const own = await judgeModel(context, part, learned, {
      rule: rules[way.told], data: { set: 'MNIST' }, grid: side, steps: [32, steps + 1], names: { conditions: '0 1 2 3 4 5 6 7 8 9' },
      starts: way.told === 'cells' ? { condition: eye(classes) } : { rgba: tensor(colours) },
    }, {
      measure: ({ params }) => Promise.all(way.scales.map(async scale => {
        const grown = await grow({ told: way.told, scale, params, seed: context.seed })
        const { mean, map, dead } = spread(grown)
        return { scale, grown, map, row: {
          'learnt by': way.name, ...(way.scales.length > 1 && { scale }), 'read right, %': (await reader.accuracy(grown, wanted)).toFixed(1),
          'died, %': (100 * dead).toFixed(1), 'variance of pixels': mean.toFixed(5),
        } }
      })),
      shown: list => list.map(({ row }) => row),
    })
    models.push(own)
    for (const { scale, grown, map, row } of own.measured) {
      rows.push(row)
      const name = way.scales.length > 1 ? `${part}-${scale}` : part
      await writePicture(context, name, sheet(grown, map))
      pictures.push(`${way.name}${way.scales.length > 1 ? `, scale ${scale}` : ''}: ![digits](${fileOf(context, name, 'png')})`)
    }
  }
  const readable = await reader.accuracy(unseen, test.labels)
  return { rows, training: training.join('\n'), pictures: pictures.join('\n\n'), models: listOf(context, models), readable, count }
}

function taskOf({ pixels, labels }: Digits, told: Told, loss: typeof mse): Task {
  const list = tensor(Int32Array.from(labels))
  const targets = scope(() => stack(Array.from(labels, (_, i) => imageToTensor(white(pixels.subarray(i * cells, (i + 1) * cells))))))
  const codes = (): Tensor => (told === 'cells' ? oneHot(list, classes) : gather(tensor(colours), Array.from(labels), 0))
  const how = told === 'cells' ? {} : { cells: 'seed', role: 'rgba' } as const
  return conditionalTask(rules[told], targets, { ...how, codes: scope(codes), loss })
}

async function trained(context: Context, part: string, { told, loss, critic: judge, dropped }: Way, digits: Digits): Promise<Learned> {
  const iterations = iterationsOf(context, 4000, 3)
  const rule = rules[told], task = taskOf(digits, told, loss)
  const trainer = taskTrainer({
    rule, task, batch: 10, steps: [32, steps + 1], normalise: true, critic: judge, dropped,
    optimiser: adam({ rate: warmUp(50, cosineDecay(1e-3, { length: iterations, final: 1e-4 })), beta1: judge ? 0 : 0.9 }),
  })
  return learn(context, part, trainer, {
    iterations, target: white(digits.pixels.subarray(0, cells)),
    paint: async params => tensorToImage(scope(() => rollout(rule, params, task.seeds([0]), key(0), { steps }))),
  })
}

type Grower = { readonly told: Told; readonly scale: number; readonly params: DataParams; readonly seed: number }

/** What a rule grows, `samples` of each digit: the red channel, `[90,side,side]`. */
async function grow({ told, scale, params, seed }: Grower): Promise<Float32Array> {
  const rule = rules[told], grower = scale === 1 ? rule : guided(rule, scale)
  const labels = Uint8Array.from({ length: classes }, (_, i) => i)
  const task = taskOf({ pixels: new Float32Array(classes * cells), labels }, told, mse)
  const all = new Float32Array(classes * samples * cells)
  for (let digit = 0; digit < classes; digit++) {
    const x = scope(() => takeChannels(
      rollout(grower, params, task.seeds(new Array<number>(samples).fill(digit)), foldIn(key(seed), digit), { steps }), 0, 1,
    ))
    all.set(Float32Array.from(await x.data(), v => Math.min(Math.max(v, 0), 1)), digit * samples * cells)
  }
  return all
}

/** The share of the samples that died, and the variance of each pixel over those of a digit that live, `[10,side,side]`, and its mean. */
function spread(grown: Float32Array): { map: Float32Array; mean: number; dead: number } {
  const all = Array.from({ length: classes * samples }, (_, i) => grown.subarray(i * cells, (i + 1) * cells))
  const lives = (sample: Float32Array): boolean => sample.some(v => v > 0.1)
  const map = Float32Array.from({ length: classes * cells }, (_, i) => {
    const digit = Math.floor(i / cells)
    const values = all.slice(digit * samples, (digit + 1) * samples).filter(lives).map(sample => sample[i % cells])
    const n = Math.max(1, values.length), mean = values.reduce((a, b) => a + b, 0) / n
    return values.reduce((sum, v) => sum + (v - mean) ** 2, 0) / n
  })
  return { map, mean: map.reduce((a, b) => a + b) / map.length, dead: 1 - all.filter(lives).length / all.length }
}

function sheet(grown: Float32Array, map: Float32Array): Image {
  const most = 0.5 // the greatest deviation of numbers from 0 to 1
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
