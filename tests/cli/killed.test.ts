// Every kind of training, killed with -9 at a random moment, ends with the same bits as one that was left alone.
//
// A killed run leaves behind what is on the disk, which changes only when a file gets its name or metrics.jsonl a line. So the
// moments that differ are those between two such changes, and a process kills itself at one of them. (resume.test.ts kills from
// outside, at moments of the clock.)
//
//     CELLGRAD_SEED=1234 npx vitest run tests/cli/killed.test.ts     the moments of runs that failed

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { beforeAll, expect, it, vi } from 'vitest'
import { drawInteger, encodeNpy, foldIn, key, uniform } from '../../src/index.ts'
import { encodePng, readCheckpoint, readModel } from '../../src/node/index.ts'
import { long } from '../long.ts'
import { seed } from '../seed.ts'
import { runHere } from './here.ts'
import { asModule, run, temporaryFolder } from './run.ts'

vi.setConfig({ testTimeout: 180_000 })
const folder = temporaryFolder()
const kills = long ? 4 : 1

const perceive = 'perceive: [identity, sobelX]'
const update = 'update: { hidden: 4, lastStd: 0.3 }'
const learned = 'perceive: [identity, { type: conv, outputs: 3, bias: true }]'
const pictures = `channels: { input: 3, hidden: 2, output: 1 }, frozen: [input], fireRate: 0.5, ${update}`
const shared = 'batch: 3, steps: [3, 6], iterations: 6'
const adam = 'optimiser: { type: adam, rate: 0.01 }'

/** Trainings of every task, which together have everything that a training carries from one iteration to the next. */
const trainings: Readonly<Record<string, string>> = {
  'growing, damaged': `data: { target: spot.png, size: 5, padding: 1 }
rule: { channels: { rgba: 4, hidden: 2 }, living: { channel: 3, above: 0.1 }, ${learned}, ${update}, fireRate: 0.5 }
train: { ${shared}, ${adam}, pool: 6, reseed: 1, damaged: 1, accumulate: 2, warmUp: { iterations: 4, from: [1, 3] } }`,
  'conditional, mutated': `task: conditional
data: { targets: [🦎, spot.png], size: 5, padding: 1 }
rule: { channels: { rgba: 4, hidden: 2, condition: 2 }, frozen: [condition], ${perceive}, ${update} }
train: { ${shared}, ${adam}, pool: 6, write: fifo, ranked: none, fromPool: { from: 0.2, to: 1, delay: 1, iterations: 3 }, mutated: 1, damaged: 1 }`,
  trajectory: `task: trajectory
data: { targets: [🦎, spot.png], size: 5, padding: 1 }
rule: { channels: { rgba: 4, hidden: 2 }, ${perceive}, ${update}, fireRate: 0.5 }
train: { ${shared}, ${adam}, readouts: [1, 2] }`,
  'classification with a head, validated': `task: classification
data: { images: classes, size: 6, loss: head }
rule: { channels: { image: 1, hidden: 2, classes: 2 }, frozen: [image], ${perceive}, ${update}, head: { outputs: 2, network: { hidden: [4] } } }
validate: { every: 1, folds: 3, metric: accuracyOfImages, patience: 4 }
train: { ${shared}, ${adam}, pool: 6, mutated: 1, ranked: none, reseed: 1 }`,
  'a critic and dropped conditions, validated': `task: imageToImage
data: { inputs: photos, outputs: masks }
rule: { ${pictures}, ${learned} }
validate: { every: 1, folds: 2 }
train: { ${shared}, ${adam}, critic: { widths: [4], steps: 2, lossWeight: 1 }, dropped: 0.4 }`,
  'a cascade': `task: imageToImage
data: { inputs: photos, outputs: masks }
rule: { ${pictures}, ${perceive} }
validate: { every: 3, folds: 2 }
train: { ${shared}, ${adam}, cascade: [{ scale: 4, steps: 1 }, { scale: 2, steps: 1 }], pool: 4, mutated: 1 }`,
  denoising: `task: denoising
data: { images: photos }
rule: { channels: { noisy: 3, level: 1, output: 3, hidden: 2 }, frozen: [noisy, level], ${perceive}, ${update} }
validate: { every: 2, folds: 3 }
train: { ${shared}, optimiser: { type: sgd, rate: 0.01, momentum: 0.9 } }`,
  'video, carried on': `task: video
data: { frames: frames.npy, k: 2, carry: true }
rule: { channels: { input: 2, hidden: 2, output: 2 }, frozen: [input], ${perceive}, ${update} }
train: { ${shared}, ${adam}, pool: 6, reseed: 1, ranked: none }`,
  latents: `task: latent
data: { targets: [spot.png, a.png], size: 8, padding: 2, autoencoder: { images: photos, widths: [4, 6], code: { type: vq, entries: 8 }, iterations: 6, batch: 2 } }
rule: { channels: { latent: 2, hidden: 2, condition: 2 }, frozen: [condition], ${perceive}, ${update} }
train: { ${shared}, ${adam}, pool: 4, reseed: 1, mutated: 1, critic: { widths: [4], steps: 1, lossWeight: 1 } }`,
  'latents of a variational autoencoder': `task: latent
data: { targets: [spot.png], from: [a.png], size: 8, padding: 2, autoencoder: { widths: [4, 6], code: { type: vae }, iterations: 6, batch: 2 } }
rule: { channels: { latent: 2, hidden: 2 }, ${perceive}, ${update} }
train: { ${shared}, ${adam} }`,
  texture: `task: texture
data: { image: spot.png, size: 16, levels: 1 }
rule: { channels: { rgb: 3, hidden: 2 }, padding: circular, fireRate: 0.5, ${perceive}, ${update} }
train: { ${shared}, ${adam}, pool: 6, reseed: 1, trainable: last }`,
}

beforeAll(async () => {
  const picture = async (path: string, n: number, size = 8): Promise<void> => {
    const data = Float32Array.from(uniform(key(n), [size * size * 4]).toArray(), (x, i) => (i % 4 === 3 ? 1 : x))
    await writeFile(folder(path), encodePng({ width: size, height: size, data }))
  }
  for (const [n, name] of ['classes/a', 'classes/b', 'photos', 'masks'].entries()) {
    await mkdir(folder(name), { recursive: true })
    for (let i = 0; i < 4; i++) await picture(`${name}/${i}.png`, 4 * n + i)
  }
  for (const [name, text] of Object.entries(trainings)) await writeFile(folder(`${name}.yaml`), `${text}\nsaveEvery: 2\nreport: { metrics: [loss] }\n`)
  await picture('spot.png', 16, 20)
  await picture('a.png', 17)
  await writeFile(folder('frames.npy'), encodeNpy({ shape: [2, 8, 4, 4], data: Float32Array.from(uniform(key(18), [256]).toArray()) }))
})

/** A module that kills its process with -9 before it changes the disk for the nth time; of a line, half is written. */
const dying = (n: number): string => asModule(`import fs from 'node:fs/promises'
  import { syncBuiltinESMExports } from 'node:module'
  let count = 0
  const dies = () => { if (++count === ${n}) process.kill(process.pid, 'SIGKILL') }
  const file = await fs.open(process.execPath)
  const prototype = Object.getPrototypeOf(file)
  await file.close()
  const { rename } = fs, { appendFile } = prototype
  fs.rename = async (...paths) => { dies(); return rename(...paths) }
  prototype.appendFile = async function (text) {
    const half = text.length >> 1
    await appendFile.call(this, text.slice(0, half))
    dies()
    return appendFile.call(this, text.slice(half))
  }
  syncBuiltinESMExports()`)

/** The words of a command that trains in a folder, or resumes what is there. */
const training = (name: string, out: string): string[] => (
  ['train', ...(existsSync(folder(out, 'config.yaml')) ? ['--resume', out] : [`${name}.yaml`, '--out', out])])

/** Trains in a process that dies before its nth change of the disk. */
async function killed(name: string, out: string, n: number): Promise<void> {
  expect(await run(training(name, out), { cwd: folder(), imports: [dying(n)] })).toMatchObject({ signal: 'SIGKILL', err: '' })
}

/** Trains to the end, here; returns what the run has made. */
async function goOn(name: string, out: string): Promise<Record<string, unknown>> {
  expect(await runHere(training(name, out), { cwd: folder() })).toMatchObject({ status: 0, err: '' })
  return contentOf(out)
}

/** What a training makes that is left alone, and how often it changes the disk, at least. */
async function leftAlone(name: string): Promise<{ made: Record<string, unknown>; changes: number }> {
  const made = await goOn(name, `${name}, left alone`)
  const lines = (made['metrics.jsonl'] as unknown[]).length
  return { made, changes: Object.keys(made).length + lines + 2 * Math.floor(lines / 2) }
}

/** What a run has made, file by file; of the metrics everything except the time. */
async function contentOf(run: string): Promise<Record<string, unknown>> {
  const names = (await readdir(folder(run))).sort().filter(name => !['about.json', 'report.md'].includes(name))
  return Object.fromEntries(await Promise.all(names.map(async name => {
    const bytes = await readFile(folder(run, name))
    const content = name === 'metrics.jsonl'
      ? bytes.toString().trimEnd().split('\n').map(line => ({ ...JSON.parse(line) as object, seconds: 0 }))
      : createHash('sha256').update(bytes).digest('hex')
    return [name, content] as const
  })))
}

/** The iterations from which the files of a run are. */
async function iterationsIn(out: string): Promise<Record<string, number>> {
  const modelOf = async (name: string): Promise<number> => Number((await readModel(folder(out, name))).provenance.iterations)
  const { state } = await readCheckpoint(folder(out, 'checkpoint.safetensors'))
  return { best: await modelOf('best.safetensors'), checkpoint: state.iteration, model: await modelOf('model.safetensors') }
}

it.each(Object.keys(trainings))('%s', async name => {
  const { changes, made } = await leftAlone(name)
  for (let i = 0; i < kills; i++) {
    const k = foldIn(foldIn(key(seed), Object.keys(trainings).indexOf(name)), i)
    const first = name.startsWith('latents') ? 4 : 7 // with a checkpoint behind it, if only that of an autoencoder
    const n = drawInteger(k, long ? 1 : first, changes + 1)
    console.log(`${name}: killed before change ${n}, seed ${seed}`)
    await killed(name, `${name}-${i}`, n)
    expect(await goOn(name, `${name}-${i}`), `killed before change ${n}, seed ${seed}`).toEqual(made)
  }
})

it('a run that is killed in the middle of saving has lost nothing', async () => {
  const name = 'a critic and dropped conditions, validated'
  const { made } = await leftAlone(name)
  const found: unknown[] = []
  for (const n of [11, 12, 13]) { // its second save
    await killed(name, `saving-${n}`, n)
    found.push(await iterationsIn(`saving-${n}`))
    expect(await goOn(name, `saving-${n}`), `killed before change ${n}`).toEqual(made)
  }
  expect(found).toEqual([
    { best: 2, checkpoint: 2, model: 2 },
    { best: 4, checkpoint: 2, model: 2 },
    { best: 4, checkpoint: 4, model: 2 },
  ])
})
