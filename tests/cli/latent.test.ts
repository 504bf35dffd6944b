// Automata in latents, from a file: the autoencoder is trained first, then the rule; a run that was stopped during either
// ends as if it had not been; and every command that uses the model decodes its states.

import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { beforeAll, expect, it, vi } from 'vitest'
import {
  defineAutoencoder, encodeLatents, evaluate, examplesOf, foldIn, key, latentImages, latentTask, mapTree, padImage, predict, rollout, tensor, tensorToImage,
  uniform, type AutoencoderParams, type Tensor,
} from '../../src/index.ts'
import { statesOf } from '../../src/nca/tasks/examples.ts'
import { encodePng, readCheckpoint, readModel, readPng, saveModel } from '../../src/node/index.ts'
import { runHere } from './here.ts'
import { start, temporaryFolder } from './run.ts'

vi.setConfig({ testTimeout: 180_000 })
const folder = temporaryFolder()
const cellgrad = (...args: string[]) => runHere(args, { cwd: folder() })

const file = `
task: latent
data:
  targets: [a.png, b.png]
  size: 8
  padding: 2
  autoencoder: { images: pictures, widths: [4, 6], code: { type: vq, entries: 8 }, iterations: 4, batch: 2 }
rule: { channels: { latent: 2, hidden: 2, condition: 2 }, frozen: [condition], perceive: [identity, sobelX], update: { hidden: 6, lastStd: 0.3 } }
train: { batch: 2, steps: [2, 4], pool: 4, reseed: 1, mutated: 1, iterations: 4, optimiser: { type: adam, rate: 0.01 } }
report: { metrics: [loss] }
saveEvery: 2
`

beforeAll(async () => {
  await mkdir(folder('pictures'))
  for (const [i, name] of ['a', 'b', 'pictures/0', 'pictures/1', 'pictures/2'].entries()) {
    const data = Float32Array.from(uniform(key(i), [8 * 8 * 4]).toArray(), (x, j) => (j % 4 === 3 ? 1 : x))
    await writeFile(folder(`${name}.png`), encodePng({ width: 8, height: 8, data }))
  }
  await writeFile(folder('latent.yaml'), file)
})

const bytesOf = (run: string, ...names: string[]): Promise<Buffer[]> => Promise.all(names.map(name => readFile(folder(run, `${name}.safetensors`))))

it('is trained, and a run that was stopped in the middle of either ends with the same bits', async () => {
  const whole = await cellgrad('train', 'latent.yaml', '--out', 'whole')
  expect([whole.status, whole.err]).toEqual([0, ''])
  expect(whole.out).toMatch(/^First an autoencoder of 3 pictures, 4 iterations\n(iteration \d\/4 .*\n)+The autoencoder is trained, error [\d.e-]+; now the rule, in its latents\nLearning latent from 2 examples of 3×3 cells, 4 iterations, in whole\n/)
  for (const name of (await readdir(folder('whole'))).filter(name => !name.startsWith('.'))) expect(whole.out).toContain(`whole/${name} `)

  // The rule was stopped.
  expect((await cellgrad('train', 'latent.yaml', '--iterations', '2', '--out', 'half')).status).toBe(0)
  const gone = await cellgrad('train', '--resume', 'half', '--iterations', '4')
  expect([gone.status, gone.err]).toEqual([0, ''])
  expect(gone.out).not.toContain('utoencoder of')
  // The autoencoder was stopped: after two iterations, before there was anything of a rule.
  expect((await cellgrad('train', 'latent.yaml', '--set', 'data.autoencoder.iterations=2', '--set', 'train.iterations=1', '--out', 'early')).status).toBe(0)
  const config = await readFile(folder('whole', 'config.yaml'), 'utf8')
  for (const name of await readdir(folder('early'))) if (!['target.png', 'autoencoder.safetensors'].includes(name)) await rm(folder('early', name), { recursive: true })
  await writeFile(folder('early', 'config.yaml'), config)
  const early = await cellgrad('train', '--resume', 'early')
  expect([early.status, early.err]).toEqual([0, ''])
  expect(early.out).toMatch(/^Going on with the autoencoder from iteration 2 of 3 pictures, 4 iterations\n/)

  const names = ['checkpoint', 'model', 'autoencoder']
  for (const run of ['half', 'early']) {
    const [a, b] = await Promise.all([bytesOf('whole', ...names), bytesOf(run, ...names)])
    names.forEach((name, i) => expect([run, name, b[i].equals(a[i])]).toEqual([run, name, true]))
  }
})

it('Ctrl-C saves the autoencoder and says how to go on', async () => {
  const { child, result } = start(['train', 'latent.yaml', '--set', 'data.autoencoder.iterations=1000000', '--out', 'stopped'], { cwd: folder() })
  child.stdout!.once('data', () => {
    const saved = setInterval(() => {
      if (!existsSync(folder('stopped', 'autoencoder.safetensors'))) return
      clearInterval(saved)
      child.kill('SIGINT')
    }, 20)
  })
  const { status, out, err } = await result
  expect([status, err]).toEqual([130, ''])
  const [, n] = /Stopped and saved after iteration (\d+) of 1000000 of the autoencoder\. Go on with:\n  .*train --resume stopped\n$/.exec(out)!
  expect((await readCheckpoint<AutoencoderParams>(folder('stopped', 'autoencoder.safetensors'))).state.iteration).toBe(Number(n))
  expect(existsSync(folder('stopped', 'model.safetensors'))).toBe(false)
})

it('lives in the latents of the autoencoder in its folder, which the training of the rule does not change', async () => {
  const { codec, rule, provenance } = await readModel(folder('whole', 'model.safetensors'))
  const autoencoder = defineAutoencoder({ channels: 4, latent: 2, widths: [4, 6], code: { type: 'vq', entries: 8 } })
  expect([codec!.autoencoder, rule.channels, provenance.grid]).toEqual([autoencoder, { latent: 2, hidden: 2, condition: 2 }, '3'])
  const { state } = await readCheckpoint<AutoencoderParams>(folder('whole', 'autoencoder.safetensors'))
  const numbers = (params: AutoencoderParams): unknown => mapTree(params, p => [...(p as Tensor).toArray()])
  expect([state.iteration, numbers(state.params)]).toEqual([4, numbers(codec!.params)])
})

it('is judged, applied and played by its decoded pictures', async () => {
  const judged = await cellgrad('evaluate', 'whole', '--seeds', '1', '--format', 'json', '--out', 'made.png')
  expect([judged.status, judged.err]).toEqual([0, ''])
  expect(Object.keys(JSON.parse(judged.out) as object)).toEqual(['loss', 'mse', 'l1', 'recovery from damage %', 'recovery from mutation %'])
  // The same, in code.
  const { rule, params, codec } = await readModel(folder('whole', 'model.safetensors'))
  const pictures = await Promise.all(['a', 'b'].map(async name => padImage(await readPng(folder(`${name}.png`)), 2)))
  const targets = examplesOf(Float32Array.from(pictures.flatMap(({ data }) => [...data])), [12, 12, 4])
  const task = latentTask(rule, targets, codec!, { condition: 'condition' })
  const losses = await evaluate(rule, task, params, { steps: 3 })
  expect((JSON.parse(judged.out) as { loss: { mean: number } }).loss.mean).toBeCloseTo((losses[0] + losses[1]) / 2, 4)

  const own = await cellgrad('predict', 'whole', '--out', 'own')
  expect([own.status, own.err, own.out]).toEqual([0, '', 'own/0.png\nown/1.png\n'])
  const made = await tensorToImage(latentImages(rule, codec!, predict(rule, task, params, { steps: 3, examples: [1] })))
  const drawn = await readPng(folder('own', '1.png'))
  expect([drawn.width, drawn.height]).toEqual([12, 12])
  made.data.forEach((v, i) => expect(Math.abs(v - drawn.data[i])).toBeLessThan(0.01))

  expect(await cellgrad('evaluate', 'whole', '--runs', '2')).toMatchObject({ status: 0, err: '' })
  const grown = await cellgrad('grow', 'whole', '--steps', '4', '--scale', '1', '--out', 'grown.png')
  expect([grown.status, grown.err]).toEqual([0, ''])
  expect((await readPng(folder('grown.png'))).width).toBe(12)
  expect((await cellgrad('predict', 'whole', 'a.png', '--out', 'never')).err).toContain('lives in the latents of an autoencoder, and begins with one cell and not with a picture; cellgrad grow plays it')
})

it('may begin from the latents of other pictures', async () => {
  await writeFile(folder('from.yaml'), file.replace(', condition: 2', '').replace('[condition]', '[]'))
  const train = await cellgrad('train', 'from.yaml', ...['data.from=[b.png, a.png]', 'train.mutated=0', 'data.loss=l1', 'data.autoencoder.images=null', 'data.autoencoder.code={ type: vae }'].flatMap(text => ['--set', text]), '--out', 'from')
  expect([train.status, train.err]).toEqual([0, ''])
  expect(train.out).toContain('First an autoencoder of 4 pictures, 4 iterations\n')
  expect(Object.keys(JSON.parse((await cellgrad('evaluate', 'from', '--seeds', '1', '--format', 'json')).out) as object)).toEqual(['loss', 'mse', 'l1', 'recovery from damage %'])

  // And so it can from pictures that it has not seen, fitted and padded as in training.
  const applied = await cellgrad('predict', 'from', 'pictures/2.png', '--steps', '5', '--runs', '2', '--out', 'applied')
  expect([applied.status, applied.err]).toEqual([0, ''])
  expect(applied.out).toMatch(/^applied\/2\.png\npictures\/2\.png: NQM [\d.e-]+\napplied\/2\.uncertainty\.png\n$/)
  const { starts: _starts, ...model } = await readModel(folder('from', 'model.safetensors')), { rule, params, codec } = model
  const picture = padImage(await readPng(folder('pictures', '2.png')), 2)
  const start = statesOf(rule, 'latent', encodeLatents(codec!.autoencoder, codec!.params, tensor(picture.data, { shape: [1, 12, 12, 4] })))
  const made = await tensorToImage(latentImages(rule, codec!, rollout(rule, params, start, foldIn(key(0), 0), { steps: 5 })))
  const [drawn, map] = await Promise.all(['2', '2.uncertainty'].map(name => readPng(folder('applied', `${name}.png`))))
  expect([drawn, map].map(({ width, height }) => [width, height])).toEqual([[12, 12], [12, 12]])
  made.data.forEach((v, i) => expect(Math.abs(v - drawn.data[i])).toBeLessThan(0.01))
  expect((await cellgrad('predict', 'from', 'a.png', '--window', '2', '--out', 'never')).err).toContain('--window does not go with a rule in latents')
  await saveModel(folder('bare.safetensors'), model)
  expect((await cellgrad('grow', 'bare.safetensors')).err).toContain('; cellgrad predict bare.safetensors INPUT shows what it makes of one')
})

it('is trained as the docs describe it', async () => {
  const [text] = /(?<=```yaml\n)task: latent\n[^]*?(?=```)/.exec(await readFile('docs/experiments.md', 'utf8'))!
  await writeFile(folder('docs.yaml'), text)
  const few = ['data.size=16', 'data.padding=4', 'data.autoencoder.iterations=1', 'train.iterations=1', 'train.pool=8', 'report.metrics=[loss]']
  const { status, err, out } = await cellgrad('train', 'docs.yaml', ...few.flatMap(set => ['--set', set]), '--out', 'docs')
  expect([status, err]).toEqual([0, ''])
  expect(out).toContain('Learning latent from 1 example of 3×3 cells')
})

it('says in one sentence what does not fit, before anything is trained', async () => {
  const refused = async (...set: string[]): Promise<string> => {
    const { status, err } = await cellgrad('train', 'latent.yaml', ...set.flatMap(text => ['--set', text]), '--out', 'never')
    expect([status! > 0, existsSync(folder('never'))]).toEqual([true, false])
    return err.trim().replaceAll(folder(), '…')
  }
  expect([
    await refused('data.padding=1'), await refused('data.from=[a.png]'), await refused('rule.frozen=[]', 'train.mutated=0'),
    await refused('rule.channels.condition=3'), await refused('train.from=whole/model.safetensors'), await refused('data.autoencoder.width=[4]'),
    await refused('data.targets=[a.png, wild.png]'), await refused('data.autoencoder.images=nowhere'), await refused('data.autoencoder.images=[a.png, wild.png]'),
    await refused('data.autoencoder.code={ type: vq, entries: 1 }'),
  ]).toMatchInlineSnapshot(`
    [
      "latent.yaml:5: data.size is 8, expected a number that makes, with 2 × 1 of padding, a multiple of 4: data.autoencoder.widths halve 2 times",
      "cellgrad train: --set data.from is ["a.png"], expected null or 2 pictures, one for each target",
      "cellgrad train: --set rule.frozen is [], expected condition among them, in which cells are told something",
      "cellgrad train: --set rule.channels.condition is 3, expected 2, one for each target",
      "cellgrad train: --set train.from is "whole/model.safetensors", expected null: an autoencoder of its own is trained first, and a model of others knows nothing of its latents",
      "cellgrad train: --set there is no key "width" in data.autoencoder; did you mean "widths"?",
      "data: there is no file and no bundled emoji "wild.png" (🦋 butterfly, 🎄 christmas-tree, 💥 explosion, 👁️ eye, 🐠 fish, 😀 grinning-face, 🐞 lady-beetle, 🦎 lizard, 🥨 pretzel, 🕸️ spider-web)",
      "data: there is no file or folder …/nowhere.",
      "data: there is no file or folder …/wild.png.",
      "cellgrad train: --set data.autoencoder.code.entries is 1, expected a whole number from 2 to 65536",
    ]
  `)
})
