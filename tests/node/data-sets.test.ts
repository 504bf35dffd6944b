// Data sets in their published file layouts: .npz, CIFAR-10, pairs side by side, nnU-Net's folds; on files made here.

import { mkdtemp, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { beforeAll, describe, expect, it } from 'vitest'
import { decodeCifar10, decodeSplits, encodeNpy } from '../../src/index.ts'
import { readCifar10, readNpz, readSideBySide, readSplits, writePng } from '../../src/node/index.ts'
import { sentence } from '../tensor/values.ts'
import { zipOf } from '../zip.ts'

let folder = ''
beforeAll(async () => { folder = await mkdtemp(join(tmpdir(), 'cellgrad-sets-')) })

async function complaint(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'nothing was refused', (error: Error) => error.message.replaceAll(folder, ''))
}

describe('an .npz file', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 })

  it('returns every array by its name, stored or deflated, with or without a comment at the end', async () => {
    const path = join(folder, 'a.npz')
    await fc.assert(fc.asyncProperty(fc.array(bytes, { minLength: 1, maxLength: 3 }), fc.boolean(), fc.constantFrom('', 'PK a comment'), async (arrays, deflate, comment) => {
      const files = Object.fromEntries(arrays.map((data, i) => [`train_${i}.npy`, encodeNpy({ shape: [data.length, 1], data })]))
      await writeFile(path, zipOf(files, deflate, comment))
      const got = await readNpz(path)
      expect(Object.keys(got)).toEqual(arrays.map((_, i) => `train_${i}`))
      arrays.forEach((data, i) => expect(got[`train_${i}`]).toEqual({ shape: [data.length, 1], data }))
    }), { numRuns: 30 })
  })

  it('gives one sentence or its unchanged contents if it is damaged', async () => {
    const path = join(folder, 'b.npz')
    const whole = zipOf({ 'x.npy': encodeNpy({ shape: [20], data: new Uint8Array(20).fill(3) }) }, true)
    await fc.assert(fc.asyncProperty(fc.nat(whole.length - 1), fc.nat(255), fc.nat(whole.length), async (at, byte, length) => {
      const bytes = whole.slice(0, length)
      if (at < length) bytes[at] = byte
      await writeFile(path, bytes)
      const said = await readNpz(path).then(() => 'read', (error: Error) => error.message)
      expect(said).toMatch(/^read$|^npz: .*b\.npz.*\.$|^npy: .*b\.npz.*\.$/)
    }), { numRuns: 60 })
  })

  it('says what is wrong', async () => {
    const path = join(folder, 'c.npz')
    const npy = encodeNpy({ shape: [50], data: new Uint8Array(50) })
    const said: string[] = []
    for (const bytes of [new Uint8Array(3), npy, zipOf({ 'x.npy': npy }, true), zipOf({ 'x.txt': new Uint8Array(9) }, false)]) {
      await writeFile(path, bytes)
      said.push(await complaint(readNpz(path, { maxBytes: 170 })))
    }
    expect(said).toMatchInlineSnapshot(`
      [
        "npz: /c.npz is not an .npz file (starts with 00 00 00), expected 50 4b 03 04.",
        "npz: /c.npz has 178 bytes, expected at most 170.",
        "npz: /c.npz has 182 bytes, expected at most 170.",
        "npy: /c.npz, x.txt is not an .npy file (starts with 00 00 00 00), expected 93 4e 55 4d 50 59.",
      ]
    `)
  })
})

/** A batch of CIFAR-10. */
function batchOf(labels: readonly number[], seed: number): Uint8Array {
  return Uint8Array.from({ length: 3073 * labels.length }, (_, i) => (i % 3073 === 0 ? labels[i / 3073] : (i * 31 + seed) % 256))
}

describe('CIFAR-10', () => {
  it('has pictures cell by cell, whose colour planes are one after the other in the file', () => {
    fc.assert(fc.property(fc.array(fc.nat(9), { minLength: 1, maxLength: 3 }), fc.nat(255), (given, seed) => {
      const bytes = batchOf(given, seed)
      const { images, labels, n } = decodeCifar10(bytes)
      expect([n, ...labels]).toEqual([given.length, ...given])
      for (const [i, y, x, c] of [[0, 0, 0, 0], [0, 31, 31, 2], [n - 1, 7, 20, 1]]) {
        expect(images[((i * 32 + y) * 32 + x) * 3 + c]).toBe(Math.fround(bytes[i * 3073 + 1 + c * 1024 + y * 32 + x] / 255))
      }
    }), { numRuns: 20 })
  })

  it('has five training batches and one test batch', async () => {
    for (let i = 1; i <= 5; i++) await writeFile(join(folder, `data_batch_${i}.bin`), batchOf([i, i + 1], i))
    await writeFile(join(folder, 'test_batch.bin'), batchOf([9], 7))
    const train = await readCifar10(folder)
    expect([...train.labels]).toEqual([1, 2, 2, 3, 3, 4, 4, 5, 5, 6])
    expect(train.images.slice(6144 * 4)).toEqual(decodeCifar10(batchOf([5, 6], 5)).images)
    expect((await readCifar10(folder, { train: false })).n).toBe(1)
    expect(await complaint(readCifar10(folder, { maxBytes: 40_000 }))).toMatchInlineSnapshot(`"cifar:  is too large: [4,32,32,3] float32 takes 49152 bytes, expected at most 40000; the option maxBytes raises the limit."`)
    expect([
      () => decodeCifar10(new Uint8Array(3072)), () => decodeCifar10(batchOf([10], 0)), () => decodeCifar10(batchOf([1], 0), 'x', { maxBytes: 9 }),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "cifar: input has 3072 bytes, expected 3073 for each picture.",
        "cifar: input has the class 10 for picture 0, expected one from 0 to 9.",
        "cifar: x is too large: [1,32,32,3] float32 takes 12288 bytes, expected at most 9; the option maxBytes raises the limit.",
      ]
    `)
  })
})

describe('pairs side by side', () => {
  it('are the halves of each picture', async () => {
    const wide = await mkdtemp(join(tmpdir(), 'cellgrad-pairs-'))
    const data = Float32Array.from({ length: 4 * 4 * 2 }, (_, i) => (i % 4 === 3 ? 1 : (i % 8 < 4 ? 1 : 0)))
    await writePng(join(wide, '1.png'), { width: 4, height: 2, data })
    const { inputs, targets, names } = await readSideBySide(wide)
    expect(names).toEqual(['1.png'])
    const half = (from: number): number[] => [...data.slice(4 * from, 4 * from + 8), ...data.slice(16 + 4 * from, 16 + 4 * from + 8)]
    expect([...inputs[0].data]).toEqual(half(0))
    expect([...targets[0].data]).toEqual(half(2))
    expect((await readSideBySide(wide, { inputs: 'right' })).inputs).toEqual(targets)
    await writePng(join(wide, '1.png'), { width: 3, height: 2, data: data.slice(0, 24) })
    expect((await complaint(readSideBySide(wide))).replaceAll(wide, '')).toMatchInlineSnapshot(`"pairs: /1.png is 3×2, expected an even width, for two halves."`)
  })
})

describe('folds of nnU-Net', () => {
  it('are the indices of their cases', async () => {
    const names = ['c', 'a', 'b']
    const path = join(folder, 'splits_final.json')
    await writeFile(path, JSON.stringify([{ train: ['a', 'b'], val: ['c'] }, { train: ['c'], val: [] }]))
    expect(await readSplits(path, names)).toEqual([{ train: [1, 2], test: [0] }, { train: [0], test: [] }])
    expect([
      '{', '[]', '[1]', '[{"train":["a"]}]', '[{"train":["d"],"val":[]}]', '[{"train":["a"],"val":["a"]}]',
      '[{"train":["a","b","a"],"val":["c"]}]',
    ].map(text => sentence(() => decodeSplits(text, names, 's.json')))).toMatchInlineSnapshot(`
      [
        "splits: s.json is no valid JSON.",
        "splits: s.json has no folds, expected a list of them.",
        "splits: s.json has no list train in fold 0, expected the names of its cases.",
        "splits: s.json has no list val in fold 0, expected the names of its cases.",
        "splits: s.json has the case "d" in fold 0, which is none of the 3 examples.",
        "splits: s.json has "a" in both parts of fold 0.",
        "splits: s.json has "a" twice in fold 0.",
      ]
    `)
  })
})
