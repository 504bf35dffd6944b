/**
 * The models of Studio that are not growing ones: small and short versions of what `npm run reproduce` does at length. Each is
 * trained from scratch in a few minutes on one core, through all stages if there are several.
 *
 *   npx tsx reproduce/studio-models.ts FOLDER-OF-DATA [emoji | inside | texture …] [--out FOLDER] [--iterations N]
 *
 * `npm run data textures` fetches the data; the outlines of `inside` come from lib/outlines.ts. The files go to assets/studio, or
 * to --out; --iterations limits each stage, to check that it works. judge-inside.ts measures how good the segmentation is.
 */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import {
  adam, add, conditionalTask, conv, cpu, defineRule, fit, imageToImageTask,
  imageToTensor, mean, mlp, mul, padImage, recipes, resize, scope, square, stack, stepDecay, sub, takeChannels, taskTrainer,
  textureTask, train, type DataParams, type DataRule, type Examples, type Trainer, type TrainerState,
} from '../src/index.ts'
import { emoji, readPng, saveModel } from '../src/node/index.ts'
import { classesOf, outline } from './lib/outlines.ts'

/** A stage of a training: a number of iterations, and a trainer that begins with the given parameters or new ones. */
type Stage = { readonly iterations: number; trainer(begun: { params?: DataParams }): Trainer<TrainerState<DataParams>> }

type Family = {
  readonly rule: DataRule
  readonly stages: readonly Stage[]
  readonly provenance: Readonly<Record<string, string>>
}

const backend = cpu({ threads: Number(process.env.CELLGRAD_THREADS || 1) })
const decay = (rate: number, iterations: number): ReturnType<typeof adam> =>
  adam({ rate: stepDecay(rate, { at: [Math.round(0.7 * iterations), Math.round(0.9 * iterations)], factor: 0.3 }) })

/** Five emoji grown by one rule: conditional growing, with Sobel filters and a small grid. */
async function five(): Promise<Family> {
  const names = ['lizard', 'fish', 'butterfly', 'lady-beetle', 'christmas-tree']
  const rule = defineRule({
    channels: { rgba: 4, hidden: 12, condition: names.length }, frozen: ['condition'],
    perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(96), fireRate: 0.5, living: { channel: 3, above: 0.1 },
  })
  const pictures = await Promise.all(names.map(async one => imageToTensor(padImage(fit(await emoji(one), 20), 4), { backend })))
  const iterations = 1000
  return {
    rule, provenance: { conditions: names.join(' '), grid: '28' },
    stages: [{
      iterations,
      trainer: begun => taskTrainer({
        rule, task: conditionalTask(rule, stack(pictures)), batch: 4, steps: [28, 40], pool: 64, ranked: 'none', reseed: 1,
        damaged: 1, mutated: 1, normalise: true, optimiser: decay(2e-3, iterations), ...begun,
      }),
    }],
  }
}

/** One-hot vectors of n numbers, one for each label. */
function unitVectors(labels: Int32Array, n: number): Float32Array {
  return Float32Array.from({ length: n * labels.length }, (_, i) => +(labels[Math.floor(i / n)] === i % n))
}

/**
 * A segmentation: every cell should find out whether it is outside of an outline, on the line, or inside. No neighbourhood shows
 * that, so messages must go from cell to cell. The drawings of half of the pool's states change, so that the rule learns to fill
 * an outline when it is closed, and to drain it through a gap. As in "Self-classifying MNIST Digits", the loss is the squared
 * error to one-hot vectors and not the cross-entropy, under which scores would grow for ever. Training begins on a smaller grid,
 * where messages have less far to go, with fewer gaps.
 */
async function inside(): Promise<Family> {
  const rule = defineRule({
    channels: { image: 1, hidden: 12, classes: 3 }, frozen: ['image'],
    perceive: [conv(32, { bias: true, activation: 'relu' })], update: mlp(48),
    bound: { type: 'clamp', low: -2, high: 2 },
  })
  const n = 4000
  const stage = (iterations: number, rate: number, size: number, gaps: number): Stage => {
    const drawn = (i: number): Float32Array => outline(i, size, gaps)
    const inputs: Examples = { n, shape: [size, size, 1], of: drawn }
    const outputs: Examples = { n, shape: [size, size, 3], of: i => unitVectors(classesOf(drawn(i), size), 3) }
    const task = imageToImageTask(rule, { inputs, outputs }, {
      input: 'image', output: 'classes', backend,
      // Cells inside are few. If they did not count more, training would get stuck at predicting outside everywhere.
      loss: (y, wanted) => mean(mul(square(sub(y, wanted)), add(1, mul(2, takeChannels(wanted, 2, 3)))), [1, 2, 3]),
    })
    return {
      iterations,
      trainer: begun => taskTrainer({
        rule, task, batch: 8, steps: [16, 24], pool: 128, ranked: 'none', reseed: 1, mutated: 4, normalise: true,
        optimiser: decay(rate, iterations), ...begun,
      }),
    }
  }
  return {
    rule, stages: [stage(1400, 2e-3, 24, 0.25), stage(850, 1e-3, 28, 0.5)],
    provenance: { data: 'outlines made by reproduce/lib/outlines.ts', grid: '28', classes: 'outside line inside' },
  }
}

/** Bricks, from one photograph. */
async function texture(data: string): Promise<Family> {
  const { rule } = recipes.texture
  const side = 96
  const photograph = resize(await readPng(join(data, 'textures', 'brick.png')), side, side, 'area')
  const target = scope(() => takeChannels(imageToTensor(photograph, { backend }), 0, 3))
  const iterations = 700
  return {
    rule, provenance: { data: 'brick.png of scikit-image, CC0', grid: '96', brightness: '0.5' },
    stages: [{
      iterations,
      trainer: begun => taskTrainer({
        rule, task: textureTask(rule, target, { grid: [48, 48], levels: 3 }), batch: 2, steps: [32, 64], pool: 64, normalise: true,
        optimiser: decay(1e-3, iterations), ...begun,
      }),
    }],
  }
}

const families = { emoji: five, inside, texture }

const { values: { out, iterations: most }, positionals: [data, ...names] } = parseArgs({
  allowPositionals: true,
  options: { out: { type: 'string', default: 'assets/studio' }, iterations: { type: 'string', default: 'Infinity' } },
})
await mkdir(out, { recursive: true })
for (const name of (names.length > 0 ? names : Object.keys(families)) as (keyof typeof families)[]) {
  const { rule, stages, provenance } = await families[name](data)
  let params: DataParams | undefined
  let done = 0
  for (const [i, stage] of stages.entries()) {
    const iterations = Math.min(stage.iterations, Number(most))
    let recent = 0
    for await (const { iteration, loss, seconds, state } of train(stage.trainer(params ? { params } : {}), { iterations })) {
      recent = iteration === 1 ? loss : 0.98 * recent + 0.02 * loss
      params = state.params
      if (iteration % 100 !== 0 && iteration < iterations) continue
      console.log(`${name}, stage ${i + 1} of ${stages.length}, ${iteration}/${iterations} loss ${recent.toPrecision(3)} after ${seconds.toFixed(0)} s`)
      await saveModel(join(out, `${name}.safetensors`), {
        rule, params, provenance: { ...provenance, iterations: String(done + iteration), loss: recent.toPrecision(3) },
      })
    }
    done += iterations
  }
}
