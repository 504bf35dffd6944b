/**
 * The parts of a brain: segmentation of real labelled data, an atlas (`lib/brain.ts`), like NCALab (Krumb et al. 2025) and
 * Med-NCA (Kalkhof et al. 2023).
 *
 * The part of a cell follows neither from its brightness, as the best class for each brightness shows, nor from its
 * neighbourhood, as a network on 5×5 windows shows: cells have to find out from each other where they are. The slices of four
 * blocks are for testing; those next to a block are not used for training. To avoid overfitting, training slices are also rotated,
 * scaled and mirrored, and weights decay. Fire masks are random, so the mean of twenty runs is evaluated, half of them on the
 * mirrored slice.
 */
import { join } from 'node:path'
import {
  adamW, argMax, auroc, conv, cosineDecay, crossEntropy, defineRule, dice, equal, examplesOf, filmStrip, foldIn, greater, imageToImageTask, key,
  mlp, reshape, scope, softmax, sum, takeRole, taskTrainer, tensor, uncertainty, upscale, warmUp, type DataParams, type DataRule,
  type Image, type Key, type Task,
} from '../src/index.ts'
import { columns, mirrored, parts, readBrain, rows as height, slicesOf, type Labelled } from './lib/brain.ts'
import { byBrightness } from './lib/brightness.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context, type Row } from './lib/context.ts'
import { averaged, learn, summary } from './lib/learn.ts'
import { judgeModel } from './lib/models.ts'
import { coloured, grey, legend } from './lib/pictures.ts'
import { linesSvg } from './lib/plot.ts'
import { trainReader, type Reader } from './lib/reader.ts'
import type { Report } from './lib/report.ts'
import { windowsOf } from './lib/windows.ts'

const cells = height * columns, side = 5, steps = 32, runs = 10, ways = 12

/** The brightness above which the scan shows something: other cells never change and do not count. */
const seen = 0.02

const rule: DataRule = defineRule({
  channels: { input: 1, output: parts.length, hidden: 16 }, frozen: ['input'], inputMask: { channel: 0, above: seen },
  perceive: [conv(48, { bias: true, activation: 'leakyRelu' })], update: mlp(64, { activation: 'leakyRelu', lastStd: 1e-3 }),
  fireRate: 0.5,
})

export async function reproduceSegmentation(context: Context): Promise<Report> {
  const brain = await readBrain(join(context.data, 'brain'))
  const away = (z: number): number => Math.min(...[28, 52, 76, 100].map(middle => Math.abs(z - middle)))
  const train = slicesOf(brain, z => away(z) > 6 && (!context.quick || z % 8 === 0), context.quick ? 1 : ways)
  const test = slicesOf(brain, z => away(z) <= 3 && (!context.quick || z % 4 === 0))
  const iterations = iterationsOf(context, 6000, 10)
  const trainer = taskTrainer({
    rule, task: taskOf(train), batch: 8, steps: [steps - 8, steps + 1], normalise: true,
    optimiser: adamW({ rate: warmUp(50, cosineDecay(2e-3, { length: iterations, final: 2e-5 })), decay: 0.1 }),
  })
  const learned = await learn(context, 'turned', trainer, {
    iterations, target: coloured(train.labels.subarray(0, cells), columns),
    paint: async params => coloured((await segmented(params, first(train), context.seed, 2)).said, columns),
  })

  const counted = (part: Labelled): number[] => [...part.images.keys()].filter(i => part.images[i] > seen)
  const learnt = counted(train), judged = counted(test)
  const windows = (images: Float32Array, at: readonly number[]): Float32Array => windowsOf(images, [height, columns], side, at)
  const reader = trainReader(windows(train.images, learnt), Uint8Array.from(learnt, i => train.labels[i]), {
    pixels: side ** 2, iterations: context.quick ? 30 : 40_000,
  })
  const read = await readWindows(reader, images => windows(images, [...images.keys()]), test)
  const wanted = judged.map(i => test.labels[i])
  const rowOf = (by: string, said: Uint8Array, own?: Unsure): Row => {
    const wrong = judged.map((i, n) => +(said[i] !== wanted[n]))
    const ranked = (values: Float32Array | undefined): string => (values === undefined ? '–'
      : scope(() => auroc(tensor(Float32Array.from(judged, i => values[i])), tensor(Uint32Array.from(wrong)))).toArray()[0].toFixed(3))
    return {
      'by': by,
      'right, %': (100 * wrong.filter(is => is === 0).length / judged.length).toFixed(2),
      ...Object.fromEntries(parts.slice(1).map((part, c) => [`Dice, ${part}`, diceOf(judged.map(i => said[i]), wanted, c + 1).toFixed(3)])),
      'AUROC of the deviation': ranked(own?.std),
      'AUROC of the doubt': ranked(own?.doubt),
    }
  }
  // The terms of the atlas do not clearly allow to distribute what is learned from it, so the model stays in the training's folder.
  const beside = { ...context, models: context.models && join(context.work, context.name) }
  const { measured: own, file } = await judgeModel(beside, '', learned, {
    rule, data: { set: 'INIA19', loss: 'classes' }, steps: [steps - 8, steps + 1],
    starts: { input: tensor(test.images.slice(0, cells), { shape: [1, height, columns, 1] }) },
  }, {
    measure: ({ params }) => segmented(params, test, context.seed, context.quick ? 2 : runs),
    shown: said => rowOf('the rule', said.said, said),
  })
  const bright = byBrightness(learnt.map(i => train.images[i]), learnt.map(i => train.labels[i]), parts.length)

  const guesses = { 'the rule': own.said, [`windows of ${side}×${side}`]: read, 'brightness': Uint8Array.from(test.images, bright) }
  const rows = Object.entries(guesses).map(([by, said]) => rowOf(by, said, by === 'the rule' ? own : undefined))
  await writePicture(context, 'slices', sheet(test, Object.values(guesses), own.std))
  await writeSvg(context, 'loss', await linesSvg([{ name: 'loss', points: averaged(learned.losses) }], {
    title: 'Learning the parts of a brain', xLabel: 'iteration', yLabel: 'cross-entropy', log: true,
  }))
  const [score, ...others] = rows.map(row => Number(row['right, %']))
  return { rows, text: numbers => `
# The parts of a brain

Segmentation of slices of the INIA19 atlas (Rohlfing et al., "The INIA19 template and NeuroMaps atlas for primate brain image
parcellation and spatial normalization", 2012): \`npm run reproduce -- segmentation\`.

${numbers}

The rule is ${score > Math.max(...others) ? 'better' : 'not better'} than both: than a network of 64 units that sees the ${side}×${side} cells round each cell, trained on the
same slices by the same engine, and than the class that most cells of the same brightness have, which is at least as good as any thresholds.
All numbers count the cells in which the scan shows something.

What the rule says is the class that is likeliest in the mean of ${2 * runs} runs, in each of which other cells fire; in half of them the
slice is mirrored, as some of those for training are (added after runs on the slices alone had been judged on the same slices). The
network on windows is judged by the mean of both, too. How
sure it is says the deviation of these probabilities (whose sum over a slice is that of NQM), or its doubt, 1 − the greatest mean
probability. AUROC is how well that ranks the cells: the probability that a wrong one is less sure than a right one.

${summary(learned)}; ${train.n} pictures for training, up to ${context.quick ? 1 : ways} of a slice, turned, larger, smaller, mirrored; ${test.n} slices for testing, in four blocks, at least 1.5 mm from those
for training. All are of one averaged brain: this says how well other parts of this brain are told apart, not how well those of another
one would be. The names of the atlas's regions say which part they belong to; stem, ventricles and what has no name are the rest. NCALab and Med-NCA segment other scans, so their numbers are not to be compared with these.

The trained model stays beside its training, since it is not clear whether the terms of the atlas (CC-BY, its files say) let others
distribute what is learnt from it: ${file}.

![loss](${fileOf(context, 'loss', 'svg')})

Each row a test slice: the scan, the labels, what is said by ${Object.keys(guesses).join(', ')}, and where the rule's runs differ.
Colours are classes: ${legend(parts)}.

![slices](${fileOf(context, 'slices', 'png')})
` }
}

/** Cells that show nothing have no class, and do not count. */
function taskOf({ images, labels }: Labelled): Task {
  const wanted = Float32Array.from({ length: parts.length * labels.length }, (_, i) => {
    const cell = Math.floor(i / parts.length)
    return +(images[cell] > seen && labels[cell] === i % parts.length)
  })
  return imageToImageTask(rule, {
    inputs: examplesOf(images, [height, columns, 1]), outputs: examplesOf(wanted, [height, columns, parts.length]),
  }, { loss: (y, classes) => crossEntropy(y, argMax(classes), { mask: greater(sum(classes, -1), 0) }) })
}

/** The uncertainty of each cell's class: the deviation over runs, and 1 − the probability of the most likely class. */
type Unsure = { readonly std: Float32Array; readonly doubt: Float32Array }

/**
 * The most likely class of each cell, and its uncertainty, by `count` runs on the slice and as many on the mirrored slice: what
 * the rule does not know about a cell, it often says differently on the other side.
 */
async function segmented(params: DataParams, part: Labelled, seed: number, count: number): Promise<Unsure & { readonly said: Uint8Array }> {
  async function runsOn(images: Float32Array, k: Key): Promise<{ readonly mean: Float32Array; readonly std: Float32Array }> {
    const { mean, std } = uncertainty(rule, taskOf({ ...part, images }), params, {
      steps, runs: count, batch: 16, key: k, of: x => softmax(takeRole(rule, x, 'output')),
    })
    return { mean: Float32Array.from(await mean.data()), std: Float32Array.from(await std.data()) }
  }
  const one = await runsOn(part.images, key(seed)), twin = await runsOn(mirrored(part.images, 1), foldIn(key(seed), 1))
  const [m, s] = [twin.mean, twin.std].map(list => mirrored(list, parts.length))
  const p = one.mean.map((v, i) => (v + m[i]) / 2)
  const std = one.std.map((v, i) => Math.sqrt((v ** 2 + s[i] ** 2) / 2 + (one.mean[i] - p[i]) ** 2)) // of all runs together
  const of = (i: number, list: Float32Array): number[] => parts.map((_, c) => list[parts.length * i + c])
  const said = part.images.map((v, i) => (v > seen ? of(i, p).indexOf(Math.max(...of(i, p))) : 0))
  return {
    said: Uint8Array.from(said),
    std: part.images.map((_, i) => of(i, std).reduce((a, b) => a + b)),
    doubt: part.images.map((_, i) => 1 - Math.max(...of(i, p))),
  }
}

/** The most likely class of each cell by its window in the slice and in the mirrored slice together. */
async function readWindows(reader: Reader, windows: (images: Float32Array) => Float32Array, part: Labelled): Promise<Uint8Array> {
  const one = await reader.probabilities(windows(part.images)), twin = await reader.probabilities(windows(mirrored(part.images, 1)))
  const both = mirrored(twin, parts.length).map((p, i) => p + one[i])
  return Uint8Array.from(part.images, (v, i) => {
    const own = both.subarray(parts.length * i, parts.length * (i + 1))
    return v > seen ? own.indexOf(Math.max(...own)) : 0
  })
}

function first({ images, labels }: Labelled): Labelled {
  return { images: images.subarray(0, cells), labels: labels.subarray(0, cells), n: 1 }
}

/** Dice of a class over all cells together. */
function diceOf(said: readonly number[], labels: readonly number[], c: number): number {
  const mask = (list: readonly number[]) => equal(reshape(tensor(Int32Array.from(list)), [1, -1]), c)
  return scope(() => dice(mask(said), mask(labels)).toArray()[0])
}

/** Scan, labels, predictions and deviation of four slices. Cells that show nothing are black. */
function sheet({ images, labels, n }: Labelled, guesses: readonly Uint8Array[], std: Float32Array): Image {
  const strips = [0, 1, 2, 3].flatMap(i => {
    const at = Math.floor((i + 0.5) * n / 4) * cells
    const cut = <T extends Float32Array | Uint8Array>(list: T): T => list.subarray(at, at + cells) as T
    const scan = cut(images), classes = (list: Uint8Array): number[] => Array.from(cut(list), (c, p) => (scan[p] > seen ? c : -1))
    return [grey(scan, columns), ...[labels, ...guesses].map(list => coloured(classes(list), columns)), grey(cut(std).map(v => 2 * v), columns)]
  })
  return filmStrip(strips.map(image => upscale(image, 2)), { columns: guesses.length + 3, gap: 4 })
}
