/**
 * Stereo depth: from a left and a right picture, a rule should compute the depth of every cell. It learns from synthetic scenes
 * (`lib/stereo.ts`), and is tested on other synthetic scenes and on a real pair, none of which it has seen.
 *
 * A cell whose depth differs from that of its neighbours is wrong unless there is an edge: cells must exchange messages to agree.
 * The loss leaves half of the scale free (Eigen et al. 2014). There are two baselines without learning:
 *
 *   plane            log depth = α + β x + γ y, fitted by least squares to the true depth of each scene, unknown to the rule
 *   best of 5×5      the disparity with the least cost summed over 5×5 cells: a stereo matcher without refinements
 */
import { join } from 'node:path'
import {
  absRel, adam, conv, cosineDecay, defineRule, depthDelta, examplesOf, filmStrip, greater, imageToImageTask, key, mlp, predict,
  scaleInvariant, scope, takeRole, taskTrainer, tensor, upscale, warmUp, type DataParams, type DataRule, type Image, type Task,
} from '../src/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context, type Row } from './lib/context.ts'
import { averaged, learn, summary } from './lib/learn.ts'
import { judgeModel, listOf } from './lib/models.ts'
import { grey } from './lib/pictures.ts'
import { linesSvg } from './lib/plot.ts'
import type { Report } from './lib/report.ts'
import { depthOf, disparities, inputs, madeScenes, realScene, type Scenes } from './lib/stereo.ts'

const height = 32, width = 48, steps = 24

const rule: DataRule = defineRule({
  channels: { input: inputs, output: 1, hidden: 14 }, frozen: ['input'], fireRate: 0.5, padding: 'replicate',
  perceive: [conv(32, { bias: true, activation: 'leakyRelu' })], update: mlp(48, { activation: 'leakyRelu', lastStd: 1e-3 }),
})

export async function reproduceDepth(context: Context): Promise<Report> {
  const real = await realScene(join(context.data, 'stereo'))
  const train = madeScenes(key(2 * context.seed), context.quick ? 8 : 1000, height, width)
  const test = madeScenes(key(2 * context.seed + 1), context.quick ? 4 : 64, height, width)
  const iterations = iterationsOf(context, 4000, 10)
  const trainer = taskTrainer({
    rule, task: taskOf(train), batch: 4, steps: [steps - 8, steps + 1], normalise: true,
    optimiser: adam({ rate: warmUp(50, cosineDecay(2e-3, { length: iterations, final: 1e-4 })) }),
  })
  const learned = await learn(context, 'stereo', trainer, {
    iterations, target: depths(train.depth.subarray(0, height * width), width),
    paint: async params => depths(await said(params, { ...train, n: 1 }, context.seed), width),
  })

  const own = await judgeModel(context, '', learned, {
    rule, data: { set: 'made scenes', loss: 'depth' }, steps: [steps - 8, steps + 1],
    starts: { input: tensor(test.given.slice(0, height * width * inputs), { shape: [1, height, width, inputs] }) },
  }, {
    measure: async ({ params }) => {
      const rows: Row[] = []
      const made: Record<string, Float32Array[]> = {}
      for (const [name, scenes] of Object.entries({ 'made scenes': test, 'motorcycle': real })) {
        const guesses = { rule: await said(params, scenes, context.seed), plane: planes(scenes), 'best of 5×5': matched(scenes) }
        made[name] = Object.values(guesses)
        for (const [by, guess] of Object.entries(guesses)) {
          rows.push({ 'judged by': name, 'depth': by, ...errors(guess, scenes) })
        }
      }
      return { rows, made }
    },
    shown: ({ rows }) => rows,
  })
  const { rows, made } = own.measured
  await writePicture(context, 'scenes', sheet(test, made['made scenes'], Math.min(5, test.n), 2))
  // There is no licence to redistribute pictures of the motorcycle, so they stay in the working folder.
  await writePicture({ ...context, out: context.work }, 'motorcycle', sheet(real, made.motorcycle, 1, 2))
  await writeSvg(context, 'loss', await linesSvg([{ name: 'loss', points: averaged(learned.losses) }], {
    title: 'Learning depth', xLabel: 'iteration', yLabel: 'scale-invariant loss', log: true,
  }))
  return { rows, text: (numbers, all) => `
# How far away things are

Depth from two pictures, learnt from scenes that are made: \`npm run reproduce -- depth\`. Judged by scenes that are made by another
seed, and by a real pair of pictures: the motorcycle of Middlebury's benchmark (Scharstein et al., "High-resolution stereo
datasets with subpixel-accurate ground truth", GCPR 2014; scikit-image's copy), an eighth of its size.

${numbers}

abs-rel is the mean of |depth − truth| / truth, δ₁ the per cent of cells within a factor of 1.25, both over the cells whose depth is
known. The abs-rel of the rule is ${besides(all, 'made scenes')} on made scenes, and ${besides(all, 'motorcycle')} on the
motorcycle. The plane is fitted to the true depth of each scene, so it is the best plane that there is. *best of 5×5* is the disparity
whose costs, summed over 5×5 cells, are least.

${summary(learned)}, ${train.n} scenes of ${height}×${width} cells; ${steps} steps; judged on ${test.n} scenes, and on one
of ${real.height}×${real.width} cells. There is no published number for this task: NCALab (Krumb et al. 2025) shows depth as one
of its tasks, from single pictures of an endoscope, which are not within reach; here there are two pictures, whose costs the rule is given.

${listOf(context, [own])}

![loss](${fileOf(context, 'loss', 'svg')})

Each row a scene that was not learnt from, near is dark: the left picture, the true depth, what the rule says, the plane, the best of 5×5:

![scenes](${fileOf(context, 'scenes', 'png')})
` }
}

/** The rule's error beside those of the baselines, on some of the scenes. */
function besides(rows: readonly Row[], scenes: string): string {
  const [rule, plane, matcher] = rows.filter(row => row['judged by'] === scenes).map(row => Number.parseFloat(String(row['abs-rel'])))
  return `${(rule / plane).toFixed(2)} times that of the plane and ${(rule / matcher).toFixed(2)} times that of the best of 5×5`
}

function taskOf({ given, depth, height: h, width: w }: Scenes): Task {
  const pairs = { inputs: examplesOf(given, [h, w, inputs]), outputs: examplesOf(depth, [h, w, 1]) }
  return imageToImageTask(rule, pairs, { loss: (y, wanted) => scaleInvariant(y, wanted, { mask: greater(wanted, 0) }) })
}

/** The depths that the rule computes, in metres. */
async function said(params: DataParams, scenes: Scenes, seed: number): Promise<Float32Array> {
  const examples = Array.from({ length: scenes.n }, (_, i) => i)
  const logs = scope(() => takeRole(rule, predict(rule, taskOf(scenes), params, { steps, examples, key: key(seed), batch: 8 }), 'output'))
  return Float32Array.from(await logs.data(), Math.exp)
}

function errors(guess: Float32Array, { depth }: Scenes): Record<string, string> {
  const known = [...depth.keys()].filter(i => depth[i] > 0)
  const [x, y] = [guess, depth].map(list => tensor(Float32Array.from(known, i => list[i]), { shape: [1, known.length] }))
  return {
    'abs-rel': scope(() => absRel(x, y)).toArray()[0].toFixed(4),
    'δ₁, %': (100 * scope(() => depthDelta(x, y)).toArray()[0]).toFixed(1),
  }
}

/** The disparity with the least cost over 5×5 cells, as depth. */
function matched({ given, n, height: h, width: w }: Scenes): Float32Array {
  const within = (v: number, size: number): number => Math.min(Math.max(v, 0), size - 1)
  return Float32Array.from({ length: n * h * w }, (_, p) => {
    const scene = Math.floor(p / (h * w)), y = Math.floor(p / w) % h, x = p % w
    const sums = disparities.map((_, d) => {
      let sum = 0
      for (let v = -2; v <= 2; v++) {
        for (let u = -2; u <= 2; u++) sum += given[((scene * h + within(y + v, h)) * w + within(x + u, w)) * inputs + d]
      }
      return sum
    })
    return depthOf(disparities[sums.indexOf(Math.min(...sums))])
  })
}

/** The plane of log depth of each scene, by its normal equations. */
function planes({ depth, n, height: h, width: w }: Scenes): Float32Array {
  const fitted = new Float32Array(depth.length)
  for (let scene = 0; scene < n; scene++) {
    const at = scene * h * w
    const row = (p: number): number[] => [1, (p % w) / w - 0.5, Math.floor(p / w) / h - 0.5]
    const equations = [0, 1, 2].map(() => [0, 0, 0, 0])
    for (let p = 0; p < h * w; p++) {
      if (depth[at + p] === 0) continue
      const known = [...row(p), Math.log(depth[at + p])]
      for (let i = 0; i < 3; i++) for (let j = 0; j < 4; j++) equations[i][j] += known[i] * known[j]
    }
    const plane = solved(equations)
    for (let p = 0; p < h * w; p++) fitted[at + p] = Math.exp(row(p).reduce((sum, v, i) => sum + v * plane[i], 0))
  }
  return fitted
}

/** Solves A x = b for positive definite A, given as rows [A b], by elimination. */
function solved(rows: readonly (readonly number[])[]): number[] {
  const left = rows.map(row => [...row]), n = left.length
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < n; k++) {
      if (k === i) continue
      const factor = left[k][i] / left[i][i]
      for (let j = i; j <= n; j++) left[k][j] -= factor * left[i][j]
    }
  }
  return left.map((row, i) => row[n] / row[i])
}

/** Depths from 2 to 5 m, near is dark. */
function depths(metres: ArrayLike<number>, w: number): Image {
  return grey(Array.from(metres, v => (v - 2) / 3), w)
}

function sheet({ left, depth, n, height: h, width: w }: Scenes, guesses: readonly Float32Array[], count: number, scale: number): Image {
  const rows = Array.from({ length: count }, (_, i) => {
    const at = Math.floor((i + 0.5) * n / count) * h * w
    const cut = (list: Float32Array): Float32Array => list.subarray(at, at + h * w)
    return [grey(cut(left), w), ...[depth, ...guesses].map(list => depths(cut(list), w))]
  })
  return filmStrip(rows.flat().map(image => upscale(image, scale)), { columns: guesses.length + 2, gap: 4 })
}
