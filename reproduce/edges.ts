/**
 * From edges to pictures: an experiment like figure 7 of Spitznagel & Keuper (2026). A rule sees the edges of an emoji in a frozen
 * channel and should paint the emoji. It is trained with three losses: the mean squared error; a critic (WGAN-GP, Gulrajani et al. 2017)
 * that sees edges and picture together; and the critic plus 100 times the mean of |x − y| (L1), as in pix2pix (Isola et al. 2017).
 *
 * The claim: with a critic, pictures are sharper. `lib/sharpness.ts` explains how that is measured, and why.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  adam, conv, cosineDecay, defineRule, examplesOf, filmStrip, imageToImageTask, key, l1, mlp, rollout, scope, takeRole,
  taskTrainer, tensor, upscale, warmUp, type CriticOptions, type DataParams, type DataRule, type Image, type Task,
} from '../src/index.ts'
import { fileOf, iterationsOf, writePicture, type Context, type Row } from './lib/context.ts'
import { learn, summary, type Learned } from './lib/learn.ts'
import { judgeModel, listOf, type Judged } from './lib/models.ts'
import { notoPairs, type Pairs } from './lib/noto.ts'
import { grey, rgbImage } from './lib/pictures.ts'
import { seedsInWords, type Report } from './lib/report.ts'
import { distributionDistance, edgesMet, gradients, meanOf } from './lib/sharpness.ts'

const side = 32, cells = side * side, steps = 24

const rule: DataRule = defineRule({
  channels: { input: 1, output: 3, hidden: 20 }, frozen: ['input'], fireRate: 0.5,
  perceive: [conv(64, { bias: true, activation: 'leakyRelu' })], update: mlp(80, { activation: 'leakyRelu', lastStd: 1e-3 }),
})

const critic: CriticOptions = { widths: [32, 64, 64], steps: 2, optimiser: adam({ rate: 2e-4, beta1: 0, beta2: 0.9 }) }

const losses = {
  mse: { name: 'mean squared error', critic: null },
  critic: { name: 'WGAN-GP', critic },
  both: { name: 'WGAN-GP and L1', critic: { ...critic, lossWeight: 100 } },
} as const

type Name = keyof typeof losses

type Painted = { readonly made: Float32Array; readonly row: Row }

export async function reproduceEdges(context: Context): Promise<Report> {
  const folder = join(context.data, 'noto')
  if (!existsSync(folder)) throw new Error(`edges: there is no ${folder}; this fetches it: npm run data -- noto`)
  const { train, test } = await notoPairs(folder, side, context.quick ? 40 : Infinity)
  const real = gradients(test.ink, side, 3)
  const results: (Judged<Painted> & { name: Name; learned: Learned })[] = []
  for (const name of Object.keys(losses) as Name[]) {
    const learned = await trained(context, name, train)
    results.push({ name, learned, ...await judgeModel(context, name, learned, {
      rule, data: { set: 'Noto Emoji', ink: true }, grid: side, steps: [16, steps + 1],
      starts: { input: tensor(test.edges.slice(0, 4 * cells), { shape: [4, side, side, 1] }) },
    }, {
      measure: async ({ params }) => {
        const made = await painted(params, taskOf('mse', test), test.n, context.seed)
        const own = gradients(made, side, 3)
        return { made, row: {
          'learnt by': losses[name].name,
          'distance of gradients': distributionDistance(own, real).toFixed(4),
          'mean gradient, made / real': (meanOf(own) / meanOf(real)).toFixed(2),
          'real edges found, %': (100 * edgesMet(real, own, side, 0.1)).toFixed(1),
          'made edges that are real, %': (100 * edgesMet(own, real, side, 0.1)).toFixed(1),
          'mean squared error': (made.reduce((sum, v, i) => sum + (v - test.ink[i]) ** 2, 0) / made.length).toFixed(4),
        } }
      },
      shown: ({ row }) => row,
    }) })
  }

  const rows = results.map(({ measured }) => measured.row)
  await writePicture(context, 'pictures', sheet(test, results.map(({ measured }) => measured.made)))
  const [mse, ...sharper] = rows.map(row => Number(row['distance of gradients']))
  const verdict = sharper.map((distance, i) => `by ${rows[i + 1]['learnt by']} ${(mse / distance).toFixed(2)} times`).join(', ')
  return { rows, text: numbers => `
# From edges to pictures

Figure 7 of Spitznagel & Keuper (2026) in kind, with Noto emoji in the place of handbags: \`npm run reproduce -- edges\`.

${numbers}

The distribution of the strengths of gradients is so many times as near to that of real pictures as by the mean squared error (more
than 1: the critic makes sharper pictures): ${verdict}.

The distance is Wasserstein's between the distributions of all gradients of the brightness, of made and of real pictures. By the
mean squared error a rule does best with the mean of all pictures that the edges leave open, and a mean is flat where these
differ: strong gradients are missing. The distance sees that, and it sees noise, which has gradients where there should be none;
it does not mind which of the possible pictures is painted, as errors by pixel do. It does not see whether gradients are in the
right places: so there are the share of the real edges (above 0.1 per cell) that have a made one within a cell, and the share of the
made edges that have a real one, which noise lowers.

${results.map(({ name, learned }) => `- ${losses[name].name}: ${summary(learned)}.`).join('\n')}

${train.n.toLocaleString('en-US')} pairs for training, ${test.n} for judging; what differs by skin tone only is on one side. What differs from
the paper: emoji of ${side}×${side} cells instead of handbags, a critic with ${critic.steps} steps for each of the rule, and measures of our own
instead of LPIPS, for which there is no network here; ${seedsInWords(context)}.

${listOf(context, results)}

Each row an emoji that was not learnt from: edges, ${results.map(({ name }) => losses[name].name).join(', ')}, the picture itself:

![pictures](${fileOf(context, 'pictures', 'png')})
` }
}

function taskOf(name: Name, { edges, ink }: Pairs): Task {
  const pairs = { inputs: examplesOf(edges, [side, side, 1]), outputs: examplesOf(ink, [side, side, 3]) }
  return imageToImageTask(rule, pairs, name === 'both' ? { loss: l1 } : {})
}

function trained(context: Context, name: Name, train: Pairs): Promise<Learned> {
  const iterations = iterationsOf(context, 1200, 4)
  const task = taskOf(name, train)
  const trainer = taskTrainer({
    rule, task, batch: 8, steps: [16, steps + 1], normalise: true, critic: losses[name].critic,
    optimiser: adam({
      rate: warmUp(50, cosineDecay(1e-3, { length: iterations, final: 1e-4 })), beta1: losses[name].critic ? 0 : 0.9,
    }),
  })
  return learn(context, name, trainer, {
    iterations, target: rgbImage(train.ink.subarray(0, 3 * cells).map(v => 1 - v), side),
    paint: async params => rgbImage((await painted(params, task, 1, 0)).map(v => 1 - v), side),
  })
}

/** The ink that a rule paints for the first n examples, from 0 to 1, `[n,side,side,3]`. */
async function painted(params: DataParams, task: Task, n: number, seed: number): Promise<Float32Array> {
  const made = new Float32Array(n * 3 * cells)
  for (let from = 0; from < n; from += 16) {
    const ids = Array.from({ length: Math.min(16, n - from) }, (_, i) => from + i)
    const y = await scope(() => takeRole(rule, rollout(rule, params, task.seeds(ids), key(seed), { steps }), 'output')).data()
    made.set(Float32Array.from(y, v => Math.min(Math.max(v, 0), 1)), from * 3 * cells)
  }
  return made
}

/** For eight pairs: the edges, what each rule paints, and the picture. */
function sheet({ edges, ink, n }: Pairs, made: readonly Float32Array[]): Image {
  const count = Math.min(8, n)
  const rows = Array.from({ length: count }, (_, i) => {
    const at = Math.floor((i + 0.5) * n / count)
    const colours = [...made, ink].map(list => rgbImage(list.slice(3 * cells * at, 3 * cells * (at + 1)).map(v => 1 - v), side))
    return [grey(edges.slice(cells * at, cells * (at + 1)).map(v => 1 - v), side), ...colours]
  })
  return filmStrip(rows.flat().map(image => upscale(image, 3)), { columns: made.length + 2, gap: 4 })
}
