/**
 * The models of other families than growing that Studio plays: small and short runs of what `npm run reproduce` does at
 * length, each in some minutes of one core.
 *
 *   npx tsx reproduce/studio-models.ts FOLDER-OF-DATA [digits | emoji | inside | texture …]
 *
 * `npm run data mnist` and `npm run data textures` fetch the data; the outlines of `inside` are made here. The files go to assets/studio.
 */
import { existsSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import {
  adam, add, classificationTask, conditionalTask, conv, cpu, defineRule, examplesOf, fit, foldIn, imageToImageTask,
  imageToTensor, key, mean, mlp, mul, padImage, recipes, resize, square, stack, stepDecay, sub, takeChannels, taskTrainer,
  tensor, textureTask, train, uniformAt,
} from '../src/index.ts'
import type { DataParams, DataRule, Examples, Trainer, TrainerState } from '../src/index.ts'
import { emoji, readMnist, readModel, readPng, saveModel } from '../src/node/index.ts'

type Family = {
  readonly rule: DataRule
  readonly trainer: Trainer<TrainerState<DataParams>>
  readonly iterations: number
  readonly provenance: Readonly<Record<string, string>>
}

const backend = cpu({ threads: Number(process.env.CELLGRAD_THREADS || 1) })
const decay = (rate: number, iterations: number): ReturnType<typeof adam> =>
  adam({ rate: stepDecay(rate, { at: [Math.round(0.7 * iterations), Math.round(0.9 * iterations)], factor: 0.3 }) })

/** Digits whose cells come to know which they are: the rule of Randazzo et al. without its noise. Goes on from a file that is there. */
async function digits(data: string): Promise<Family> {
  const rule = defineRule({ ...recipes.digits.rule, noise: null })
  const { images, labels } = await readMnist(join(data, 'mnist'))
  const shown = { ...examplesOf(images.subarray(0, 6000 * 784), [28, 28, 1]), labels: labels.subarray(0, 6000) }
  // The bundled file: 1,600 iterations at a rate of 1e-3, and from there these.
  const iterations = 4000
  const file = 'assets/studio/digits.safetensors'
  const begun = existsSync(file) ? { params: (await readModel(file, { backend })).params } : {}
  const task = classificationTask(rule, shown, { backend })
  return {
    rule, iterations, provenance: { data: 'MNIST, the first 6,000 of the training set', grid: '28', shows: 'classes' },
    trainer: taskTrainer({ rule, task, batch: 8, steps: [16, 24], normalise: true, optimiser: decay(2e-3, iterations), ...begun }),
  }
}

/** Five emoji by one rule, which is told which: conditional growing, with Sobel filters and a small grid. */
async function five(): Promise<Family> {
  const names = ['lizard', 'fish', 'butterfly', 'lady-beetle', 'christmas-tree']
  const rule = defineRule({
    channels: { rgba: 4, hidden: 12, condition: names.length }, frozen: ['condition'],
    perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(96), fireRate: 0.5, living: { channel: 3, above: 0.1 },
  })
  const pictures = await Promise.all(names.map(async one => imageToTensor(padImage(fit(await emoji(one), 20), 4), { backend })))
  const iterations = 1000
  return {
    rule, iterations, provenance: { conditions: names.join(' '), grid: '28' },
    trainer: taskTrainer({
      rule, task: conditionalTask(rule, stack(pictures)), batch: 4, steps: [28, 40], pool: 64, ranked: 'none', reseed: 1,
      damaged: 1, mutated: 1, normalise: true, optimiser: decay(2e-3, iterations),
    }),
  }
}

/**
 * The i-th drawing for `inside`, 1 where the pen was: a round blob or a polygon, closed, or, one in two, with a gap. It
 * is one curve round a centre, r(θ) = R (1 + a cos(2θ + α) + b cos(3θ + β)), of which a polygon knows few angles.
 */
function outline(i: number, size: number): Float32Array {
  const drawn = foldIn(key(28), i)
  let draws = 0
  const from = (low: number, high: number): number => low + (high - low) * uniformAt(drawn, draws++)
  const [cx, cy, radius] = [from(0.4, 0.6) * size, from(0.4, 0.6) * size, from(0.15, 0.45) * size]
  const [a, b, alpha, beta, start] = [from(0, 0.35), from(0, 0.2), from(0, 7), from(0, 7), from(0, 7)]
  const corners = from(0, 1) < 0.4 ? Math.floor(from(3, 7)) : 90
  const share = from(0, 1) < 0.5 ? 1 : 1 - from(0.2, 0.7) ** 2
  const pen = from(0, 1) < 0.5 ? 0.5 : 1.5 // the brushes of 1 and of 3 cells
  const corner = (n: number): [number, number] => {
    const angle = start + 2 * Math.PI * n / corners
    const r = radius * (1 + a * Math.cos(2 * angle + alpha) + b * Math.cos(3 * angle + beta))
    return [cx + r * Math.cos(angle), cy + r * Math.sin(angle)]
  }
  const image = new Float32Array(size * size)
  for (let t = 0; t < share; t += 1 / 540) {
    const n = Math.floor(t * corners), part = t * corners - n
    const [one, next] = [corner(n), corner(n + 1)]
    const [x, y] = [0, 1].map(axis => Math.round(one[axis] + part * (next[axis] - one[axis])))
    for (let v = Math.max(0, Math.ceil(y - pen)); v <= Math.min(size - 1, y + pen); v++) {
      for (let u = Math.max(0, Math.ceil(x - pen)); u <= Math.min(size - 1, x + pen); u++) image[v * size + u] = 1
    }
  }
  return image
}

/** Of every cell 0 outside, 1 on the line, 2 inside: outside is what a flood from the border of the grid reaches, edge by edge. */
function classesOf(image: Float32Array, size: number): Int32Array {
  const classes = Int32Array.from(image, ink => ink > 0 ? 1 : 2)
  const flood = Array.from({ length: size }, (_, i) => [i, i * size, i * size + size - 1, (size - 1) * size + i]).flat()
  while (flood.length > 0) {
    const cell = flood.pop()!
    if (classes[cell] !== 2) continue
    classes[cell] = 0
    const x = cell % size
    flood.push(...[x > 0 ? cell - 1 : -1, x < size - 1 ? cell + 1 : -1, cell - size, cell + size].filter(n => n >= 0 && n < size * size))
  }
  return classes
}

/** For each label the n numbers that are 1 at it and 0 elsewhere. */
function unitVectors(labels: Int32Array, n: number): Float32Array {
  return Float32Array.from({ length: n * labels.length }, (_, i) => +(labels[Math.floor(i / n)] === i % n))
}

/**
 * A segmentation: every cell comes to say whether it is outside of an outline, on the line, or inside, which no neighbourhood
 * shows: word must go from cell to cell. Drawings change under half of the states of the pool, so that what is inside
 * fills as an outline is closed, and leaks out through a gap. As in "Self-classifying MNIST Digits", the classes are asked
 * for as unit vectors and not by cross-entropy, under which scores would grow for ever.
 */
async function inside(): Promise<Family> {
  const size = 28
  const rule = defineRule({
    channels: { image: 1, hidden: 12, classes: 3 }, frozen: ['image'],
    perceive: [conv(32, { bias: true, activation: 'relu' })], update: mlp(48),
    bound: { type: 'clamp', low: -2, high: 2 },
  })
  const n = 4000
  const inputs: Examples = { n, shape: [size, size, 1], of: i => outline(i, size) }
  const outputs: Examples = { n, shape: [size, size, 3], of: i => unitVectors(classesOf(outline(i, size), size), 3) }
  const task = imageToImageTask(rule, { inputs, outputs }, {
    input: 'image', output: 'classes', backend,
    // Cells inside are few: they count more, or saying outside everywhere is where learning ends.
    loss: (y, wanted) => mean(mul(square(sub(y, wanted)), add(1, mul(2, takeChannels(wanted, 2, 3)))), [1, 2, 3]),
  })
  // The bundled file: 1,400 iterations on grids of 24 × 24 with fewer gaps, at a rate of 2e-3, and from there these.
  const iterations = 850
  const file = 'assets/studio/inside.safetensors'
  const begun = existsSync(file) ? { params: (await readModel(file, { backend })).params } : {}
  return {
    rule, iterations, provenance: { data: 'outlines made by reproduce/studio-models.ts', grid: String(size), classes: 'outside line inside' },
    trainer: taskTrainer({
      rule, task, batch: 8, steps: [16, 24], pool: 128, ranked: 'none', reseed: 1, mutated: 4, normalise: true,
      optimiser: decay(1e-3, iterations), ...begun,
    }),
  }
}

/** Bricks, from one photograph. */
async function texture(data: string): Promise<Family> {
  const { rule } = recipes.texture
  const side = 96
  const photograph = resize(await readPng(join(data, 'textures', 'brick.png')), side, side, 'area')
  const target = tensor(Float32Array.from({ length: 3 * side ** 2 }, (_, i) => photograph.data[4 * Math.floor(i / 3) + i % 3]), { shape: [side, side, 3], backend })
  const iterations = 700
  return {
    rule, iterations, provenance: { data: 'brick.png of scikit-image, CC0', grid: '96', brightness: '0.5' },
    trainer: taskTrainer({
      rule, task: textureTask(rule, target, { grid: [48, 48], levels: 3 }), batch: 2, steps: [32, 64], pool: 64, normalise: true,
      optimiser: decay(1e-3, iterations),
    }),
  }
}

const families = { digits, emoji: five, inside, texture }

const [data, ...names] = process.argv.slice(2)
for (const name of (names.length > 0 ? names : Object.keys(families)) as (keyof typeof families)[]) {
  const { rule, trainer, iterations, provenance } = await families[name](data)
  await mkdir('assets/studio', { recursive: true })
  let recent = 0
  for await (const { iteration, loss, seconds, state } of train(trainer, { iterations })) {
    recent = iteration === 1 ? loss : 0.98 * recent + 0.02 * loss
    if (iteration % 100 !== 0 && iteration < iterations) continue
    console.log(`${name} ${iteration}/${iterations} loss ${recent.toPrecision(3)} after ${seconds.toFixed(0)} s`)
    await saveModel(join('assets/studio', `${name}.safetensors`), {
      rule, params: state.params, provenance: { ...provenance, iterations: String(iteration), loss: recent.toPrecision(3) },
    })
  }
}
