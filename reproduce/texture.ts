/**
 * Textures from one photograph each, and which perception repairs them better: section 3.2 of Spitznagel & Keuper (2026), a
 * convolution of 3×3 cells compared with its combination with one of 5×5 taps that are two cells apart.
 *
 * Instead of the paper's loss, which needs a pre-trained network (VGG), the loss is that of Mordvintsev & Niklasson, "µNCA:
 * Texture Generation with Ultra-Compact Neural Cellular Automata" (2021): the optimal transport of patches on a pyramid.
 *
 * Half of the grid is erased, the lower or the right one, and recovery is measured by the same transport. The rule is also run on
 * a larger grid, for much longer.
 */
import { join } from 'node:path'
import {
  adam, colours, cosineDecay, defineRule, erase, filmStrip, foldIn, imageToTensor, key, mean, mlp, patchTransport, publishedPerceptions, recovery,
  recoveryProtocol, resize, rollout, scope, takeChannels, taskTrainer, tensor, textureTask, upscale, warmUp, zeros, type DataParams,
  type DataRule, type Image, type Tensor,
} from '../src/index.ts'
import { readPng } from '../src/node/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context, type Row } from './lib/context.ts'
import { halfOf } from './lib/halves.ts'
import { learn, summary, type Learned } from './lib/learn.ts'
import { judgeModel, listOf } from './lib/models.ts'
import { rgbImage } from './lib/pictures.ts'
import { linesSvg, type Point, type Series } from './lib/plot.ts'
import { seedsInWords, type Report } from './lib/report.ts'

/** The side of a photograph, and of the grid on which rules learn. */
const photographed = 128, side = 64
const levels = 4, channels = 12

const textures = ['brick', 'gravel', 'ihc'] as const

/** The recovery in the paper, in per cent, for one texture. */
const paper = { conv3: 96.38, combined: 99.88 } as const

type Name = keyof typeof paper

const names = Object.keys(paper) as Name[]

const halves = ['lower', 'right'] as const

type Half = typeof halves[number]

type Trial = {
  /** The transport by step, for each erased half. */
  readonly curves: Readonly<Record<Half, readonly Point[]>>
  readonly before: number
  /** Per cent. */
  readonly recovery: Readonly<Record<Half, number>>
  /** Grown, just damaged, and healed, for each half in turn. */
  readonly pictures: readonly Image[]
  /** On a larger grid, after 400 steps. */
  readonly large: Image
}

type Result = { readonly texture: string; readonly name: Name; readonly learned: Learned; readonly trial: Trial; readonly file: string | null; readonly photograph: Image }

export async function reproduceTexture(context: Context): Promise<Report> {
  const iterations = iterationsOf(context, 1000, 3)
  const chosen = context.quick ? textures.slice(0, 1) : textures
  const results: Result[] = []
  for (const texture of chosen) {
    const photograph = resize(await readPng(join(context.data, 'textures', `${texture}.png`)), photographed, photographed, 'area')
    const wanted = scope(() => takeChannels(imageToTensor(photograph), 0, 3))
    for (const name of names) {
      const learned = await trained(context, `${texture}-${name}`, { rule: ruleOf(name), wanted, photograph, iterations })
      const { measured, file } = await judgeModel(context, `${texture}-${name}`, learned, {
        rule: ruleOf(name), data: { set: `${texture}.png of scikit-image` }, grid: side, steps: [32, 55],
      }, { measure: ({ rule, params }) => tryOut(rule, params, wanted, context.seed), shown: trial => rowOf(texture, name, trial) })
      results.push({ texture, name, learned, trial: measured, file, photograph })
    }
  }
  const rows = results.map(({ texture, name, trial }) => rowOf(texture, name, trial))
  const meanOf = (name: Name): number => {
    const list = results.filter(result => result.name === name).flatMap(({ trial }) => halves.map(half => trial.recovery[half]))
    return list.reduce((a, b) => a + b) / list.length
  }
  const sections: string[] = []
  for (const texture of chosen) {
    const own = results.filter(result => result.texture === texture)
    const series: Series[] = own.flatMap(({ name, trial }) => halves.map(half => ({ name: `${name}, ${half} half`, points: trial.curves[half] })))
    await writeSvg(context, texture, await linesSvg(series, {
      title: `Optimal transport of patches, half removed at step ${recoveryProtocol.perturb}`, xLabel: 'step', yLabel: 'transport', log: true,
    }))
    const strip = own.flatMap(({ trial }) => trial.pictures).map(image => upscale(image, 2))
    await writePicture(context, texture, filmStrip(strip, { columns: 6, gap: 4 }))
    await writePicture(context, `${texture}-large`, filmStrip(
      [own[0].photograph, ...own.map(({ trial }) => trial.large)].map(image => upscale(image, 2)), { gap: 4 },
    ))
    sections.push(`## ${texture}

${own.map(({ name, learned }) => `- ${name}: ${summary(learned)}.`).join('\n')}

![transport by step](${fileOf(context, texture, 'svg')})

![steps](${fileOf(context, texture, 'png')})

![large](${fileOf(context, `${texture}-large`, 'png')})`)
  }
  return { rows, text: numbers => `
# Textures that mend themselves

Section 3.2 of Spitznagel & Keuper (2026), "A New Kind of Network?": a convolution of 3×3 cells against one that is combined with 5×5
taps, two cells apart, with the loss of µNCA (Mordvintsev & Niklasson 2021): \`npm run reproduce -- texture\`.

${numbers}

Recovery on average: ${names.map(name => `${name} ${meanOf(name).toFixed(1)} %`).join(', ')} (paper: ${names.map(name => `${paper[name]} %`).join(', ')}, of
one texture). ${meanOf('combined') > meanOf('conv3') ? 'The order is the paper\'s.' : 'The order is not the paper\'s.'} More than 100 % says that
the transport was still falling when half was removed. It compares patches, and does not see how they are arranged in the large: a wall
whose bricks come back as stripes scores nearly as well as one with the right bond.

What differs from the paper: photographs of scikit-image (brick and gravel, CC0, and stained tissue, ihc) instead of DTD; the optimal
transport of patches instead of that of VGG's features; ${side}×${side} cells instead of 168×168; ${iterations.toLocaleString('en-US')} iterations of
batches of 2; ${seedsInWords(context)}.

${listOf(context, results)}

Of each texture: transport by step; a row for each perception, grown for ${recoveryProtocol.perturb} steps, half removed, and ${recoveryProtocol.judge - recoveryProtocol.perturb} steps later, for
the lower and for the right half; the photograph, and both rules on ${photographed}×${photographed} cells after 400 steps.

${sections.join('\n\n')}
` }
}

function rowOf(texture: string, name: Name, { before, curves, recovery: of }: Trial): Row {
  return {
    texture,
    'perception': name,
    'log10 transport, step 149': Math.log10(before).toFixed(2),
    'lower half removed': Math.log10(curves.lower[0].y).toFixed(2),
    'step 449': Math.log10(curves.lower.at(-1)!.y).toFixed(2),
    'recovery, lower half, %': of.lower.toFixed(1),
    'recovery, right half, %': of.right.toFixed(1),
    'paper': paper[name],
  }
}

function ruleOf(name: Name): DataRule {
  return defineRule({
    channels: { rgb: 3, hidden: channels - 3 }, padding: 'circular', fireRate: 0.5, perceive: publishedPerceptions[name],
    update: mlp(80, { activation: 'leakyRelu', lastStd: 1e-3 }),
  })
}

type Training = { readonly rule: DataRule; readonly wanted: Tensor; readonly photograph: Image; readonly iterations: number }

/** Trains, or goes on where it was interrupted: 32 to 54 steps with a pool, as published, of which a quarter is reseeded. */
function trained(context: Context, part: string, { rule, wanted, photograph, iterations }: Training): Promise<Learned> {
  const ranges = { rgb: [-0.5, 0.5], hidden: [-1, 1] } as const
  const task = textureTask(rule, wanted, { grid: [side, side], levels, ranges })
  const trainer = taskTrainer({
    rule, task, batch: 2, steps: [32, 55], pool: 128, fromPool: 0.75, ranked: 'none', normalise: true,
    optimiser: adam({ rate: warmUp(50, cosineDecay(1e-3, { length: iterations, final: 1e-4 })) }),
  })
  return learn(context, part, trainer, {
    iterations, target: photograph,
    paint: async params => picture(scope(() => rollout(rule, params, task.seeds([0]), key(0), { steps: 54 }))),
  })
}

/** Grown, damaged at either half, and repaired. */
async function tryOut(rule: DataRule, params: DataParams, wanted: Tensor, seed: number): Promise<Trial> {
  const { perturb, judge } = recoveryProtocol
  const run = key(seed)
  const cost = (x: Tensor): Promise<number> =>
    scope(() => mean(patchTransport(colours(x), wanted, foldIn(run, 1), { levels }))).item()
  const empty = (width: number): Tensor => zeros([1, width, width, channels])
  const grown = scope(() => rollout(rule, params, empty(side), run, { steps: perturb }))
  const before = await cost(grown)
  const readouts = Array.from({ length: (judge - perturb) / 30 }, (_, i) => 30 * (i + 1))
  async function mend(half: Half): Promise<{ curve: Point[]; percent: number; pictures: Image[] }> {
    const damaged = erase(grown, halfOf(half, side))
    const curve = [{ x: perturb, y: await cost(damaged) }]
    const states = rollout(rule, params, damaged, run, { steps: judge - perturb, from: perturb, readouts })
    for (const [i, state] of states.entries()) curve.push({ x: perturb + readouts[i], y: await cost(state) })
    const percent = await scope(() => recovery(tensor(before), tensor(curve[0].y), tensor(curve.at(-1)!.y))).item()
    return { curve, percent, pictures: [await picture(grown), await picture(damaged), await picture(states.at(-1)!)] }
  }
  const [lower, right] = [await mend('lower'), await mend('right')]
  const large = await picture(scope(() => rollout(rule, params, empty(photographed), run, { steps: 400 })))
  return {
    curves: { lower: lower.curve, right: right.curve }, before, recovery: { lower: lower.percent, right: right.percent },
    pictures: [...lower.pictures, ...right.pictures], large,
  }
}

async function picture(x: Tensor): Promise<Image> {
  const [, height, width] = x.shape
  const values = await scope(() => colours(x)).data()
  return rgbImage(values.subarray(0, height * width * 3), width)
}
