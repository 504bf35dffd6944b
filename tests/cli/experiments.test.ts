// Experiments of every task from a file: trained, resumed, judged and applied, on data that are made here.

import { existsSync } from 'node:fs'
import { cp, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, vi } from 'vitest'
import { parse, stringify } from 'yaml'
import { loadRunConfig } from '../../src/cli/input/config-file.ts'
import { encodeNpy, key, recipes, uniform } from '../../src/index.ts'
import { bundledExperiment } from '../../src/node/assets.ts'
import { decodePng, encodePng, readModel, readNpy, readPng } from '../../src/node/index.ts'
import { zipOf } from '../zip.ts'
import { long } from '../long.ts'
import { runHere } from './here.ts'
import { run, temporaryFolder } from './run.ts'

vi.setConfig({ testTimeout: 180_000 })
const folder = temporaryFolder()

const small = 'saveEvery: 2\ntrain:\n  batch: 2\n  steps: [2, 4]\n  optimiser: { type: adam, rate: 0.01 }\n  iterations: 4\n'
const update = 'update: { hidden: 4, lastStd: 0.1 }'
const files: Record<string, string> = {
  conditional: `task: conditional\ndata: { targets: [🦎, spot.png], size: 5, padding: 1 }\nrule: { channels: { rgba: 4, hidden: 2, condition: 2 }, frozen: [condition], perceive: [identity, sobelX], ${update} }\n${small}  pool: 4\n  mutated: 1\n`,
  classification: `task: classification\ndata: { images: classes, size: 6 }\nrule: { channels: { image: 1, hidden: 2, classes: 2 }, frozen: [image], perceive: [identity, sobelX], ${update} }\nreport: { metrics: [loss] }\nvalidate: { every: 1, folds: 3 }\n${small}`,
  imageToImage: `task: imageToImage\ndata: { inputs: photos, outputs: masks, loss: dice }\nrule: { channels: { input: 3, hidden: 2, output: 1 }, frozen: [input], perceive: [identity, sobelX], ${update} }\nvalidate: { every: 2, folds: 2, fold: 1 }\n${small}`,
  denoising: `task: denoising\ndata: { images: photos }\nrule: { channels: { noisy: 3, level: 1, output: 3, hidden: 2 }, frozen: [noisy, level], perceive: [identity, sobelX], ${update} }\nvalidate: { every: 2, folds: 3 }\n${small}`,
  video: `task: video\ndata: { frames: frames.npy, k: 2 }\nrule: { channels: { input: 2, hidden: 2, output: 2 }, frozen: [input], perceive: [identity, sobelX], ${update} }\n${small}`,
  texture: `task: texture\nrecipe: texture\ndata: { image: spot.png, size: 16, levels: 1 }\nreport: { metrics: [loss] }\n${small}  pool: 4\n`,
}

beforeAll(async () => {
  const picture = async (path: string, seed: number, size = 6): Promise<void> => {
    await writeFile(folder(path), encodePng({ width: size, height: size, data: Float32Array.from(uniform(key(seed), [size * size * 4]).toArray(), (x, i) => (i % 4 === 3 ? 1 : x)) }))
  }
  for (const name of ['classes/a', 'classes/b', 'photos', 'masks']) await mkdir(folder(name), { recursive: true })
  for (let i = 0; i < 3; i++) for (const name of ['classes/a', 'classes/b', 'photos', 'masks']) await picture(`${name}/${i}.png`, i + name.length)
  await picture('spot.png', 9, 20)
  await writeFile(folder('frames.npy'), encodeNpy({ shape: [2, 5, 4, 4], data: Float32Array.from(uniform(key(1), [160]).toArray()) }))
  for (const [task, text] of Object.entries(files)) await writeFile(folder(`${task}.yaml`), text)
})

// The perturbations by which the automata of a task are judged, and the words if a recovery is not a number. Without a pool,
// images to images live for one rollout only.
const recoveries: Record<string, string[]> = { conditional: ['damage', 'mutation'], classification: ['mutation'], texture: ['damage'], trajectory: ['damage'] }
const words = ['nothing was damaged', 'not finite']
const recoveryRows = (task: string): string => (recoveries[task] ?? []).map(by => `recovery from ${by} %,(-?[\\d.e+]+,[\\d.e+]+|(${words.join('|')}),),\\d+\\n`).join('')

/** Expects that two runs ended in the same state, every bit of it: parameters, optimiser, pool, critic, key. */
async function expectSame(run: string, other: string, also: readonly string[] = []): Promise<void> {
  for (const name of ['model', 'checkpoint', ...also]) {
    const [a, b] = await Promise.all([run, other].map(path => readFile(folder(path, `${name}.safetensors`))))
    expect(a.equals(b), `${name} of ${run} and ${other}`).toBe(true)
  }
}

const cellgrad = (...args: string[]) => runHere(args, { cwd: folder() })

describe.each(Object.keys(files).filter(task => long || !['conditional', 'video'].includes(task)))('%s', task => {
  it('is trained, and a run that was stopped ends with the same bits; it is judged', async () => {
    const whole = await cellgrad('train', `${task}.yaml`, '--out', `${task}-1`)
    expect([whole.status, whole.err]).toEqual([0, ''])
    expect(whole.out).toContain(`Learning ${task} from `)
    for (const file of (await readdir(folder(`${task}-1`))).filter(name => !name.startsWith('.'))) expect(whole.out).toContain(`${join(`${task}-1`, file)} `)
    expect((await readPng(folder(`${task}-1`, 'made.png'))).width).toBeGreaterThan(0)
    const row = /^iteration 4\/4 {2}error [\d.e-]+( {2}validation \w+ [\d.e-]+)? {2}/m.exec(whole.out)
    expect([row !== null, row?.[1] !== undefined]).toEqual([true, files[task].includes('validate')])

    // The first half, and the rest of it from its checkpoint.
    expect((await cellgrad('train', `${task}.yaml`, '--iterations', '2', '--out', `${task}-2`)).status).toBe(0)
    expect((await cellgrad('train', '--resume', `${task}-2`, '--iterations', '4')).status).toBe(0)
    await expectSame(`${task}-2`, `${task}-1`, files[task].includes('validate') ? ['best'] : [])

    const judged = await cellgrad('evaluate', `${task}-1`, '--seeds', '2', '--format', 'json', '--out', `${task}.png`)
    expect([judged.status, judged.err]).toEqual([0, ''])
    const metrics = JSON.parse(judged.out) as Record<string, { mean: number; std: number; note?: string }>
    const own = { classification: ['accuracyOfCells', 'accuracyOfImages', 'totalAgreement'], imageToImage: ['dice', 'iou'] }[task] ?? []
    expect(Object.keys(metrics)).toEqual(['loss', ...own, ...(recoveries[task] ?? []).map(by => `recovery from ${by} %`)])
    for (const { mean, std, note } of Object.values(metrics)) expect(note ?? ([mean, std].every(Number.isFinite) || [mean, std, note])).toBeOneOf([true, ...words])
    expect((await readPng(folder(`${task}.png`))).width).toBeGreaterThan(0)
  })
})

it('the best model by validation is the one with the least value', async () => {
  const { provenance } = await readModel(folder('classification-1', 'best.safetensors'))
  const rows = (await readFile(folder('classification-1', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n').map(line => JSON.parse(line) as { iteration: number; validation: number })
  const least = Math.min(...rows.map(({ validation }) => validation))
  expect(Number(provenance.validation)).toBe(least)
  expect(Number(provenance.iterations)).toBe(rows.find(({ validation }) => validation === least)!.iteration)
})

it('says where and with what it was trained, each time', async () => {
  const about = JSON.parse(await readFile(folder('imageToImage-2', 'about.json'), 'utf8')) as { command: string[]; node: string; data: Record<string, string> }[]
  expect(about.map(({ command }) => command.slice(0, 2))).toEqual([['train', 'imageToImage.yaml'], ['train', '--resume']])
  expect(Object.keys(about[0].data)).toEqual(['photos', 'masks'])
  expect(about[0]).toMatchObject({ node: process.version, git: null, computer: expect.stringMatching(/^CPU/) })
  const other = JSON.parse(await readFile(folder('imageToImage-1', 'about.json'), 'utf8')) as typeof about
  expect(other[0].data).toEqual(about[1].data)
})

it('is judged by other data', async () => {
  const judged = (...flags: string[]): ReturnType<typeof cellgrad> => cellgrad('evaluate', 'imageToImage-1', '--seeds', '1', '--format', 'json', ...flags)
  const [own, other] = await Promise.all([judged(), judged('--data', 'inputs=masks', '--data', 'outputs=masks')])
  expect([own.status, other.status, other.err]).toEqual([0, 0, ''])
  expect(other.out).not.toBe(own.out)
  await cp(folder('classes'), folder('others'), { recursive: true })
  await cp(folder('others', 'b'), folder('others', 'c'), { recursive: true })
  await rm(folder('others', 'b'), { recursive: true })
  expect(await cellgrad('evaluate', 'classification-1', '--data', 'images=others')).toMatchObject({ status: 1, err: 'evaluate: the list of classes is "a c", expected a b, those of the model.\n' })
  expect(await judged('--data', 'masks')).toMatchObject({ status: 2, err: 'cellgrad evaluate: --data is "masks", expected name=value, like images=folder\n' })
  expect(await judged('--data', 'input=masks')).toMatchObject({ status: 2, err: expect.stringMatching(/inputs/) })
})

it('runs of any tasks are drawn side by side, step by step', async () => {
  const names = ['classification-1', 'imageToImage-1', 'texture-1']
  for (const name of names) await cp(folder(name), folder('beside', name), { recursive: true })
  expect(await cellgrad('runs', 'beside', '--strips', 'beside.svg')).toMatchObject({ status: 0, err: '' })
  const svg = await readFile(folder('beside.svg'), 'utf8')
  expect([...svg.matchAll(/>([^<>\n]+)<\/text>/g)].map(([, text]) => text)).toEqual(['step 0', '1', '2', '3', '4', '6', '8', ...names.map(name => `beside/${name}`)])
  // Seven pictures of 6×6 cells with two cells between them.
  const strips = [...svg.matchAll(/base64,([^"]+)"/g)].map(([, png]) => decodePng(Buffer.from(png, 'base64')))
  expect(strips.map(({ width, height }) => (width / height).toFixed(2))).toEqual([7 * 6 + 6 * 2, 7 * 6 + 6 * 2, (7 * 16 + 6 * 2) * (6 / 16)].map(cells => (cells / 6).toFixed(2)))
})

it('fine-tunes a model: the layers that do not learn keep every bit', async () => {
  const model = 'imageToImage-1/model.safetensors'
  const tuned = await cellgrad('train', 'imageToImage.yaml', '--set', `train.from=${model}`, '--set', 'train.trainable=last', '--out', 'tuned')
  expect([tuned.status, tuned.err]).toEqual([0, ''])
  const [a, b] = await Promise.all([model, 'tuned/model.safetensors'].map(async path => (await readModel(folder(path))).params.update))
  expect(b.w1.toArray()).toEqual(a.w1.toArray())
  expect(b.w2.toArray()).not.toEqual(a.w2.toArray())
})

it('trains beside a critic, with samples without a condition, and records the distance between real and made images', async () => {
  const critic = ['train.critic={ widths: [4], steps: 1, lossWeight: 1 }', 'train.dropped=0.2', 'report.tensorboard=true'].flatMap(text => ['--set', text])
  const trained = await cellgrad('train', 'imageToImage.yaml', ...critic, '--out', 'criticised')
  expect([trained.status, trained.err]).toEqual([0, ''])
  const lines = (await readFile(folder('criticised', 'metrics.jsonl'), 'utf8')).trim().split('\n').map(line => JSON.parse(line) as { distance: number })
  for (const { distance } of lines) expect(distance).toBeTypeOf('number')
  expect(new Set(lines.map(({ distance }) => distance)).size).toBeGreaterThan(1)
  expect((await cellgrad('train', 'imageToImage.yaml', ...critic, '--iterations', '2', '--out', 'interrupted')).status).toBe(0)
  expect((await cellgrad('train', '--resume', 'interrupted', '--iterations', '4')).status).toBe(0)
  await expectSame('interrupted', 'criticised', ['best'])
  expect(await cellgrad('evaluate', 'criticised')).toMatchObject({ status: 0, err: '' })
  // The results for its examples and for files, without and with guidance.
  for (const inputs of [[], ['photos/0.png']]) {
    const made: Buffer[] = []
    for (const scale of ['1', '3']) {
      const said = await cellgrad('predict', 'criticised', ...inputs, '--guidance', scale, '--steps', '12', '--out', `guided-${scale}`)
      expect([said.status, said.err]).toEqual([0, ''])
      made.push(await readFile(folder(`guided-${scale}`, (await readdir(folder(`guided-${scale}`))).sort()[0])))
    }
    expect(made[0].equals(made[1])).toBe(false)
  }
  const blind = await cellgrad('train', 'classification.yaml', ...critic, '--out', 'blind')
  expect(blind.status).not.toBe(0)
  expect(blind.err).toMatch(/critic is .*, expected null, or a task that has images, like imageToImageTask\.\n$/)
})

it('a rule with a head is trained, judged and applied by its output for whole images', async () => {
  const head = ['data.loss=head', 'rule.head={ outputs: 2, network: { hidden: [4] } }', 'validate.metric=accuracyOfImages'].flatMap(text => ['--set', text])
  const trained = await cellgrad('train', 'classification.yaml', ...head, '--out', 'headed')
  expect([trained.status, trained.err]).toEqual([0, ''])
  const judged = await cellgrad('evaluate', 'headed', '--format', 'json', '--out', 'headed.png')
  expect(Object.keys(JSON.parse(judged.out) as object)).toEqual(expect.arrayContaining(['loss', 'accuracyOfImages']))
  expect(await cellgrad('evaluate', 'headed', '--runs', '2')).toMatchObject({ status: 0, err: '' })
  const said = await cellgrad('predict', 'headed', 'classes/a/0.png', '--runs', '3', '--out', 'said-by-head')
  expect([said.status, said.err]).toEqual([0, ''])
  expect(said.out).toMatch(/^classes\/a\/0\.png: class [ab]\nclasses\/a\/0\.png: NQM [\d.e-]+\n$/)
})

it('fine-tunes one layer of a run whose file it extends', async () => {
  await writeFile(folder('further.yaml'), 'extends: imageToImage-1/config.yaml\ntrain: { from: imageToImage-1/model.safetensors, trainable: last, iterations: 2 }\n')
  expect(await cellgrad('train', 'further.yaml', '--out', 'further')).toMatchObject({ status: 0, err: '' })
  const [a, b] = await Promise.all(['imageToImage-1', 'further'].map(async name => (await readModel(folder(name, 'model.safetensors'))).params.update))
  expect([b.w1.toArray(), b.w2.toArray()]).toEqual([a.w1.toArray(), expect.not.arrayContaining(Array.from(a.w2.toArray()))])
})

it('--set changes one channel and keeps the others, also those of a recipe', async () => {
  const set = { rule: { channels: { hidden: 5 } } }
  const channels = async (text: string): Promise<unknown> => {
    await writeFile(folder('set.yaml'), text)
    return (await loadRunConfig({ file: folder('set.yaml'), set })).rule.channels
  }
  expect(await channels('extends: digits\n')).toEqual({ image: 1, hidden: 5, classes: 10 })
  expect(await channels(files.conditional)).toEqual({ rgba: 4, hidden: 5, condition: 2 })
  expect(await channels('preset: persistent\n')).toEqual({ rgba: 4, hidden: 5 })
  expect((await loadRunConfig({ set })).rule.channels).toEqual({ rgba: 4, hidden: 5 })
})

it('every recipe is a bundled file, which can be extended by its name', async () => {
  for (const [name, { rule, iterations, ...rest }] of Object.entries(recipes)) {
    await writeFile(folder('by-name.yaml'), `extends: ${name}\nseed: 7\n`)
    const file = await bundledExperiment(name)
    const [own, extended] = await Promise.all([loadRunConfig({ file }), loadRunConfig({ file: folder('by-name.yaml') })])
    expect(own).toMatchObject({ rule, train: { iterations, ...rest } })
    expect(extended).toEqual({ ...own, seed: 7 })
  }
})

it('a trained rule is applied to a picture, and to a folder of them', async () => {
  const classes = await cellgrad('predict', 'classification-1', 'classes/a', '--out', 'said')
  expect([classes.status, classes.err]).toEqual([0, ''])
  expect(classes.out).toMatch(/^classes\/a\/0\.png: class [ab]\nsaid\/0\.png\nclasses\/a\/1\.png: class /)
  const several = await cellgrad('predict', 'classification-1', 'classes/a/2.png', 'photos/0.png', 'photos/1.png', '--out', 'said')
  expect([several.status, several.out.match(/^.*(?=: class)/gm)]).toEqual([0, ['classes/a/2.png', 'photos/0.png', 'photos/1.png']])
  expect(await cellgrad('predict', 'classification-1', 'classes', 'classes/a', 'classes/b', '--out', 'never')).toMatchObject({ status: 2, err: expect.stringContaining('there are no pictures, volumes or arrays in classes') })
  expect(await cellgrad('predict', 'classification-1', 'classes/a', 'classes/b/1.png', '--out', 'never')).toMatchObject({ status: 2, err: expect.stringMatching(/^cellgrad predict: the result of classes\/b\/1\.png would be called 1, like /) })
  // An array of an .npz file is named as in data; the results of its examples are one array.
  await writeFile(folder('some.npz'), zipOf({ 'photos.npy': encodeNpy({ shape: [2, 6, 6, 3], data: new Uint8Array(216).fill(200) }), 'x.npy': encodeNpy({ shape: [1], data: new Uint8Array(1) }) }, true))
  expect(await cellgrad('predict', 'imageToImage-1', 'some.npz:photos', '--out', 'each')).toMatchObject({ status: 0, err: '', out: 'each/some-photos.npy\n' })
  expect((await readNpy(folder('each', 'some-photos.npy'))).shape).toEqual([2, 6, 6, 1])
  expect((await cellgrad('predict', 'imageToImage-1', 'some.npz', '--out', 'each')).err).toBe('data: some.npz has photos, x, expected the name of one, as in some.npz:photos.\n')
  const mask = await cellgrad('predict', 'imageToImage-1/model.safetensors', 'photos/1.png', '--out', 'made', '--steps', '2')
  expect(mask).toMatchObject({ status: 0, err: '', out: 'made/1.png\n' })
  expect(await readPng(folder('made', '1.png'))).toMatchObject({ width: 6, height: 6 })
  const [none, growing] = await Promise.all([cellgrad('predict', 'imageToImage-1', 'nothing.png'), cellgrad('predict', 'texture-1', 'spot.png')])
  expect(none).toMatchObject({ status: 2, err: 'cellgrad predict: there is no file or folder nothing.png\n' })
  expect(growing).toMatchObject({ status: 2, err: expect.stringContaining('texture-1 is a rule without an input') })
})

it.each(Object.keys(files).filter(task => long || ['classification', 'texture'].includes(task)))('a run of %s writes what it makes of its own held-out examples', async task => {
  const own = await cellgrad('predict', `${task}-1`, '--out', `own-${task}`)
  expect([own.status, own.err]).toEqual([0, ''])
  const written = own.out.trimEnd().split('\n')
  expect(written.length).toBe({ conditional: 2, classification: 2, imageToImage: 1, denoising: 8, video: 4, texture: 1 }[task])
  for (const path of written) expect((await readPng(folder(path))).width).toBeGreaterThan(0)
})

it('a rule covers inputs larger than its training by windows, and takes all examples of a file', async () => {
  await writeFile(folder('wide.png'), encodePng({ width: 15, height: 11, data: Float32Array.from(uniform(key(4), [660]).toArray(), (x, i) => (i % 4 === 3 ? 1 : x)) }))
  const sees = async (out: string, ...flags: string[]): Promise<Float32Array> => {
    const said = await cellgrad('predict', 'imageToImage-1', 'wide.png', '--out', out, '--steps', '12', ...flags)
    expect(said).toMatchObject({ status: 0, err: '', out: `${out}/wide.png\n` })
    const picture = await readPng(folder(out, 'wide.png'))
    expect(picture).toMatchObject({ width: 15, height: 11 })
    return picture.data
  }
  const [whole, one] = [await sees('whole'), await sees('one-window', '--window', '15')]
  expect(one).toEqual(whole)
  const [cut] = [await sees('windows', '--window', '6', '--overlap', '0.25')]
  const furthest = whole.reduce((most, v, i) => Math.max(most, Math.abs(v - cut[i])), 0)
  expect([furthest > 0, furthest < 0.5]).toEqual([true, true])
  await writeFile(folder('several.npy'), encodeNpy({ shape: [2, 6, 6, 3], data: Float32Array.from(uniform(key(1), [216]).toArray()) }))
  expect(await cellgrad('predict', 'imageToImage-1', 'several.npy', '--out', 'whole')).toMatchObject({ status: 0, err: '', out: 'whole/several.npy\n' })
  expect(await readNpy(folder('whole', 'several.npy'))).toMatchObject({ shape: [2, 6, 6, 1] })
  const refusals: [string[], string][] = [
    [['wide.png', '--window', '6', '--runs', '3'], '--window does not go with --runs or --last'], [['wide.png', '--overlap', '0.5'], '--overlap needs --window'],
    [['wide.png', '--runs', '3', '--last', '2'], '--last does not go with --runs'], [['--window', '6'], '--window is for inputs that are given; cellgrad evaluate says how sure a run is of its own examples'],
  ]
  for (const [words, said] of refusals) expect(await cellgrad('predict', 'imageToImage-1', ...words)).toMatchObject({ status: 2, err: `cellgrad predict: ${said}\n` })
  expect(await cellgrad('predict', 'imageToImage-1/model.safetensors')).toMatchObject({ status: 2, err: 'cellgrad predict: INPUT is missing, and imageToImage-1/model.safetensors is not a run with examples of its own; see cellgrad predict --help\n' })
})

describe('how sure a rule is', () => {
  beforeAll(async () => { // cells of the others all update, in every step
    const { status } = await cellgrad('train', 'imageToImage.yaml', '--set', 'rule.fireRate=0.5', '--set', 'rule.update.lastStd=0.5', '--out', 'unsure')
    expect(status).toBe(0)
  })

  it('is, for a picture, a map beside the result, which is black without randomness', async () => {
    const map = async (model: string, picture: string, out: string): Promise<{ nqm: number; white: number }> => {
      const file = `${out}/${picture.split('/').at(-1)!.replace('.png', '.uncertainty.png')}`
      const said = await cellgrad('predict', model, picture, '--out', out, '--steps', '8', '--runs', '4')
      expect([said.status, said.err, said.out.endsWith(`\n${file}\n`)]).toEqual([0, '', true])
      const { width, height, data } = await readPng(folder(file))
      expect([width, height]).toEqual([6, 6])
      return { nqm: Number(/NQM (\S+)/.exec(said.out)![1]), white: Math.max(...data.filter((_, i) => i % 4 !== 3)) }
    }
    expect(await map('imageToImage-1', 'photos/1.png', 'made')).toEqual({ nqm: 0, white: 0 })
    expect(await map('classification-1', 'classes/a/0.png', 'said')).toEqual({ nqm: 0, white: 0 })
    const { nqm, white } = await map('unsure', 'photos/1.png', 'made')
    expect([nqm > 0, white > 0, white <= 1]).toEqual([true, true, true])
    for (const runs of ['1', '2.5']) {
      expect(await cellgrad('predict', 'unsure', 'photos/1.png', '--runs', runs)).toMatchObject({ status: 2, err: `cellgrad predict: --runs is ${runs}, expected a whole number ≥ 2\n` })
    }
  })

  it('is also computed from the last steps of one run', async () => {
    const said = await cellgrad('predict', 'unsure', 'photos/1.png', '--out', 'last', '--steps', '8', '--last', '3')
    expect(said).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^last\/1\.png\nphotos\/1\.png: NQM [\d.]+\nlast\/1\.uncertainty\.png\n$/) })
    expect((await cellgrad('evaluate', 'unsure', '--steps', '8', '--last', '3', '--format', 'csv')).out).toMatch(/^example,nqm,wrong,auroc\n.*\nall,[\d.]+,/s)
    expect(await cellgrad('evaluate', 'unsure', '--steps', '8', '--last', '9')).toMatchObject({ status: 2, err: 'cellgrad evaluate: --last is 9, expected a whole number, at most 8\n' })
  })

  it('is reported for each example of a run, with how well it finds errors', async () => {
    const judged = await cellgrad('evaluate', 'unsure', '--runs', '3', '--steps', '8', '--format', 'json')
    expect([judged.status, judged.err]).toEqual([0, ''])
    const rows = JSON.parse(judged.out) as { example: number | string; nqm: number; wrong: number; auroc: number }[]
    const each = rows.slice(0, -1), all = rows.at(-1)!
    expect([each.length > 0, all.example]).toEqual([true, 'all'])
    expect(all.nqm).toBeCloseTo(each.reduce((a, { nqm }) => a + nqm, 0) / each.length, 4)
    expect(all.wrong).toBeCloseTo(each.reduce((a, { wrong }) => a + wrong, 0) / each.length, 3)
    for (const { nqm, wrong, auroc } of rows) expect([nqm > 0, wrong > 0 && wrong < 1, auroc > 0 && auroc < 1]).toEqual([true, true, true])
    // Where all cells are equally sure, deviations say nothing of errors.
    const still = await cellgrad('evaluate', 'classification-1', '--runs', '2', '--format', 'csv')
    expect(still).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^example,nqm,wrong,auroc\n(\d,0,[\d.]+,(0\.5)?\n)+all,0,[\d.]+,(0\.5)?\n$/) })
    // Textures have no known truth.
    expect((await cellgrad('evaluate', 'texture-1', '--runs', '2', '--format', 'csv')).out).toMatch(/^example,nqm,wrong,auroc\n0,[\d.]+,,\nall,[\d.]+,,\n$/)
    const refused = await Promise.all([['--runs', '1'], ['--runs', '1.5'], ['--runs', '3', '--seeds', '2']].map(flags => cellgrad('evaluate', 'unsure', ...flags)))
    expect(refused.map(({ err }) => err)).toEqual([
      'cellgrad evaluate: --runs is 1, expected a whole number ≥ 2\n', 'cellgrad evaluate: --runs is 1.5, expected a whole number ≥ 2\n',
      'cellgrad evaluate: --seeds does not go with --runs\n',
    ])
  })
})

it('makes pictures out of noise, each from different noise', async () => {
  await writeFile(folder('imagine.yaml'), 'extends: denoising.yaml\nvalidate: null\nreport: { examples: 2 }\ndata: { levels: 3 }\ntrain: { iterations: 1 }\n')
  expect(await cellgrad('train', 'imagine.yaml', '--out', 'imagining')).toMatchObject({ status: 0, err: '' })
  expect(await cellgrad('predict', 'imagining', '--out', 'imagined')).toMatchObject({ status: 0, err: '', out: 'imagined/0.png\nimagined/1.png\n' })
  const [a, b] = await Promise.all([0, 1].map(i => readPng(folder('imagined', `${i}.png`))))
  expect(a).toMatchObject({ width: 6, height: 6 })
  expect(b.data).not.toEqual(a.data)
  // On coarse grids first, if it is trained so.
  const config = await readFile(folder('imagining', 'config.yaml'), 'utf8')
  await writeFile(folder('imagining', 'config.yaml'), config.replace('cascade: null', 'cascade: [{ scale: 2, steps: 1 }]'))
  expect(await cellgrad('predict', 'imagining', '--out', 'coarse')).toMatchObject({ status: 0, err: '' })
  expect((await readPng(folder('coarse', '0.png'))).data).not.toEqual(a.data)
})

it('becomes one picture after another', async () => {
  await writeFile(folder('trajectory.yaml'), `task: trajectory\ndata: { targets: [🦎, spot.png], size: 5, padding: 1 }\nrule: { channels: { rgba: 4, hidden: 2 }, perceive: [identity, sobelX], ${update} }\n${small}  readouts: [1, 2]\n`)
  expect(await cellgrad('train', 'trajectory.yaml', '--iterations', '1', '--out', 'trajectory')).toMatchObject({ status: 0, err: '', out: expect.stringContaining('Learning trajectory from 1 example of 7×7 cells') })
  // Damaged after the first picture, judged at the last; and its uncertainty, cell by cell.
  const judged = await cellgrad('evaluate', 'trajectory', '--seeds', '2', '--format', 'csv')
  expect(judged).toMatchObject({ status: 0, err: '', out: expect.stringMatching(new RegExp(`^metric,mean,std,examples\nloss,[\\d.]+,[\\d.]+,1\n${recoveryRows('trajectory')}$`)) })
  expect((await cellgrad('evaluate', 'trajectory', '--runs', '2', '--format', 'csv')).out).toMatch(/^example,nqm,wrong,auroc\n0,[\d.]+,[\d.]+,[\d.]+\nall,/)
  const few = await cellgrad('train', 'trajectory.yaml', '--set', 'train.readouts=[1]', '--out', 'never')
  expect(few).toMatchObject({ status: 1, err: 'trainer: readouts is [1], expected a list of 2 steps, as the task has.\n' })
})

it('a run of growing is judged by its loss and by its recovery', async () => {
  expect((await cellgrad('train', '🦎', '--set', 'data.size=5', '--set', 'data.padding=1', '--set', 'train.batch=2', '--set', 'train.steps=[2, 4]', '--set', 'train.iterations=1', '--out', 'grown')).status).toBe(0)
  const { status, out, err } = await cellgrad('evaluate', 'grown', '--seeds', '1', '--format', 'csv', '--out', 'grown.png')
  expect([status, err]).toEqual([0, ''])
  expect(out).toMatch(/^metric,mean,std,examples\nloss,[\d.]+,0,1\nloss after 24 steps,[\d.]+,0,1\nrecovery from damage %,/)
  expect((await readPng(folder('grown.png'))).width).toBeGreaterThan(0)
  expect((await cellgrad('evaluate', 'grown', '--runs', '2', '--format', 'csv')).out).toMatch(/^example,nqm,wrong,auroc\n0,[\d.]+,[\d.]+,[\d.]+\nall,/)
})

it('a run whose file has no sections yet resumes, and ends with the bits that it would have had', async () => {
  const { data, train, ...others } = parse(await readFile(folder('grown', 'config.yaml'), 'utf8')) as Record<string, object>
  await cp(folder('grown'), folder('old'), { recursive: true })
  await writeFile(folder('old', 'config.yaml'), stringify({ ...others, ...data, ...train }))
  for (const name of ['grown', 'old']) expect(await cellgrad('train', '--resume', name, '--iterations', '3')).toMatchObject({ status: 0, err: '' })
  await expectSame('old', 'grown')
  expect(await readFile(folder('old', 'config.yaml'), 'utf8')).toBe(await readFile(folder('grown', 'config.yaml'), 'utf8'))
})

it('growing is fine-tuned too: the last layer of a model; if the model does not fit, no run is left behind', async () => {
  const sizes = ['--size', '6', '--padding', '1', '--batch', '2', '--iterations', '2', '--set', 'train.steps=[2, 4]']
  const from = (model: string, ...more: string[]) => cellgrad('train', '🐠', ...sizes, '--set', `train.from=${model}`, ...more)
  const tuned = await from('grown/model.safetensors', '--set', 'train.trainable=last', '--out', 'tuned-2')
  expect([tuned.status, tuned.err]).toEqual([0, ''])
  const [a, b] = await Promise.all(['grown', 'tuned-2'].map(async name => (await readModel(folder(name, 'model.safetensors'))).params.update))
  expect(b.w1.toArray()).toEqual(a.w1.toArray())
  expect(b.w2.toArray()).not.toEqual(a.w2.toArray())
  const wrong = await Promise.all(['nowhere.safetensors', 'texture-1/model.safetensors'].map(model => from(model, '--out', 'never')))
  for (const { status, err } of wrong) expect([status, err.trimEnd().split('\n').length]).toEqual([1, 1])
  expect(wrong[1].err).toMatch(/^train: texture-1\/model\.safetensors: /)
  expect(existsSync(folder('never'))).toBe(false)
})

it('a file extends another one, --set overrides both, and a mistake is reported with its place', async () => {
  await mkdir(folder('more'))
  await writeFile(folder('more', 'other.yaml'), 'extends: ../texture.yaml\ntrain: { batch: 3 }\ndata: { levels: 1, size: 18 }\n')
  expect((await cellgrad('train', 'more/other.yaml', '--set', 'iterations=1', '--set', 'data.size=17', '--out', 'extended')).status).toBe(0)
  const config = await readFile(folder('extended', 'config.yaml'), 'utf8')
  for (const line of ['  batch: 3', '  iterations: 1', '  size: 17', 'recipe: texture', '  # Samples per iteration', '  # Longer side to which it is fitted']) expect(config).toContain(`${line}\n`)
  const refused = async (args: string[]): Promise<string> => {
    const { status, out, err } = await cellgrad('train', ...args)
    expect([status, out]).toEqual([2, ''])
    return err
  }
  await writeFile(folder('wrong.yaml'), 'extends: classification.yaml\ndata:\n  loss: cell\n')
  await writeFile(folder('near.yaml'), '# far\nextends: digit\n')
  await writeFile(folder('near-sweep.yaml'), 'base: textrue\nfields: { train.batch: [2] }\n')
  expect((await runHere(['config', '--config', 'near.yaml'], { cwd: folder() })).err).toMatch(/^near\.yaml:2: extends is "digit", but there is no \S+digit, and no bundled experiment of that name; did you mean "digits"\?\n$/)
  expect((await runHere(['sweep', 'near-sweep.yaml'], { cwd: folder() })).err).toMatch(/^near-sweep\.yaml: base is "textrue", .* did you mean "texture"\?\n$/)
  await writeFile(folder('circle.yaml'), 'extends: circle.yaml\n')
  const wrong = await Promise.all([
    ['wrong.yaml'], ['circle.yaml'], ['video.yaml', '--set', 'data.kk=2'], ['video.yaml', '--set', 'train.rat=2'], ['video.yaml', '--set', 'bach=2'], ['video.yaml', '--set', 'train.rate=fast'], ['video.yaml', '--set', 'batch'], ['video.yaml', '--set', 'task=vidoe'],
  ].map(refused))
  expect(wrong).toEqual([
    "wrong.yaml:3: data.loss is \"cell\", expected 'cells', 'image', 'mse', 'mean' or 'head'; did you mean \"cells\"?\n",
    expect.stringContaining('extends more than 10 files'),
    'cellgrad train: --set there is no key "kk" in data; did you mean "k"?\n',
    'cellgrad train: --set there is no key "rat" in train; did you mean "rate"?\n',
    'cellgrad train: --set there is no key "bach"; did you mean "train.batch"?\n',
    expect.stringMatching(/^cellgrad train: --set train\.optimiser\.rate is "fast", expected a number ≥ 0/),
    'cellgrad train: --set is "batch", expected path=value, like train.rate=1e-3\n',
    'cellgrad train: --set task is "vidoe", expected one of growing, conditional, trajectory, classification, imageToImage, denoising, video, latent, texture; did you mean "video"?\n',
  ])
})

it('a sweep over the folds of an experiment is a cross-validation', async () => {
  await writeFile(folder('folds.yaml'), 'base: imageToImage.yaml\nfields: { validate.fold: [0, 1] }\n')
  expect(await run(['sweep', 'folds.yaml', '--out', 'folds'], { cwd: folder() })).toMatchObject({ status: 0, err: '' })
  expect(await readdir(folder('folds', 'runs'))).toHaveLength(2)
  expect(await readFile(folder('folds', 'best.yaml'), 'utf8')).toMatch(/^task: imageToImage\n/m)
})

it('ends when its patience is over, by a metric of its task, and says so in its report', async () => {
  const said = await cellgrad('train', 'classification.yaml', '--set', 'validate.metric=accuracyOfImages', '--set', 'validate.patience=2', '--set', 'train.rate=0', '--set', 'train.iterations=50', '--set', 'report={ every: 2, metrics: [accuracyOfImages], tensorboard: true }', '--out', 'patient')
  expect([said.status, said.err]).toEqual([0, ''])
  expect(said.out).toContain('Ended after iteration 3 of 50: 2 validations were not better than that of iteration 1.\n') // at a rate of 0 none is
  expect(await readdir(folder('patient', 'pictures'))).toEqual(['0000002.png'])
  expect(existsSync(folder('patient', 'tensorboard'))).toBe(true)
  const report = await readFile(folder('patient', 'report.md'), 'utf8')
  expect(report).toMatch(/\| metric \| mean \| std \| examples \|\n\| --- .*\n\| accuracyOfImages \| [\d.]+ \| [\d.]+ \| 2 \|\n\n!\[made/)
  const { validation, loss } = (await readModel(folder('patient', 'best.safetensors'))).provenance
  const [first] = (await readFile(folder('patient', 'metrics.jsonl'), 'utf8')).split('\n')
  expect(Number(loss), 'the loss when it was the best, whenever it is saved').toBe((JSON.parse(first) as { loss: number }).loss)
  expect(report).toContain(`the best by validation, ${Number(Number(validation).toPrecision(4))}; `)
  expect(await cellgrad('train', '--resume', 'patient')).toMatchObject({ status: 0, err: '' })
  expect((await readFile(folder('patient', 'metrics.jsonl'), 'utf8')).trimEnd().split('\n')).toHaveLength(3)
  const wrong = await cellgrad('train', 'classification.yaml', '--set', 'validate.metric=accurcy', '--out', 'never')
  expect(wrong).toMatchObject({ status: 2, err: expect.stringContaining('validate.metric is "accurcy", expected one of loss, accuracyOfCells, accuracyOfImages, totalAgreement') as string })
  expect(existsSync(folder('never'))).toBe(false)
})

it('several seeds and all folds are runs of their own, compared, and can be resumed', async () => {
  const args = ['imageToImage.yaml', '--set', 'train.iterations=1', '--set', 'seeds=2', '--set', 'validate.fold=all', '--out', 'several']
  const said = await cellgrad('train', ...args)
  expect([said.status, said.err]).toEqual([0, ''])
  expect((await readdir(folder('several'))).filter(name => name.startsWith('seed')).sort()).toEqual(['seed-0-fold-0', 'seed-0-fold-1', 'seed-1-fold-0', 'seed-1-fold-1'])
  const [head, ...rows] = (await readFile(folder('several', 'report.csv'), 'utf8')).trimEnd().split('\n').map(line => line.split(','))
  expect(head).toEqual(['run', 'loss', 'dice', 'iou'])
  expect(rows.map(([name]) => name)).toEqual(['seed-0-fold-0', 'seed-0-fold-1', 'seed-1-fold-0', 'seed-1-fold-1', 'mean', 'std'])
  const losses = rows.slice(0, 4).map(([, loss]) => Number(loss))
  expect(Number(rows[4][1])).toBeCloseTo(losses.reduce((a, b) => a + b) / 4, 3)
  expect(await readFile(folder('several', 'report.md'), 'utf8')).toContain('# 4 runs\n\n| run | loss | dice | iou |\n')

  const names = rows.slice(0, 4).map(([name]) => join('several', name)).join(', ')
  expect(await cellgrad('evaluate', 'several')).toMatchObject({
    status: 2, err: `cellgrad evaluate: several holds no run: it has no config.yaml; there are 4 runs in it, give one: ${names} (${join('several', 'report.md')} compares them)\n`,
  })

  await rm(folder('several', 'seed-1-fold-1'), { recursive: true })
  const more = await cellgrad('train', '--resume', 'several')
  expect([more.status, more.err]).toEqual([0, ''])
  expect(more.out.match(/Run \d of 4/g)).toEqual(['Run 4 of 4'])
  expect((await readFile(folder('several', 'report.csv'), 'utf8')).trimEnd().split('\n').map(line => line.split(','))).toEqual([head, ...rows])
})

// A short version of the long tests above: the task can be trained from a file and judged at all.
it.each(long ? [] : ['conditional', 'video'])('%s is trained and judged', async task => {
  expect(await cellgrad('train', `${task}.yaml`, '--iterations', '1', '--out', `little-${task}`)).toMatchObject({ status: 0, err: '' })
  expect(await cellgrad('evaluate', `little-${task}`, '--runs', '2', '--format', 'csv')).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^example,nqm,wrong,auroc\n\d/) })
  const judged = await cellgrad('evaluate', `little-${task}`, '--seeds', '1', '--format', 'csv', '--out', `little-${task}.png`)
  expect(judged).toMatchObject({ status: 0, err: '', out: expect.stringMatching(new RegExp(`^metric,mean,std,examples\nloss,[\\d.]+,0,\\d+\n${recoveryRows(task)}$`)) })
  const { width, height } = await readPng(folder(`little-${task}.png`))
  // Two pictures in a row, above those that are made of them; or four rows of two frames, beside those that are made.
  expect(width / height).toBeCloseTo({ conditional: 16 / 16, video: 22 / 22 }[task]!, 5)
})

it('a missing data set that can be fetched is named with the command that fetches it', async () => {
  expect(await cellgrad('train', 'digits')).toEqual({ status: 2, out: '', err: expect.stringMatching(/^cellgrad train: there is no data\/mnist; this fetches it: .* data mnist\n$/) })
})

it('data that are missing or do not fit are one sentence, and leave no run behind', async () => {
  await cp(folder('photos'), folder('few'), { recursive: true })
  await rm(folder('few', '1.png'))
  const before = (await readdir(folder())).sort()
  const tried = await Promise.all([['data.inputs=nowhere'], ['data.inputs=few'], ['rule.channels={input: 2, hidden: 2, output: 1}'], ['validate.folds=9']]
    .map(([set]) => cellgrad('train', 'imageToImage.yaml', '--set', set, '--out', 'never')))
  for (const { status, out, err } of tried) {
    expect([status, out]).toEqual([1, ''])
    expect(err.trimEnd().split('\n')).toHaveLength(1)
  }
  expect((await readdir(folder())).sort()).toEqual(before)
})
