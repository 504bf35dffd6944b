/**
 * Inpainting in latents: an experiment like figure 10 of Spitznagel & Keuper (2026), with Noto emoji instead of faces. A picture
 * of 128×128 pixels has a square hole; a rule begins from the latents of the rest, on 16×16 cells, and its loss is that of the
 * decoded picture.
 *
 * The claim: the surroundings of a hole spread into it, step by step, and fit. The baseline is the mean of the surroundings.
 */
import {
  adam, cosineDecay, defineRule, drawInteger, filmStrip, foldIn, key, latentImages, latentTask, mlp, overWhite,
  publishedPerceptions, resize, rollout, scope, takeRole, tensorToImage, taskTrainer, warmUp, type Codec, type DataParams, type DataRule, type Examples,
  type Image, type Task,
} from '../src/index.ts'
import { again, notoCodec, pictures, shrinking, side } from './lib/codec.ts'
import { fileOf, iterationsOf, writePicture, type Context, type Row } from './lib/context.ts'
import { learn, summary, type Learned } from './lib/learn.ts'
import { judgeModel, listOf } from './lib/models.ts'
import { seedsInWords, type Report } from './lib/report.ts'

/** The side of a hole in pixels, and the steps in which it is filled. */
const hole = 40, steps = 32

const rule: DataRule = defineRule({
  channels: { latent: 8, hidden: 24 }, perceive: publishedPerceptions.combined, update: mlp(128, { activation: 'leakyRelu', lastStd: 1e-3 }),
  fireRate: 0.5,
})

export async function reproduceInpaint(context: Context): Promise<Report> {
  const { codec, learned: first, train, test } = await notoCodec(context)
  const learned = await trained(context, codec, train)
  const whole = pictures(test, side), task = latentTask(rule, whole, codec, { from: withHoles(whole) })
  const own = await judgeModel(context, '', learned, {
    rule, codec, data: { set: 'Noto Emoji' }, grid: side / shrinking, steps: [24, steps + 1],
    starts: { latent: scope(() => takeRole(rule, task.seeds([0, 1, 2, 3]), 'latent')) },
  }, {
    measure: ({ params, codec: stored = codec }) => judged(context, stored, params, test),
    shown: ({ errors }) => rowsOf(errors),
  })
  const { errors, strip } = own.measured, rows = rowsOf(errors)
  const [, mean, filled, least] = Object.values(errors), gained = 100 * (mean - filled) / (mean - least)
  await writePicture(context, 'pictures', strip)
  return { rows, text: numbers => `
# Holes that are filled in latents

Figure 10 of Spitznagel & Keuper (2026), "A New Kind of Network?", in kind: \`npm run reproduce -- inpaint\`.

${numbers}

A square of ${hole}×${hole} pixels is missing somewhere in the middle of each of ${test.length} pictures of ${side}×${side} that were not learnt from. The error is
that of red, green, blue and alpha. The mean is that of the ${ring} pixels around the hole. What the VQ-VAE makes of a whole picture is
the least to be hoped for. The rule goes ${gained.toFixed(0)} % of the way from the mean to it.

- VQ-VAE: ${summary(first)}.
- the rule: ${summary(learned)}.

What differs from the paper: emoji instead of faces, ${train.length.toLocaleString('en-US')} of them, of ${side}×${side} pixels enlarged from 64×64; ${seedsInWords(context)}.

${listOf(context, [own])}

Each row a picture: with its hole; what is decoded at the beginning, after a quarter, a half, and all of the ${steps} steps; the picture.

![pictures](${fileOf(context, 'pictures', 'png')})
` }
}

function rowsOf(errors: Readonly<Record<string, number>>): Row[] {
  return Object.entries(errors).map(([how, error]) => ({ 'the hole is': how, 'mean squared error in it': error.toFixed(4) }))
}

/** The first row and column of a picture's hole, at random in the middle part. */
function holeOf(i: number): [number, number] {
  const most = side - hole - side / 4
  return [0, 1].map(axis => drawInteger(foldIn(key(i), axis), side / 4, most + 1)) as [number, number]
}

const inHole = ([top, left]: readonly [number, number], y: number, x: number, more = 0): boolean =>
  y >= top - more && y < top + hole + more && x >= left - more && x < left + hole + more

/** The same pictures with empty holes. */
function withHoles({ n, shape, of }: Examples): Examples {
  return {
    n, shape,
    of(i) {
      const place = holeOf(i)
      return Float32Array.from(of(i), (v, at) => (inHole(place, Math.floor(at / 4 / side), Math.floor(at / 4) % side) ? 0 : v))
    },
  }
}

function trained(context: Context, codec: Codec, images: readonly Image[]): Promise<Learned> {
  const iterations = iterationsOf(context, 3000, 3)
  const whole = pictures(images, side), task = latentTask(rule, whole, codec, { from: withHoles(whole) })
  const trainer = taskTrainer({
    rule, task, batch: 8, steps: [24, steps + 1], clip: 1,
    optimiser: adam({ rate: warmUp(50, cosineDecay(1e-3, { length: iterations, final: 1e-4 })) }),
  })
  return learn(context, 'noto', trainer, {
    iterations, target: resize(images[0], side, side),
    paint: params => tensorToImage(scope(() => latentImages(rule, codec, rollout(rule, params, task.seeds([0]), key(0), { steps })))),
  })
}

/** The width in pixels of the ring around a hole whose mean is the baseline. */
const ring = 4

/** Errors in the holes of pictures, filled in several ways, and some of the pictures. */
async function judged(
  { seed }: Context, codec: Codec, params: DataParams, images: readonly Image[],
): Promise<{ errors: Readonly<Record<string, number>>; strip: Image }> {
  const whole = pictures(images, side), open = withHoles(whole)
  const task: Task = latentTask(rule, whole, codec, { from: open })
  const at = [steps / 4, steps / 2, steps], shown = new Set(Array.from({ length: 8 }, (_, i) => Math.floor((i + 0.5) * images.length / 8)))
  const sums = { 'left open': 0, 'the mean of what is around': 0, 'filled by the rule': 0, 'as the VQ-VAE has the whole picture': 0 }
  const strip: Image[] = []
  for (let i = 0; i < images.length; i++) {
    const first = task.seeds([i])
    const states = rollout(rule, params, first, key(seed), { steps, readouts: at })
    const made = scope(() => latentImages(rule, codec, states.at(-1)!))
    const own = again(codec, task.images!.real([i]))
    const place = holeOf(i), wanted = whole.of(i)
    sums['left open'] += errorIn(place, wanted, () => 0)
    const mean = meanAround(place, wanted)
    sums['the mean of what is around'] += errorIn(place, wanted, j => mean[j % 4])
    for (const [name, x] of [['filled by the rule', made], ['as the VQ-VAE has the whole picture', own]] as const) {
      const values = await x.data()
      sums[name] += errorIn(place, wanted, j => values[j])
    }
    if (!shown.has(i)) continue
    strip.push({ width: side, height: side, data: Float32Array.from(open.of(i)) })
    for (const x of [first, ...states]) strip.push(await tensorToImage(scope(() => latentImages(rule, codec, x))))
    strip.push(resize(images[i], side, side))
  }
  const errors = Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / images.length]))
  return { errors, strip: overWhite(filmStrip(strip, { columns: at.length + 3, gap: 4 })) }
}

function errorIn(place: readonly [number, number], wanted: ArrayLike<number>, filled: (at: number) => number): number {
  let sum = 0
  for (let at = 0; at < wanted.length; at++) {
    if (inHole(place, Math.floor(at / 4 / side), Math.floor(at / 4) % side)) sum += (filled(at) - wanted[at]) ** 2
  }
  return sum / (4 * hole * hole)
}

function meanAround(place: readonly [number, number], values: ArrayLike<number>): number[] {
  const sums = [0, 0, 0, 0]
  let n = 0
  for (let at = 0; at < values.length; at++) {
    const y = Math.floor(at / 4 / side), x = Math.floor(at / 4) % side
    if (!inHole(place, y, x, ring) || inHole(place, y, x)) continue
    sums[at % 4] += values[at]
    n += 0.25
  }
  return sums.map(sum => sum / n)
}
