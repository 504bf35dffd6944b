/**
 * Emoji that grow in the latents of a VQ-VAE: figures 8 and 9 (a), and the latent rows of table 2 of Spitznagel & Keuper (2026).
 * One rule grows four Noto emoji of 128×128 pixels on 16×16 cells, another of 256×256 on 32×32; a condition says which emoji.
 *
 * The claims: they grow, they regrow when a half is erased, and a training step takes a fraction of the time, and less memory, than
 * one in pixel space.
 */
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import {
  adam, cosineDecay, defineRule, erase, eye, filmStrip, key, latentImages, latentTask, mean,
  mlp, mse, overWhite, recovery, resize, rollout, scope, setChannels, takeRole, taskTrainer, tensor, tensorToImage, warmUp,
  type Codec, type DataParams, type DataRule, type Image, type Task, type Tensor,
} from '../src/index.ts'
import { emoji } from '../src/node/index.ts'
import { again, notoCodec, pictures, shrinking } from './lib/codec.ts'
import { fileOf, iterationsOf, writePicture, type Context, type Row } from './lib/context.ts'
import { anyHalf, halfOf } from './lib/halves.ts'
import { learn, summary, type Learned } from './lib/learn.ts'
import { judgeModel, listOf, type Judged } from './lib/models.ts'
import { seedsInWords, type Report } from './lib/report.ts'

const characters = ['🦎', '🦋', '🐠', '🐞'] as const
const sides = [128, 256] as const
/** The side of the pictures on the page, in pixels. */
const shownSide = 128

export const rule: DataRule = defineRule({
  channels: { latent: 8, hidden: 16, condition: characters.length }, frozen: ['condition'], perceive: ['identity', 'sobelX', 'sobelY'],
  update: mlp(128, { lastStd: 1e-3 }), fireRate: 0.5,
})

export async function reproduceLatent(context: Context): Promise<Report> {
  const images = await Promise.all(characters.map(character => emoji(character)))
  const { codec, learned: first } = await notoCodec(context)
  const rows: Row[] = [], training: string[] = [], shown: string[] = [], models: Judged<unknown>[] = []
  for (const side of sides) {
    const task = latentTask(rule, pictures(images, side), codec, { condition: 'condition' })
    const learned = await trained(context, codec, task, images, side)
    const own = await judgeModel(context, String(side), learned, {
      rule, codec, data: { set: 'Noto Emoji' }, grid: side / shrinking, steps: [Math.round(0.75 * stepsOf(side)), stepsOf(side) + 1],
      names: { conditions: 'lizard butterfly fish lady-beetle' }, starts: { condition: eye(characters.length) },
    }, {
      measure: ({ params, codec: stored = codec }) => {
        const task = latentTask(rule, pictures(images, side), stored, { condition: 'condition' })
        return judged(context, stored, task, params, images, side)
      },
      shown: ({ errors }) => errors,
    })
    const { errors, strip } = own.measured
    models.push(own)
    const [latents, pixels] = [await cost('latents', side, context), await cost('pixels', side, context)]
    rows.push({
      'image': `${side}×${side}`, 'cells': `${side / shrinking}×${side / shrinking}`, ...errors,
      's a step, latents': latents.seconds.toFixed(2), 's, pixels': pixels.seconds.toFixed(2),
      'MB, latents': latents.megabytes.toFixed(0), 'MB, pixels': pixels.megabytes.toFixed(0),
    })
    training.push(`- ${side}×${side}: ${summary(learned)}.`)
    await writePicture(context, String(side), strip)
    shown.push(`${side}×${side}: ![emoji](${fileOf(context, String(side), 'png')})`)
  }
  return { rows, text: numbers => `
# Emoji that grow in latents

Figures 8 and 9 (a), and table 2 of Spitznagel & Keuper (2026), "A New Kind of Network?": \`npm run reproduce -- latent\`.

${numbers}

Errors are the mean squared error of red, green, blue and alpha: of what the VQ-VAE alone makes of the emoji again, which is the least
to be hoped for; of what the rule has grown; just after the right half of its cells was erased; and after as many steps again.
Recovery is 100 (healed − erased) / (grown − erased). Seconds and megabytes are of one step of training with one sample, from the
seed, as many steps as half of the grid (table 2), of the latents with the decoder, and in the
space of pixels of the published rule of 16 channels, of which all cells live here as in latents; megabytes are the most that a
process with nothing else to do had, Node itself among them.

- VQ-VAE: ${summary(first)}.
${training.join('\n')}

What differs from the paper: emoji of ${sides.join('² and ')}² instead of 512² pixels, enlarged from 64×64, which is the size that there is;
four of them; ${seedsInWords(context)}. Time and memory are of two cores and not of a GPU: to be compared with each other alone.

${listOf(context, models)}

Each row an emoji: what is decoded after a quarter, a half, and all of the steps; with a half erased; healed; the emoji. Pictures of 256×256
pixels are shown at half their size.

${shown.join('\n\n')}
` }
}

const stepsOf = (side: number): number => 1.5 * side / shrinking

function trained(context: Context, codec: Codec, task: Task, images: readonly Image[], side: number): Promise<Learned> {
  const iterations = iterationsOf(context, 4000, 3), most = stepsOf(side)
  const trainer = taskTrainer({
    rule, task, batch: 4, steps: [Math.round(most * 0.75), most + 1], clip: 1,
    optimiser: adam({ rate: warmUp(50, cosineDecay(2e-3, { length: iterations, final: 1e-4 })) }),
    pool: 64, write: 'fifo', ranked: 'none', reseed: 1, damaged: 1, damage: anyHalf, mutated: 1,
  })
  return learn(context, String(side), trainer, {
    iterations, target: resize(images[0], side, side),
    paint: params => tensorToImage(scope(() => latentImages(rule, codec, rollout(rule, params, task.seeds([0]), key(0), { steps: most })))),
  })
}

/** Grown, damaged and healed: the mean errors of all emoji, and pictures. */
async function judged(
  { seed }: Context, codec: Codec, task: Task, params: DataParams, images: readonly Image[], side: number,
): Promise<{ errors: Row; strip: Image }> {
  const ids = images.map((_, i) => i), steps = stepsOf(side)
  const states = rollout(rule, params, task.seeds(ids), key(seed), { steps, readouts: [steps / 4, steps / 2, steps] })
  const grown = states.at(-1)!
  // The condition is not erased.
  const hurt = scope(() => setChannels(rule, erase(grown, halfOf('right', side / shrinking)), { condition: takeRole(rule, grown, 'condition') }))
  const healed = rollout(rule, params, hurt, key(seed), { steps, from: steps })
  const error = (x: Tensor): number => scope(() => mean(task.loss(x, ids, key(0)))).toArray()[0]
  const [before, erased, after] = [grown, hurt, healed].map(error)
  const own = scope(() => mean(mse(again(codec, task.images!.real(ids)), task.images!.real(ids)))).toArray()[0]
  const strip: Image[] = []
  for (const i of ids) {
    const decoded = async (x: Tensor): Promise<Image> => tensorToImage(scope(() => latentImages(rule, codec, x)), i)
    for (const x of [...states, hurt, healed]) strip.push(resize(await decoded(x), shownSide, shownSide))
    strip.push(resize(images[i], shownSide, shownSide))
  }
  return {
    errors: {
      'VQ-VAE alone': own.toFixed(4), 'grown': before.toFixed(4), 'erased': erased.toFixed(4),
      'healed': after.toFixed(4), 'recovery, %': recovery(tensor(before), tensor(erased), tensor(after)).toArray()[0].toFixed(1),
    },
    strip: overWhite(filmStrip(strip, { columns: 6, gap: 4 })),
  }
}

type Cost = { readonly seconds: number; readonly megabytes: number }

/** The cost of a training step, see `lib/step-cost.ts`. */
async function cost(space: 'latents' | 'pixels', side: number, { quick }: Context): Promise<Cost> {
  const script = fileURLToPath(new URL('lib/step-cost.ts', import.meta.url))
  const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, space, String(side), quick ? '1' : '3'])
  return JSON.parse(stdout) as Cost
}
