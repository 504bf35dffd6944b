// The data of experiments in usual forms: files by patterns, several arrays in a file, labels, videos as frames, volumes of
// different sizes in pieces; on files made here.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, it } from 'vitest'
import {
  lessonOf, runConfigOf, splitOf, type Experiment, type Lesson, type TaskData, type TaskName, type Values,
} from '../../src/experiment/index.ts'
import { heldOut } from '../../src/cli/run/lesson.ts'
import {
  colours, encodeNpy, evaluate, init, key, mse, patchTransport, rollout, sub, takeRole, tensor, uniform, type Examples, type Image,
} from '../../src/index.ts'
import { scaleInvariant, ssim } from '../../src/nca/index.ts'
import { filesNamed, pairsNamed, pathsNamed } from '../../src/node/data/named.ts'
import { piecesOf, type ArrayExample } from '../../src/node/data/volumes.ts'
import { readAutoencoderImages } from '../../src/node/data/task-data.ts'
import { encodePng, readTaskData } from '../../src/node/index.ts'
import { zipOf } from '../zip.ts'

let folder = ''
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'cellgrad-task-data-')) })
afterAll(() => rm(folder, { recursive: true }))

const at = (...parts: string[]): string => join(folder, ...parts)
async function put(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(at(path)), { recursive: true })
  await writeFile(at(path), bytes)
}
const npy = (shape: readonly number[], data: Uint8Array | Float32Array): Uint8Array => encodeNpy({ shape, data })
const greyPng = (width: number, height: number, shades: ArrayLike<number>): Uint8Array => (
  encodePng({ width, height, data: Float32Array.from({ length: 4 * width * height }, (_, i) => (i % 4 === 3 ? 1 : shades[i >> 2] / 255)) })
)

const training = { iterations: 1, batch: 1, steps: [1, 2] }
const rules: Partial<Record<TaskName, Values>> = {
  classification: { channels: { image: 1, classes: 3 }, frozen: ['image'] },
  imageToImage: { channels: { input: 1, output: 1 }, frozen: ['input'] },
  video: { channels: { input: 1, output: 1 }, frozen: ['input'] },
  conditional: { channels: { rgba: 4, condition: 2 }, frozen: ['condition'] },
  texture: { channels: { rgb: 3, hidden: 2 } },
}

function experimentOf<T extends TaskName>(task: T, data: Values, rule: Values = {}, more: Values = {}): Experiment<T> {
  const made = runConfigOf({ task, data, rule: { perceive: ['identity'], update: { hidden: 2, lastStd: 0.5 }, ...rules[task], ...rule }, train: training, ...more })
  if ('mistakes' in made) throw new Error(made.mistakes.map(({ key, says }) => `${key} ${says}`).join('\n'))
  return made.config as Experiment<T>
}

const read = <T extends TaskName>(task: T, data: Values, rule?: Values): Promise<TaskData[T]> => readTaskData(experimentOf(task, data, rule), folder)
const refused = (promise: Promise<unknown>): Promise<string> => promise.then(() => 'nothing was refused', (error: Error) => error.message.replaceAll(`${folder}/`, ''))
const all = ({ n, of }: Examples): number[][] => Array.from({ length: n }, (_, i) => Array.from(of(i)))

it('pieces of an array are adjacent, around its middle, and have its numbers', () => {
  const axis = fc.integer({ min: 1, max: 7 })
  const scenes = fc.integer({ min: 1, max: 3 }).chain(rank => fc.tuple(fc.array(axis, { minLength: rank, maxLength: rank }), fc.integer({ min: 1, max: 2 })))
    .chain(([shape, m]) => fc.tuple(fc.constant({ shape, m }), fc.tuple(...shape.map(n => fc.integer({ min: 1, max: n })))))
  fc.assert(fc.property(scenes, ([{ shape, m }, crop]) => {
    const data = Float32Array.from({ length: shape.reduce((a, b) => a * b, m) }, (_, i) => i)
    const pieces = piecesOf('x', { shape: [...shape, m], data }, crop, crop.length)
    const counts = shape.map((n, i) => Math.floor(n / crop[i]))
    expect(pieces).toHaveLength(counts.reduce((a, b) => a * b, 1))
    pieces.forEach((piece, k) => {
      expect(piece.shape).toEqual([...crop, m])
      Array.from(piece.data).forEach((value, j) => {
        // The place in the whole array, from the index of the piece and the place in it.
        let [which, within, place, step] = [k, Math.floor(j / m), 0, 1]
        for (let i = crop.length - 1; i >= 0; i--) {
          const first = (shape[i] - counts[i] * crop[i]) >> 1
          place += (first + (which % counts[i]) * crop[i] + within % crop[i]) * step
          ;[which, within, step] = [Math.floor(which / counts[i]), Math.floor(within / crop[i]), step * shape[i]]
        }
        expect(value).toBe(place * m + j % m)
      })
    })
  }))
  const volume: ArrayExample = { shape: [2, 3, 4, 1], data: Float32Array.from({ length: 24 }, (_, i) => i) }
  const planes = piecesOf('x', volume, [2, 3, 1], 2)
  expect(planes.map(({ shape, data }) => [shape, ...Array.from(data)])).toEqual([0, 1, 2, 3].map(z => [[2, 3, 1], ...[0, 4, 8, 12, 16, 20].map(i => i + z)]))
  expect(() => piecesOf('x', volume, [2, 4, 1], 2)).toThrow('data: crop[1] is 4, expected at most 3, as x has cells.')
  expect(() => piecesOf('x', volume, [2, 2, 2], 2)).toThrow('data: crop is [2, 2, 2], expected a size for each of 2 axes')
})

it('files are named by a folder, a pattern, a list or a path, and are pairs if they have the same key', async () => {
  for (const name of ['brats/a/a_t1.npy', 'brats/a/a_seg.npy', 'brats/b/b_t1.npy', 'brats/b/b_seg.npy', 'brats/b/notes.txt', 'one.npy', 'two.npz']) await put(name, '')
  const named = (...paths: string[]): string[] => paths.map(path => path.replace(`${folder}/`, ''))
  const place = (path: string | string[]): string | string[] => (typeof path === 'string' ? at(path) : path.map(one => at(one)))
  const pairs = (a: string | string[], b: string | string[]): string[][] => pairsNamed(place(a), place(b)).map(({ key, input, output }) => [key, ...named(input, output)])
  expect(pairs('brats/*/*_t1.npy', 'brats/*/*_seg.npy')).toEqual([['a/a', 'brats/a/a_t1.npy', 'brats/a/a_seg.npy'], ['b/b', 'brats/b/b_t1.npy', 'brats/b/b_seg.npy']])
  expect(pairs(['one.npy', 'brats/a/a_t1.npy'], ['two.npz:mask', 'brats/b/b_seg.npy'])).toEqual([['1', 'one.npy', 'two.npz:mask'], ['2', 'brats/a/a_t1.npy', 'brats/b/b_seg.npy']])
  expect(pairs('one.npy', 'two.npz')).toEqual([['', 'one.npy', 'two.npz']])
  expect(pathsNamed(at('brats/*/*_t1.npy')).map(path => named(path)[0])).toEqual(['brats/a/a_t1.npy', 'brats/b/b_t1.npy'])
  expect([pathsNamed(at('two.npz:mask')), pathsNamed(at('brats')), pathsNamed('🦎')]).toEqual([[at('two.npz')], [at('brats')], []])
  expect(() => filesNamed(at('brats/*.nii'))).toThrow('brats/*.nii.')
  expect(() => pairs('brats/*/*_t1.npy', 'brats/*/b_seg.npy')).toThrow(/has no b, expected as the partner of .*brats\/b\/b_seg\.npy\.$/)
  expect(() => pairs('brats/*/*_t1.npy', 'one.npy')).toThrow(/has no one file, expected as the partner of .*one\.npy\.$/)
  expect(() => filesNamed(at('nothing'))).toThrow('there is no file or folder')
  expect(() => filesNamed(at('brats/b'))).not.toThrow()
})

it('labels are grouped as the file says: all but 0, those of each class, or as they are', async () => {
  const labels = [0, 7, 2, 2, 0, 3, 7, 1]
  await put('seen.npy', npy([2, 4], Float32Array.from({ length: 8 }, (_, i) => i)))
  await put('labels.npy', npy([2, 4], Uint8Array.from(labels)))
  await put('pictures/in/x.png', greyPng(4, 2, labels.map(x => 30 * x)))
  await put('pictures/out/x.png', greyPng(4, 2, labels))
  const masks = async (data: Values, rule: Values = {}): Promise<number[]> => all((await read('imageToImage', { inputs: 'seen.npy', outputs: 'labels.npy', loss: 'dice', ...data }, rule)).outputs)[0]
  const three = { channels: { input: 1, output: 3 } }
  expect(await masks({ labels: 'foreground' })).toEqual(labels.map(x => Number(x > 0)))
  expect(await masks({ labels: [[2, 7]] })).toEqual(labels.map(x => Number(x === 2 || x === 7)))
  const unit = (k: number): number[] => [0, 1, 2].map(i => Number(i === k))
  const told = labels.flatMap(x => unit(x === 2 ? 1 : x === 3 || x === 7 ? 2 : 0))
  expect(await masks({ labels: [2, [3, 7]], loss: 'classes' }, three)).toEqual(told)
  expect(await masks({ inputs: 'pictures/in', outputs: 'pictures/out', labels: [2, [3, 7]], loss: 'classes' }, three)).toEqual(told)
  // If there are several masks, grey pictures have labels, and coloured ones a mask in each channel.
  await put('pictures/few/x.png', greyPng(4, 2, labels.map(x => x % 3)))
  await put('pictures/rgb/x.png', encodePng({ width: 4, height: 2, data: Float32Array.from({ length: 32 }, (_, i) => Number(i % 4 === 3 || i % 4 === (i >> 2) % 3)) }))
  const several = (outputs: string): Promise<number[]> => masks({ inputs: 'pictures/in', outputs, loss: 'dice' }, three)
  expect(await several('pictures/few')).toEqual(labels.flatMap(x => unit(x % 3)))
  expect(await several('pictures/rgb')).toEqual(labels.flatMap((_, i) => unit(i % 3)))
  expect(await refused(masks({ inputs: 'pictures/in', outputs: 'pictures/rgb', loss: 'classes' }, three))).toBe('data: pictures/rgb/x.png is coloured, expected shades of grey, each the number of a class.')
  expect(() => experimentOf('imageToImage', { inputs: 'a', outputs: 'b', loss: 'classes' })).toThrow('rule.channels.output is 1, expected at least 2 for data.loss: classes')
  expect(await refused(masks({}))).toMatch(/^data: labels\.npy has the label 7, expected a number from 0 to 1, as the rule has 1 output channel; data\.labels says/)
  expect(await refused(masks({ loss: 'classes' }, three))).toMatch(/^data: labels\.npy has the label 7, expected a whole number from 0 to 2/)
  expect(await refused(masks({ labels: [2], loss: 'classes' }, three))).toMatch(/^data: labels is \[2\], expected a label or a list of labels for each of the 3 classes/)
  expect(await refused(masks({ labels: [2], loss: 'mse' }))).toBe('data: labels is [2], expected null, where the loss compares numbers, mse.')
  // Values, unlike labels, are not changed; bytes become numbers from 0 to 1, as in pictures.
  expect(await masks({ loss: 'depth', outputs: 'seen.npy' })).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(await masks({ loss: 'mse' })).toEqual(Array.from(Float32Array.from(labels, x => x / 255)))
})

it('volumes of different sizes become pieces of the same size; those of a file are in one fold, or held out together', async () => {
  for (const [i, shape] of [[4, 5, 3], [6, 4, 3], [4, 4, 2]].entries()) {
    const numbers = Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, j) => j + 100 * i)
    await put(`scans/${i}.npy`, npy(shape, numbers))
    await put(`marks/${i}.npy`, npy(shape, numbers.map(x => Number(x % 2 > 0))))
  }
  const data = { inputs: 'scans', outputs: 'marks', loss: 'bce', crop: [2, 4, 1] }
  const { inputs, outputs, groups } = await read('imageToImage', data)
  expect([inputs.n, inputs.shape, outputs.shape]).toEqual([2 * 3 + 3 * 3 + 2 * 2, [2, 4, 1], [2, 4, 1]])
  expect(all(outputs)).toEqual(all(inputs).map(piece => piece.map(x => x % 2)))
  expect(groups?.map(path => Number(/(\d)\.npy$/.exec(path)![1]))).toEqual(all(inputs).map(([x]) => Math.floor(x / 100)))
  for (const validate of [{ every: 1, folds: 3, fold: 1 }, { every: 1, split: 0.34 }]) {
    const experiment = experimentOf('imageToImage', data, {}, { validate })
    const lesson = lessonOf(experiment, { inputs, outputs, ...(groups && { groups }) })
    const { train, test } = splitOf(experiment, lesson)
    expect([test.length > 0, train.length + test.length]).toEqual([true, inputs.n])
    expect(test.some(id => train.some(other => groups![other] === groups![id]))).toBe(false)
  }
  expect((await read('imageToImage', { ...data, limit: 7 })).inputs.n).toBe(7)
  const whole = await refused(read('imageToImage', { ...data, crop: null }, { grid: 3 }))
  expect(whole).toBe('data: scans/1.npy is 6×4×3, but scans/0.npy is 4×5×3, expected one size; data.crop cuts pieces of one size, data.size fits pictures.')
  // One axis more than the grid has is that of examples.
  expect((await read('imageToImage', { inputs: 'scans/2.npy', outputs: 'marks/2.npy' })).inputs).toMatchObject({ n: 4, shape: [4, 2, 1] })
  // The whole file is standardised, as in `cellgrad predict`, not each piece.
  const of = await read('imageToImage', { ...data, standardise: true })
  const first = all(of.inputs).slice(0, 6).flat()
  expect(Math.max(...first)).toBeGreaterThan(1.5)
})

it('images and their classes are read from files like those of MedMNIST and Keras, part by part', async () => {
  const images = (n: number, from: number): Uint8Array => npy([n, 2, 3], Uint8Array.from({ length: 6 * n }, (_, i) => from + i))
  const med = zipOf({
    'train_images.npy': images(4, 0), 'train_labels.npy': npy([4, 1], Uint8Array.of(0, 1, 2, 1)),
    'val_images.npy': images(1, 60), 'val_labels.npy': npy([1, 1], Uint8Array.of(2)),
  }, true)
  await put('med.npz', med)
  await put('keras.npz', zipOf({ 'x_train.npy': images(4, 0), 'y_train.npy': npy([4], Uint8Array.of(0, 1, 2, 1)) }, false))
  await put('own.npz', zipOf({ 'images.npy': images(4, 0), 'labels.npy': npy([4], Uint8Array.of(0, 1, 2, 1)) }, false))
  for (const file of ['med.npz', 'keras.npz', 'own.npz']) {
    const { n, shape, of, labels } = await read('classification', { images: file })
    expect([n, shape, Array.from(labels)]).toEqual([4, [2, 3, 1], [0, 1, 2, 1]])
    expect(Array.from(of(1))).toEqual(Array.from(Float32Array.of(6, 7, 8, 9, 10, 11), x => Math.fround(x / 255)))
  }
  const held = await read('classification', { images: 'med.npz', part: 'val' })
  expect([held.n, Array.from(held.labels)]).toEqual([1, [2]])
  expect(await refused(read('classification', { images: 'med.npz', part: 'test' }))).toBe('data: med.npz has the arrays train_images, train_labels, val_images, val_labels, expected test_images and test_labels, or x_test and y_test.')
  await put('odd.npz', zipOf({ 'images.npy': images(2, 0), 'labels.npy': npy([2, 3], new Uint8Array(6)) }, false))
  expect(await refused(read('classification', { images: 'odd.npz' }))).toBe('data: odd.npz, labels is [2,3], expected a class for each of 2 images, [2] or [2,1].')
  expect(await refused(read('classification', { images: 'med.npz' }, { channels: { image: 2, classes: 3 }, frozen: ['image'] }))).toMatch(/^data: med\.npz, train_images is \[4,2,3\], expected 2 axes of cells and 2 channels/)
  await put('kinds/a/1.png', greyPng(2, 2, [1, 2, 3, 4]))
  expect(await refused(read('classification', { images: 'kinds', part: 'test' }))).toMatch(/^data: part is "test", expected train, for a folder for each class/)
})

it('an array of an .npz file is named after a colon', async () => {
  await put('set.npz', zipOf({ 'scans.npy': npy([3, 2, 2], Float32Array.from({ length: 12 }, (_, i) => i)), 'masks.npy': npy([3, 2, 2], Uint8Array.from({ length: 12 }, (_, i) => i % 2)) }, true))
  const { inputs, outputs } = await read('imageToImage', { inputs: 'set.npz:scans', outputs: 'set.npz:masks', loss: 'bce' })
  expect([inputs.n, all(inputs)[2], all(outputs)[2]]).toEqual([3, [8, 9, 10, 11], [0, 1, 0, 1]])
  expect(await refused(read('imageToImage', { inputs: 'set.npz', outputs: 'set.npz:masks' }))).toBe('data: set.npz has scans, masks, expected the name of one, as in set.npz:scans.')
  expect(await refused(read('imageToImage', { inputs: 'set.npz:scan', outputs: 'set.npz:masks' }))).toMatch(/^data: set\.npz has no array scan, but scans, masks/)
})

it('videos are arrays, or their frames as pictures in folders', async () => {
  const frame = (video: number, i: number): number[] => [0, 1, 2, 3, 4, 5].map(j => 40 * video + 10 * i + j)
  for (const [video, length] of [3, 4].entries()) for (let i = 0; i < length; i++) await put(`films/${video}/${i + 8}.png`, greyPng(3, 2, frame(video, i)))
  const films = await read('video', { frames: 'films', k: 1 })
  expect([films.n, films.shape]).toEqual([2, [3, 2, 3]])
  all(films).forEach((numbers, video) => numbers.forEach((x, j) => expect(x).toBeCloseTo(frame(video, Math.floor(j / 6))[j % 6] / 255, 5)))
  expect(await read('video', { frames: 'films/1', k: 1 })).toMatchObject({ n: 1, shape: [4, 2, 3] })
  expect(await read('video', { frames: 'films', k: 1, size: 2, limit: 1 })).toMatchObject({ n: 1, shape: [3, 2, 2] })
  expect(await refused(read('video', { frames: 'filmz', size: 2 }))).toBe('data: there is no file or folder filmz.')
  await put('film.npz', zipOf({ 'frames.npy': npy([3, 2, 3], Uint8Array.from([0, 1, 2].flatMap(i => frame(0, i)))) }, false))
  expect(all(await read('video', { frames: 'film.npz', k: 1 }))[0]).toEqual([0, 1, 2].flatMap(i => frame(0, i)).map(x => Math.fround(x / 255)))
})

it('every loss and every option of a task that a file names is that of the library', async () => {
  const n = 2, size = 12
  const numbers = (seed: number): Float32Array => Float32Array.from(uniform(key(seed), [n * size * size]).toArray(), x => 0.1 + x)
  const examples = (seed: number): Examples => ({ n, shape: [size, size, 1], of: i => numbers(seed).subarray(i * size * size, (i + 1) * size * size) })
  const data = { inputs: examples(1), outputs: examples(2) }
  const wanted = tensor(numbers(2), { shape: [n, size, size, 1] })
  const expected: Record<string, (x: ReturnType<typeof tensor>) => ReturnType<typeof tensor>> = {
    mse: x => mse(x, wanted), ssim: x => sub(1, ssim(x, wanted)), depth: x => scaleInvariant(x, wanted),
  }
  for (const [loss, by] of Object.entries(expected)) {
    const experiment = experimentOf('imageToImage', { inputs: 'a', outputs: 'b', loss })
    const lesson: Lesson = lessonOf(experiment, data)
    const params = init(experiment.rule, key(3))
    const x = rollout(experiment.rule, params, lesson.task.seeds([0, 1]), key(4), { steps: 2 })
    expect(lesson.task.loss(x, [0, 1], key(0)).toArray()).toEqual(by(takeRole(experiment.rule, x, 'output')).toArray())
    const values = await Promise.all(Object.values(lesson.measures).map(measure => evaluate(experiment.rule, lesson.task, params, { steps: 2, measure })))
    expect(values.flat().every(Number.isFinite)).toBe(true)
    expect((await lesson.show(x, [0, 1], params)).width).toBeGreaterThan(size)
  }

  const picture: Image = { width: 16, height: 16, data: Float32Array.from(uniform(key(5), [1024]).toArray(), (v, i) => (i % 4 === 3 ? 1 : v)) }
  const options = { image: 'a', size: 16, levels: 2, patch: 3, projections: 8, ranges: { rgb: [-9, 9] } }
  const made = lessonOf(experimentOf('texture', options), picture)
  const state = uniform(key(6), [1, 16, 16, 5])
  const texture = tensor(picture.data.filter((_, i) => i % 4 < 3), { shape: [16, 16, 3] })
  const transport = patchTransport(colours(state), texture, key(7), { levels: 2, size: 3, projections: 8 })
  expect(made.task.loss(state, [0], key(7)).toArray()[0]).toBeCloseTo(transport.toArray()[0], 6)

  const spots = [picture, picture]
  const seeded = lessonOf(experimentOf('conditional', { targets: ['a', 'b'], cells: 'seed' }, { frozen: [] }), spots)
  const [here, there] = [8, 0].map(i => takeRole({ channels: { rgba: 4, condition: 2 } }, seeded.task.seeds([1]), 'condition').toArray().subarray((i * 16 + i) * 2, (i * 16 + i) * 2 + 2)).map(v => [...v])
  expect([here, there]).toEqual([[0, 1], [0, 0]])
  expect(() => lessonOf(experimentOf('conditional', { targets: ['a', 'b'], cells: 'seed' }), spots)).toThrow('conditionalTask: cells is "seed"')
})

it('pictures that are pairs side by side give a half to the input and the other to the target', async () => {
  await put('sides/x.png', greyPng(4, 1, [0, 51, 102, 255]))
  const sides = { inputs: 'sides', outputs: 'sides', loss: 'mse' }
  const [dark, light] = [[0, 0.2], [0.4, 1]].map(shades => shades.map(v => expect.closeTo(v, 6)))
  const halves = async (half: string): Promise<number[][]> => {
    const { inputs, outputs } = await read('imageToImage', { ...sides, half })
    expect([inputs.shape, outputs.shape]).toEqual([[1, 2, 1], [1, 2, 1]])
    return [...all(inputs), ...all(outputs)]
  }
  expect(await halves('left')).toEqual([dark, light])
  expect(await halves('right')).toEqual([light, dark])
  // The other half may have labels: shades of grey, each the number of a class.
  await put('labelled/x.png', greyPng(4, 1, [9, 200, 0, 7]))
  const labelled = await read('imageToImage', { inputs: 'labelled', outputs: 'labelled', half: 'left', loss: 'dice', labels: 'foreground' })
  expect(all(labelled.outputs)).toEqual([[0, 1]])
  await put('odd/x.png', greyPng(3, 1, [1, 2, 3]))
  expect([
    await refused(read('imageToImage', { inputs: 'odd', outputs: 'odd', half: 'left' })),
    await refused(read('imageToImage', { inputs: 'seen.npy', outputs: 'seen.npy', half: 'left' })),
  ]).toEqual([
    'data: odd/x.png is 3×1, expected an even width, for two halves.',
    'data: half is "left", expected null, for arrays, which are no pairs side by side (seen.npy).',
  ])
  expect(() => experimentOf('imageToImage', { ...sides, outputs: 'odd', half: 'left' })).toThrow('data.outputs is "odd", expected sides, as data.inputs, where data.half is left: each picture is a pair')
})

it('the folds of nnU-Net hold out the examples of their cases, named by what the stars stand for', async () => {
  for (const name of ['a', 'b', 'c', 'd']) {
    await put(`nn/imagesTr/${name}_0000.npy`, npy([2, 2, 2], new Float32Array(8)))
    await put(`nn/labelsTr/${name}.npy`, npy([2, 2, 2], new Uint8Array(8)))
  }
  const data = { inputs: 'nn/imagesTr/*_0000.npy', outputs: 'nn/labelsTr/*.npy', loss: 'dice' }
  const held = async (folds: unknown, validate: Values): Promise<unknown> => {
    await put('splits.json', JSON.stringify(folds))
    const experiment = experimentOf('imageToImage', data, {}, { validate: { every: 1, splits: at('splits.json'), ...validate } })
    return heldOut(experiment, lessonOf(experiment, await readTaskData(experiment, folder)))
  }
  const folds = [{ train: ['d', 'a'], val: ['b'] }, { train: ['c'], val: ['a', 'b'] }]
  // Each file has two examples; a case that a fold leaves out is in neither part.
  expect(await held(folds, { folds: 2, fold: 0 })).toEqual({ train: [0, 1, 6, 7], test: [2, 3] })
  expect(await held(folds, { folds: 2, fold: 1 })).toEqual({ train: [4, 5], test: [0, 1, 2, 3] })
  expect([
    await refused(held(folds, {})), await refused(held([{ train: ['a'], val: [] }, folds[1]], { folds: 2 })),
    await refused(held([{ train: ['a'], val: ['e'] }], { folds: 2 })),
  ]).toMatchInlineSnapshot(`
    [
      "validate: folds is 5, expected 2, as splits.json has.",
      "validate: fold is 0, expected one of splits.json with cases on either side.",
      "splits: splits.json has the case "e" in fold 0, which is none of the 4 examples.",
    ]
  `)
  const wrong = (task: TaskName, data: Values, validate: Values) => (): unknown => experimentOf(task, data, {}, { validate: { every: 1, splits: 'x.json', ...validate } })
  expect(wrong('imageToImage', data, { split: 0.2 })).toThrow('validate.splits is "x.json", expected null beside a split or groups: it has the folds already')
  expect(wrong('imageToImage', data, { groups: 'y.txt' })).toThrow('validate.splits is "x.json", expected null beside a split or groups')
  expect(wrong('classification', { images: 'flowers' }, {})).toThrow('validate.splits is "x.json", expected null: only cases of imageToImage have names')
})

it('the autoencoder of a task in latents learns from no picture that is held out', async () => {
  const picture = (v: number): Image => ({ width: 2, height: 2, data: new Float32Array(16).fill(v) })
  const experiment = { data: { size: 2, padding: 0, autoencoder: { images: null } } } as Experiment<'latent'>
  const pictures = { targets: [1, 2, 3].map(picture), from: [4, 5, 6].map(picture) }
  const seen = async (data: TaskData['latent'], train: readonly number[]): Promise<number[]> => {
    const { n, of } = await readAutoencoderImages(experiment, data, train, '.')
    return Array.from({ length: n }, (_, i) => of(i)[0])
  }
  expect(await seen(pictures, [2, 0])).toEqual([3, 1, 6, 4])
  expect(await seen({ ...pictures, from: null }, [1])).toEqual([2])
})
