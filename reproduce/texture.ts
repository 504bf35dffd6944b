/**
 * A texture from one photograph, with nothing pre-trained: the loss of Mordvintsev & Niklasson, "µNCA: Texture Generation
 * with Ultra-Compact Neural Cellular Automata" (2021), the optimal transport of patches on a pyramid, with the rule of
 * Niklasson et al., "Self-Organising Textures" (Distill 2021), 5,856 parameters.
 *
 * The rule is then run on a larger grid, for much longer, and after a hole was cut into it.
 */
import { join } from 'node:path'
import {
  adam, colours, erase, filmStrip, foldIn, key, mean, patchTransport, recipes, recovery, recoveryProtocol, resize,
  rollout, scope, stepDecay, taskTrainer, tensor, textureTask, upscale, type Image, type Tensor,
} from '../src/index.ts'
import { readPng } from '../src/node/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context } from './lib/context.ts'
import { learn, summary } from './lib/learn.ts'
import { rgbImage } from './lib/pictures.ts'
import { linesSvg } from './lib/plot.ts'
import type { Report } from './lib/report.ts'

/** The side of the photograph, and of the grid on which the rule learns. */
const photographed = 128, side = 64
const levels = 4

const { rule } = recipes.texture

export async function reproduceTexture(context: Context): Promise<Report> {
  const photograph = resize(await readPng(join(context.data, 'textures', 'brick.png')), photographed, photographed, 'area')
  const texture = tensor(Float32Array.from({ length: 3 * photographed ** 2 }, (_, i) =>
    photograph.data[4 * Math.floor(i / 3) + i % 3]), { shape: [photographed, photographed, 3] })
  const iterations = iterationsOf(context, 1500, 10)
  const task = textureTask(rule, texture, { grid: [side, side], levels })
  const trainer = taskTrainer({
    rule, task, batch: 2, steps: [32, 64], pool: 128, reseed: 0, normalise: true,
    optimiser: adam({
      rate: stepDecay(1e-3, { at: [iterations * 0.6, iterations * 0.85].map(Math.round), factor: 0.3 }),
    }),
  })
  const learned = await learn(context, 'brick', trainer, {
    iterations, target: photograph,
    paint: async params => {
      const x = scope(() => rollout(rule, params, task.seeds([0]), key(0), { steps: 64 }))
      return picture(x)
    },
  })

  const { perturb, judge } = recoveryProtocol
  const run = key(context.seed)
  const curve: { x: number; y: number }[] = []
  const cost = (x: Tensor): Promise<number> =>
    scope(() => mean(patchTransport(colours(x), texture, foldIn(run, 1), { levels, projections: 128 }))).item()
  /** Runs on, and writes the costs down. */
  async function onwards(x: Tensor, from: number, to: number): Promise<Tensor> {
    const readouts = Array.from({ length: to - from }, (_, i) => i + 1).filter(t => (from + t) % 10 === 0 || from + t === to)
    const states = rollout(rule, learned.params, x, run, { steps: to - from, from, readouts })
    for (const [i, state] of states.entries()) curve.push({ x: from + readouts[i], y: await cost(state) })
    return states.at(-1)!
  }
  const grown = await onwards(task.seeds([0]), 0, perturb)
  const damaged = erase(grown, lowerHalf())
  const [before, broken] = [curve.at(-1)!.y, await cost(damaged)]
  curve.push({ x: perturb, y: broken })
  const healed = await onwards(damaged, perturb, judge)
  const final = curve.at(-1)!.y
  const percent = await scope(() => recovery(tensor(before), tensor(broken), tensor(final))).item()
  const log10 = (v: number): string => Math.log10(v).toFixed(2)
  const rows = [{
    'parameters': 48 * 96 + 96 + 96 * 12,
    'log10 transport, step 149': log10(before),
    'half erased': log10(broken),
    'step 449': log10(final),
    'recovery, %': percent.toFixed(1),
  }]
  await writeSvg(context, 'transport', await linesSvg([{ name: 'brick', points: curve }], {
    title: 'Optimal transport of patches, half erased at step 149', xLabel: 'step', yLabel: 'transport', log: true,
  }))
  const large = scope(() => rollout(rule, learned.params, wide(), run, { steps: 400 }))
  await writePicture(context, 'steps', filmStrip(
    [await picture(grown), await picture(damaged), await picture(healed)].map(image => upscale(image, 3)), { gap: 4 },
  ))
  await writePicture(context, 'large', filmStrip(
    [photograph, await picture(large)].map(image => upscale(image, 2)), { gap: 4 },
  ))
  return { rows, text: numbers => `
# A texture from one photograph

The loss of µNCA (Mordvintsev & Niklasson 2021), which needs no pre-trained network, and the rule of "Self-Organising
Textures" (Niklasson et al. 2021): \`npm run reproduce -- texture\`.

${numbers}

${summary(learned)}, batches of 2 on ${side}×${side} cells. The papers train 5,000 iterations and more, on 128×128.

![transport by step](${fileOf(context, 'transport', 'svg')})

Grown from nothing for ${perturb} steps, half erased, and ${judge - perturb} steps later:

![steps](${fileOf(context, 'steps', 'png')})

The photograph (of bricks, from scikit-image's data, CC0), and the rule on a grid of ${photographed}×${photographed} cells
after 400 steps:

![large](${fileOf(context, 'large', 'png')})
` }
}

function lowerHalf(): Tensor {
  const mask = Uint32Array.from({ length: side * side }, (_, i) => +(i >= side * side / 2))
  return tensor(mask, { shape: [1, side, side] })
}

function wide(): Tensor {
  return tensor(new Float32Array(photographed ** 2 * 12), { shape: [1, photographed, photographed, 12] })
}

async function picture(x: Tensor): Promise<Image> {
  const [, height, width] = x.shape
  const values = await scope(() => colours(x)).data()
  return rgbImage(values.subarray(0, height * width * 3), width)
}
