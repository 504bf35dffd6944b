/**
 * Self-classifying clothes: an experiment like table 4 of Spitznagel & Keuper (2026), with Fashion-MNIST (Xiao, Rasul & Vollgraf
 * 2017) instead of CIFAR-10. Three rules: a convolution of 3×3 cells, the same with a sample pool, and a residual convolution
 * beside one of 5×5 taps that are two cells apart.
 *
 * The measure is the accuracy of images by the vote of their cells, at the trained steps, 32 to 64, and long after, at 300. The
 * claims are that the pool keeps the accuracy stable, and that the wider window improves it.
 */
import { join } from 'node:path'
import {
  accuracy, classificationTask, conv, defineRule, examplesOf, filmStrip, foldIn, key, mean, mlp, recipes, residualConv, rollout, scope, seenCells,
  takeRole, taskTrainer, tensor, upscale, type DataParams, type DataRule, type Image, type Tensor,
} from '../src/index.ts'
import { readMnist, type Mnist } from '../src/node/index.ts'
import { half, optimiserFor, readouts, seedsFirst } from './lib/classify.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context, type Row } from './lib/context.ts'
import { learn, summary, type Learned } from './lib/learn.ts'
import { judgeModel, listOf, type Judged } from './lib/models.ts'
import { grey, legend, said } from './lib/pictures.ts'
import { linesSvg, type Point } from './lib/plot.ts'
import { seedsInWords, type Report } from './lib/report.ts'

const side = 28, last = 300

const classes = ['T-shirt', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt', 'sneaker', 'bag', 'boot']

const plain = recipes.digits.rule

const wide: DataRule = defineRule({
  ...plain, perceive: [residualConv(40), conv(40, { bias: true, activation: 'leakyRelu', size: 5, dilation: 2 })], update: mlp(80),
})

/** The three rules, and the paper's accuracies on CIFAR-10 in per cent, at steps 32 to 64 and at step 300. */
const ways = {
  plain: { name: '3×3', rule: plain, pooled: false, paper: [43.83, 8.14] },
  pool: { name: '3×3, pool', rule: plain, pooled: true, paper: [41.11, 46.13] },
  wide: { name: 'residual and dilated', rule: wide, pooled: false, paper: [72.98, 54.37] },
} as const

type Name = keyof typeof ways

type Measured = { readonly window: number; readonly final: number; readonly curve: Point[]; readonly pictures: Image[] }

export async function reproduceClothes(context: Context): Promise<Report> {
  const folder = join(context.data, 'fashion-mnist')
  const train = await readMnist(folder), test = await readMnist(folder, { train: false })
  const iterations = iterationsOf(context, 2000, 3)
  const results: (Judged<Measured> & { name: Name; learned: Learned })[] = []
  for (const name of Object.keys(ways) as Name[]) {
    const learned = await trained(context, name, train, iterations)
    results.push({ name, learned, ...await judgeModel(context, name, learned, {
      rule: ways[name].rule, data: { set: 'Fashion-MNIST' }, grid: side, steps: [32, 65],
      names: { classes: classes.join(' ') },
      starts: { image: tensor(test.images.slice(0, 4 * side * side), { shape: [4, side, side, 1] }) },
    }, { measure: ({ rule, params }) => measure(rule, params, test, context), shown: measured => rowOf(name, measured) }) })
  }
  const rows = results.map(({ name, measured }) => rowOf(name, measured))
  await writeSvg(context, 'accuracy', await linesSvg(results.map(({ name, measured }) => ({ name: ways[name].name, points: measured.curve })), {
    title: 'Clothes that are right by the vote of their cells', xLabel: 'step', yLabel: 'images, %',
  }))
  for (const { name, measured } of results) await writePicture(context, name, filmStrip(measured.pictures, { columns: 3, gap: 4 }))
  return { rows, text: numbers => `
# Clothes that classify themselves

Table 4 of Spitznagel & Keuper (2026), "A New Kind of Network?", with Fashion-MNIST in the place of CIFAR-10: \`npm run reproduce -- clothes\`.

${numbers}

${results.map(({ name, learned }) => `- ${ways[name].name}: ${summary(learned)}.`).join('\n')}

Of ${tested.toLocaleString('en-US')} pictures of the test set, so that differences of up to three points may be chance. What differs from the paper: grey clothes of 28×28 pixels, which are easier than CIFAR-10, so that orders
and not numbers are to be compared; ${iterations.toLocaleString('en-US')} iterations of ${half.batch} samples, by Muon; only cells with something to see update; ${seedsInWords(context)}.

${listOf(context, results)}

![accuracy by step](${fileOf(context, 'accuracy', 'svg')})

Five clothes: the picture, what its cells say at steps 64 and ${last}. Colours are classes: ${legend(classes)}.

${results.map(({ name }) => `${ways[name].name}: ![${name}](${fileOf(context, name, 'png')})`).join('\n\n')}
` }
}

function rowOf(name: Name, { window, final }: Measured): Row {
  return {
    'rule': ways[name].name,
    'images right, steps 32 to 64, %': window.toFixed(1),
    'step 300': final.toFixed(1),
    'paper (CIFAR-10), 32 to 64': ways[name].paper[0],
    'paper, 300': ways[name].paper[1],
  }
}

/** How many pictures are tested. */
const tested = 1000

function trained(context: Context, name: Name, train: Mnist, iterations: number): Promise<Learned> {
  const { rule, pooled } = ways[name]
  const task = classificationTask(rule, { ...examplesOf(train.images, [side, side, 1]), labels: train.labels }, { loss: 'mse' })
  const { iterations: _published, ...recipe } = recipes.digits
  const pool = pooled ? { fromPool: seedsFirst(iterations) } : { pool: 0, reseed: 0, mutated: 0 }
  const trainer = taskTrainer({ ...recipe, ...half, ...pool, rule, task, steps: [32, 65], readouts, optimiser: optimiserFor(iterations) })
  return learn(context, name, trainer, {
    iterations, target: grey(train.images.subarray(0, side * side), side),
    paint: async params => said(rule, scope(() => rollout(rule, params, task.seeds([0]), key(0), { steps: 64 })), 0),
  })
}

async function measure(rule: DataRule, params: DataParams, { images, labels }: Mnist, { seed, quick }: Context): Promise<Measured> {
  const n = quick ? 10 : tested, atOnce = Math.min(n, 200)
  const task = classificationTask(rule, { ...examplesOf(images, [side, side, 1]), labels })
  const steps = Array.from({ length: last }, (_, i) => i + 1).filter(t => t % 10 === 0 || (t >= 32 && t <= 64))
  const right = (x: Tensor, wanted: Tensor): Promise<number> =>
    scope(() => mean(accuracy(takeRole(rule, x, 'classes'), wanted, { mask: seenCells(rule, x), per: 'image' }))).item()
  const curve = steps.map(x => ({ x, y: 0 })), pictures: Image[] = []
  for (let from = 0; from < n; from += atOnce) {
    const ids = Array.from({ length: atOnce }, (_, i) => from + i), wanted = tensor(Int32Array.from(ids, i => labels[i]))
    const states = rollout(rule, params, task.seeds(ids), foldIn(key(seed), from), { steps: last, readouts: steps })
    for (const [i, state] of states.entries()) curve[i].y += 100 * await right(state, wanted) * atOnce / n
    if (from > 0) continue
    for (let i = 0; i < 5; i++) {
      pictures.push(upscale(grey(images.subarray(i * side ** 2, (i + 1) * side ** 2), side), 3))
      for (const t of [64, last]) pictures.push(upscale(await said(rule, states[steps.indexOf(t)], i), 3))
    }
  }
  const window = curve.filter(({ x }) => x >= 32 && x <= 64).map(({ y }) => y)
  return { window: window.reduce((a, b) => a + b) / window.length, final: curve.at(-1)!.y, curve, pictures }
}
