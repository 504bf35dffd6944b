/**
 * Continuing the video of a moving digit: video transition, figures 15 and 16 of Spitznagel & Keuper (2026), section 3.4. The state
 * begins with the first k frames in k channels; every few steps these channels should show the frames one later. So a rule that
 * simply runs on makes a video of any length.
 *
 * Such videos become blurred for these reasons, with these remedies:
 *
 * - When predicted frames are the input of further predictions, errors accumulate. So rollouts in training are as long as the
 *   tested video, and the loss is taken of every frame instead of a single transition: the rule learns from its own output, as with
 *   the paper's pool.
 * - Cells that update at random do not know how often they have updated, so a picture that they move is smeared. Here all cells
 *   update in every step.
 * - Where frames do not say exactly how fast a digit moves, or where it will turn, nobody can predict where it will be: see
 *   `lib/moving-digit.ts`.
 * - All cells of a digit must turn at once when one side of it meets a wall, but news travels by one cell per step through 3×3 cells,
 *   and there are four steps from frame to frame. So cells also see 5×5 taps that are two cells apart: four cells per step.
 *
 * The measures are the error, compared with that of the guess that nothing moves, and whether a reader trained on real frames
 * reads the digit in the predicted ones.
 */
import { join } from 'node:path'
import {
  conv, cosineDecay, defineRule, filmStrip, foldIn, gather, key, mlp, mse, muon, rollout, scope, setChannels, takeRole, taskTrainer, tensor,
  upscale, warmUp, zeros, type DataParams, type DataRule, type Image, type Task, type Tensor,
  type Trainer, type TrainerState,
} from '../src/index.ts'
import { readMnist, type Mnist } from '../src/node/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context, type Row } from './lib/context.ts'
import { learn, summary } from './lib/learn.ts'
import { judgeModel, listOf } from './lib/models.ts'
import { centred, digit, frameOf, side, videoOf, type Video } from './lib/moving-digit.ts'
import { grey } from './lib/pictures.ts'
import { linesSvg } from './lib/plot.ts'
import { trainReader, type Reader } from './lib/reader.ts'
import { seedsInWords, type Report } from './lib/report.ts'

/** The numbers of input frames and of predicted frames, and of steps from one frame to the next. */
const given = 4, made = 10, pace = 4

/** Frames of the first training rollouts: with a loss on all frames from the start, the rule would first learn to show no digit. */
const few = 3

const cells = side * side, hidden = 16, videos = 100_000

const rule: DataRule = defineRule({
  channels: { frames: given, hidden }, padding: 'zero', fireRate: 1,
  perceive: [conv(32, { bias: true, activation: 'leakyRelu' }), conv(24, { bias: true, activation: 'leakyRelu', size: 5, dilation: 2 })],
  update: mlp(64, { activation: 'leakyRelu', lastStd: 1e-3 }),
})

/** The steps at which frames must be ready. */
const ready = Array.from({ length: made }, (_, i) => pace * (i + 1))

export async function reproduceVideo(context: Context): Promise<Report> {
  const { seed, quick } = context
  const folder = join(context.data, 'mnist'), run = key(seed)
  const train = await readMnist(folder), unseen = await readMnist(folder, { train: false })
  const lesson = (id: number): Video => videoOf(train, foldIn(run, 0), id, given + made)
  const show = {
    target: grey(frameOf(lesson(0), given + made - 1), side),
    paint: async (params: DataParams) => grey((await continued(params, taskOf(lesson, made).seeds([0]))).at(-1)!, side),
  }
  const [early, late] = [quick ? 3 : 2500, iterationsOf(context, 3000, 3)]
  const { params, ...begun } = await learn(context, 'few', trainerOf(lesson, { count: few, iterations: early, rate: 4e-3 }), { iterations: early, ...show })
  const then = await learn(context, 'all', trainerOf(lesson, { count: made, iterations: late, rate: 2e-3, params }), { iterations: late, ...show })
  const learned = { ...then, losses: [...begun.losses, ...then.losses], seconds: begun.seconds + then.seconds }

  const reader = readerOf(train, foldIn(run, 1), quick ? 300 : 20_000, quick ? 30 : 6000)
  const tests = Array.from({ length: quick ? 4 : 200 }, (_, id) => videoOf(unseen, foldIn(run, 2), id, given + made))
  const seeds = taskOf(id => tests[id], made).seeds(tests.map((_, id) => id))
  const own = await judgeModel(context, '', learned, {
    rule, data: { set: 'MNIST' }, grid: side, steps: [made * pace, made * pace + 1],
    starts: { frames: scope(() => gather(takeRole(rule, seeds, 'frames'), [0, 1], 0)) },
  }, {
    measure: async ({ params }) => {
      const frames = await continued(params, seeds)
      return { frames, rows: await judge(tests, frames, reader) }
    },
    shown: ({ rows }) => rows,
  })
  const { frames, rows } = own.measured
  const points = (name: string) => rows.map(row => ({ x: Number(row['frame made']), y: Number(row[name]) }))
  for (const [part, title, names] of [
    ['error', 'mean squared error', ['MSE', 'MSE, nothing moves']], ['read', 'digits read right, %', ['read right, %', 'of real frames, %']],
  ] as const) {
    const series = names.map(name => ({ name, points: points(name) }))
    await writeSvg(context, part, await linesSvg(series, { title: 'Frames made from own frames', xLabel: 'frame', yLabel: title }))
  }
  await writePicture(context, 'frames', sheet(tests.slice(0, 4), frames))
  return { rows, text: numbers => `
# A moving digit that goes on moving

Figures 15 and 16 of Spitznagel & Keuper (2026), "A New Kind of Network?", after MovingMNIST (Srivastava et al. 2015), made from real
MNIST: \`npm run reproduce -- video\`. From ${given} frames the rule makes the next one every ${pace} steps, and goes on.

${numbers}

${summary(learned)}; judged on ${tests.length} videos of digits from the test set, of ${seedsInWords(context)}. The reader sees the ${digit}×${digit} pixels
around the centre of a frame, and has learnt from real ones.

What differs from the paper, which shows such videos and gives no numbers: one digit, since two that lie upon one another nobody
could read; ${digit}×${digit} pixels of ${side}×${side}; every frame of a rollout of ${made} (in the first ${early.toLocaleString('en-US')} iterations of ${few}) is judged in
training, in the place of single transitions from a pool; Muon in the place of Adam; all cells update in every step; cells see 3×3 cells
and 5×5 taps that are two cells apart; and digits move in eight directions by whole pixels until their ink meets a wall, so that
frames say exactly where they go.

${listOf(context, [own])}

![error by frame](${fileOf(context, 'error', 'svg')})

![reading by frame](${fileOf(context, 'read', 'svg')})

Four test videos, each above what the rule makes of their first ${given} frames:

![frames](${fileOf(context, 'frames', 'png')})
` }
}

/** Rollouts over `count` frames, by Muon with this first rate, from these parameters on or from new ones. */
type Training = { readonly count: number; readonly iterations: number; readonly rate: number; readonly params?: DataParams }

function trainerOf(video: (id: number) => Video, { count, iterations, rate, params }: Training): Trainer<TrainerState<DataParams>> {
  return taskTrainer({
    rule, task: taskOf(video, count), params, batch: 8, steps: [count * pace, count * pace + 1], readouts: ready.slice(0, count), clip: 1,
    optimiser: muon({ rate: warmUp(30, cosineDecay(rate, { length: iterations, final: rate / 100 })) }),
  })
}

/** The task of continuing the first frames for `count` frames: readout i should show the frames i + 1 later. */
function taskOf(video: (id: number) => Video, count: number): Task {
  const from = (ids: readonly number[], t: number): Tensor => tensor(
    Float32Array.from(ids.flatMap(id => {
      const { frames } = video(id)
      return Array.from({ length: cells * given }, (_, i) => frames[(t + i % given) * cells + Math.floor(i / given)])
    })), { shape: [ids.length, side, side, given] },
  )
  return {
    examples: videos,
    readouts: count,
    seeds: ids => scope(() => setChannels(rule, zeros([ids.length, side, side, given + hidden]), { frames: from(ids, 0) })),
    loss: (x, ids, _key, readout = count - 1) => mse(takeRole(rule, x, 'frames'), from(ids, readout + 1)),
  }
}

/** The frames that a rule predicts from states, in order of time; each has the frames of all videos, from 0 to 1. */
async function continued(params: DataParams, x: Tensor): Promise<Float32Array[]> {
  const newest = scope(() => rollout(rule, params, x, key(0), { steps: made * pace, readouts: ready }).map(state =>
    gather(takeRole(rule, state, 'frames'), [given - 1], 3)))
  return Promise.all(newest.map(async frame => Float32Array.from(await frame.data(), v => Math.min(Math.max(v, 0), 1))))
}

/** A reader of frames with a digit in the middle. */
function readerOf(digits: Mnist, k: ReturnType<typeof key>, count: number, iterations: number): Reader {
  const list = Array.from({ length: count }, (_, id) => videoOf(digits, k, id, 1))
  return trainReader(together(list.map(({ frames }) => centred(frames))), list.map(({ label }) => label), { pixels: digit * digit, iterations })
}

async function judge(tests: readonly Video[], frames: readonly Float32Array[], reader: Reader): Promise<Row[]> {
  const labels = tests.map(({ label }) => label)
  const read = (list: readonly Float32Array[]): Promise<number> => reader.accuracy(together(list.map(centred)), labels)
  const still = together(tests.map(video => frameOf(video, given - 1)))
  const rows: Row[] = []
  for (const [i, own] of frames.entries()) {
    const truth = tests.map(video => frameOf(video, given + i)), all = together(truth)
    rows.push({
      'frame made': i + 1,
      'MSE': meanSquare(own, all).toFixed(4),
      'MSE, nothing moves': meanSquare(still, all).toFixed(4),
      'read right, %': (await read(tests.map((_, n) => own.subarray(n * cells, (n + 1) * cells)))).toFixed(1),
      'of real frames, %': (await read(truth)).toFixed(1),
    })
  }
  return rows
}

function meanSquare(x: Float32Array, y: Float32Array): number {
  return x.reduce((sum, v, i) => sum + (v - y[i]) ** 2, 0) / x.length
}

function together(list: readonly Float32Array[]): Float32Array {
  const all = new Float32Array(list.length * list[0].length)
  list.forEach((values, i) => all.set(values, i * values.length))
  return all
}

/** Each video, above the continuation of its first frames. */
function sheet(tests: readonly Video[], frames: readonly Float32Array[]): Image {
  const strips = tests.flatMap((video, n) => {
    const real = Array.from({ length: given + made }, (_, t) => frameOf(video, t))
    return [...real, ...real.slice(0, given), ...frames.map(frame => frame.slice(n * cells, (n + 1) * cells))]
  })
  return filmStrip(strips.map(frame => upscale(grey(frame, side), 2)), { columns: given + made, gap: 2 })
}
