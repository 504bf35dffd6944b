// Volumes from files: segmented and classified whole or plane by plane; results have the position of the volume.

import { gzipSync } from 'node:zlib'
import { cp, mkdir, writeFile } from 'node:fs/promises'
import { beforeAll, expect, it, vi } from 'vitest'
import { encodeNifti, encodeNpy, key, uniform } from '../../src/index.ts'
import { readNifti, readNpy, readPng } from '../../src/node/index.ts'
import { zipOf } from '../zip.ts'
import { runHere } from './here.ts'
import { temporaryFolder } from './run.ts'

vi.setConfig({ testTimeout: 180_000 })
const folder = temporaryFolder()
const cellgrad = (...args: string[]) => runHere(args, { cwd: folder() })

const small = 'saveEvery: 2\ntrain:\n  batch: 2\n  steps: [2, 4]\n  optimiser: { type: adam, rate: 0.01 }\n  iterations: 4\n'
const update = 'update: { hidden: 4, lastStd: 0.1 }'
const [rule, shape] = [`rule: { grid: 3, channels: { input: 1, hidden: 2, output: 2 }, frozen: [input], perceive: [identity, sobelZ], ${update} }`, [4, 5, 6]]
const affine = [[0, -2, 0, 90], [1.5, 0, 0, -126], [0, 0, 3, -72]]
const numbers = (seed: number): Float32Array => Float32Array.from(uniform(key(seed), [120]).toArray(), x => 100 + 900 * x)
beforeAll(async () => {
  for (const name of ['scans', 'labels', 'kinds/a', 'kinds/b']) await mkdir(folder(name), { recursive: true })
  for (let i = 0; i < 4; i++) {
    await writeFile(folder('scans', `case_${i}.nii.gz`), gzipSync(i === 1 ? encodeNifti({ shape, data: numbers(i), affine }) : niftiOf(shape, numbers(i))))
    const labels = encodeNpy({ shape, data: Uint8Array.from(numbers(i), x => Number(x > 500)) })
    await writeFile(folder('labels', `case_${i}.npz`), zipOf({ 'mask.npy': labels }, true))
    await writeFile(folder('kinds', i % 2 === 0 ? 'a' : 'b', `${i}.npy`), encodeNpy({ shape, data: numbers(i) }))
  }
})

it('are cut into planes for a rule of planes, and its results have their position', async () => {
  const plane = 'rule: { channels: { input: 1, hidden: 2, output: 1 }, frozen: [input], perceive: [identity], update: { hidden: 4, lastStd: 1 } }'
  await writeFile(folder('planes.yaml'), `task: imageToImage\ndata: { inputs: scans, outputs: labels, loss: dice, crop: [3, 1, 4] }\n${plane}\n${small}`)
  expect(await cellgrad('train', 'planes.yaml', '--iterations', '1', '--out', 'planes')).toMatchObject({ status: 0, err: '', out: expect.stringContaining('from 20 examples of 4×3 cells') })
  // Each of five planes has a number of its own, and its cells see nothing else.
  await writeFile(folder('layers.npy'), encodeNpy({ shape, data: Float32Array.from({ length: 120 }, (_, i) => Math.floor(i / 6) % 5) }))
  expect(await cellgrad('predict', 'planes', 'layers.npy', 'scans/case_1.nii.gz', '--out', 'layers')).toMatchObject({ status: 0, err: '', out: 'layers/layers.npy\nlayers/case_1.nii.gz\n' })
  const { data, shape: made } = await readNpy(folder('layers', 'layers.npy'))
  expect(made.slice(0, 3)).toEqual(shape)
  const layers = [0, 1, 2, 3, 4].map(y => new Set(Array.from(data).filter((_, i) => Math.floor(i / 6) % 5 === y)))
  expect([layers.map(({ size }) => size), new Set(layers.flatMap(layer => [...layer])).size]).toEqual([[1, 1, 1, 1, 1], 5])
  expect(await readNifti(folder('layers', 'case_1.nii.gz'))).toMatchObject({ shape, affine })
})

it('are segmented: each cell has the class of its label, or is in a mask', async () => {
  await writeFile(folder('segment.yaml'), `task: imageToImage\ndata: { inputs: scans, outputs: labels, loss: classes, standardise: true }\n${rule}\nvalidate: { every: 1, folds: 2, metric: accuracyOfCells }\n${small}`)
  const said = await cellgrad('train', 'segment.yaml', '--iterations', '2', '--out', 'segment')
  expect([said.status, said.err]).toEqual([0, ''])
  expect(said.out).toContain('Learning imageToImage from 2 examples of 6×5×4 cells, judged by 2 others')
  // Rows of inputs, targets and results, each with two planes of 6×5 cells and two pixels between them.
  expect(await readPng(folder('segment', 'made.png'))).toMatchObject({ width: 26 * 14, height: 26 * 19 })
  const judged = await cellgrad('evaluate', 'segment', '--seeds', '1', '--format', 'csv')
  expect(judged).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^metric,mean,std,examples\nloss,[\d.]+,0,2\naccuracyOfCells,[\d.]+,0,2\n$/) })

  expect(await cellgrad('predict', 'segment', 'scans', '--out', 'segmented')).toMatchObject({ status: 0, err: '' })
  const one = await readNifti(folder('segmented', 'case_1.nii.gz'))
  expect(one).toMatchObject({ shape, affine, spacing: [1.5, 2, 3] }) // it lies where the scan lies
  expect(Array.from(one.data).every(label => label === 0 || label === 1)).toBe(true)
  // A rule that was trained on standardised numbers is applied to such: scaling and shifting the input changes nothing.
  await writeFile(folder('other.npy'), encodeNpy({ shape, data: numbers(1).map(x => 3 * x - 50) }))
  expect(await cellgrad('predict', 'segment', 'other.npy', '--out', 'segmented', '--runs', '2')).toMatchObject({ status: 0, err: '' })
  expect((await readNpy(folder('segmented', 'other.uncertainty.npy'))).shape).toEqual(shape)
  expect((await readNpy(folder('segmented', 'other.npy'))).data).toEqual(one.data)
})

it('are classified', async () => {
  await writeFile(folder('kinds.yaml'), `task: classification\ndata: { images: kinds, standardise: true, loss: mse }\nrule: { grid: 3, channels: { image: 1, classes: 2 }, frozen: [image], perceive: [identity, sobelZ], ${update} }\nreport: { metrics: [loss] }\n${small}`)
  expect(await cellgrad('train', 'kinds.yaml', '--iterations', '1', '--out', 'kinds-1')).toMatchObject({ status: 0, err: '' })
  expect(await cellgrad('predict', 'kinds-1', 'kinds/a/0.npy', '--out', 'said')).toMatchObject({ status: 0, err: '', out: expect.stringMatching(/^kinds\/a\/0\.npy: class [ab]\nsaid\/0\.npy\n$/) })
})

it('are refused in one sentence if they do not fit', async () => {
  await writeFile(folder('kinds', 'b', 'plane.npy'), encodeNpy({ shape: [5, 6], data: new Float32Array(30) }))
  await mkdir(folder('few'), { recursive: true })
  await cp(folder('labels', 'case_0.npz'), folder('few', 'case_0.npz'))
  await mkdir(folder('series'), { recursive: true })
  await writeFile(folder('series', 'case_0.nii.gz'), gzipSync(encodeNifti({ shape: [...shape, 3], data: new Float32Array(3 * 120), affine })))
  const tried = await Promise.all([
    ['kinds.yaml'], ['segment.yaml', '--set', 'data.inputs=series', '--set', 'data.outputs=few'], ['segment.yaml', '--set', 'data.outputs=few'], ['segment.yaml', '--set', 'rule.channels={ input: 2, hidden: 2, output: 2 }'],
    ['segment.yaml', '--set', 'data.inputs=few', '--set', 'data.outputs=scans'],
    ['kinds.yaml', '--set', 'data.limit=3'], ['kinds.yaml', '--set', 'data.size=3'],
  ].map(args => cellgrad('train', ...args, '--out', 'never')))
  expect(tried.map(({ err }) => err.replaceAll(`${folder()}/`, ''))).toEqual([
    'data: kinds/b/plane.npy is [5,6], expected 3 axes of cells, as the rule has.\n',
    'data: series/case_0.nii.gz is [4,5,6,3], whose fourth axis is time, expected 3 axes of cells: a file for each time.\n',
    'data: few has no case_1, expected as the partner of scans/case_1.nii.gz.\n',
    'data: scans/case_0.nii.gz is [4,5,6], expected 3 axes of cells and 2 channels, as the rule has.\n',
    'data: few has no case_1, expected as the partner of scans/case_1.nii.gz.\n',
    'data: limit is 3, expected null, for a folder for each class: the first would be of one class.\n',
    'data: size is 3, expected null, for arrays, which stay as they are.\n',
  ])
})

/** The bytes of a NIfTI file of float32 numbers. In the file x runs fastest, in a row-major array z. */
function niftiOf([x, y, z]: readonly number[], data: Float32Array): Uint8Array {
  const bytes = Buffer.alloc(352 + 4 * data.length)
  bytes.writeInt32LE(348, 0)
  for (const [i, n] of [3, x, y, z, 1, 1, 1, 1].entries()) bytes.writeInt16LE(n, 40 + 2 * i)
  bytes.writeInt16LE(16, 70)
  bytes.writeInt16LE(32, 72)
  bytes.writeFloatLE(352, 108)
  bytes.write('n+1\0', 344, 'latin1')
  for (let i = 0; i < data.length; i++) {
    const [c, b, a] = [i % z, Math.floor(i / z) % y, Math.floor(i / (y * z))]
    bytes.writeFloatLE(data[i], 352 + 4 * (a + x * (b + y * c)))
  }
  return bytes
}
