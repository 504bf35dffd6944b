// Data sets as files: real digits, folders of pictures, and the errors if something is missing or damaged.

import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gunzipSync, gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { movingMnist } from '../../src/nca/data/moving-mnist.ts'
import { encodeNpy } from '../../src/nca/data/npy.ts'
import { fit, type Image } from '../../src/nca/files/image.ts'
import { readIdx, readImageFolder, readMnist, readNifti, readNpy, readPairs } from '../../src/node/data/data.ts'
import { encodePng } from '../../src/node/pictures/png.ts'
import { key } from '../../src/tensor/key.ts'
import { pictures } from './pictures.ts'

const sample = (name: string): string => fileURLToPath(new URL(`../data/${name}`, import.meta.url))
const digitFile = sample('mnist-20-images-idx3-ubyte.gz')
const labelFile = sample('mnist-20-labels-idx1-ubyte.gz')

let folder: string
const at = (...names: string[]): string => join(folder, ...names)
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'cellgrad-')) })
afterEach(() => rm(folder, { recursive: true }))

async function write(path: string, bytes: Uint8Array | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, bytes)
}

/** The message of the error with which a promise rejects. */
async function rejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => { throw new Error('nothing was thrown') }, (error: Error) => error.message)
}

describe('readIdx', () => {
  it('reads real digits and their labels, compressed or not', async () => {
    const images = await readIdx(digitFile)
    expect(images.shape).toEqual([20, 28, 28])
    expect([...(await readIdx(labelFile)).data]).toEqual([7, 2, 1, 0, 4, 1, 4, 9, 5, 9, 0, 6, 9, 0, 1, 5, 9, 7, 3, 4])
    // The 7: a stroke on the top, then one that goes down to the left; the corners are empty.
    const row = (y: number): string =>
      Array.from(images.data.subarray(y * 28, y * 28 + 28), x => (x > 127 ? '#' : '.')).join('')
    expect([row(0), row(8), row(20)])
      .toEqual(['............................', '......###############.......', '.............###............'])
    await write(at('plain'), gunzipSync(await readFile(digitFile)))
    expect(await readIdx(at('plain'))).toEqual(images)
  })

  it('names the file if it is missing or damaged', async () => {
    expect(await rejection(readIdx(at('no')))).toMatch(/^idx: cannot read .*no \(ENOENT: no such file or directory/)
    const whole = await readFile(labelFile)
    for (let length = 0; length < whole.length; length++) {
      await write(at('cut.gz'), whole.subarray(0, length))
      expect(await rejection(readIdx(at('cut.gz'))), `${length} bytes`).toMatch(/^idx: .*cut\.gz is .+$/)
    }
  })
})

describe('readMnist', () => {
  const spellings = fc.record({ dot: fc.constantFrom('-', '.'), zip: fc.boolean(), train: fc.boolean() })
  /** The sample as one half of MNIST. */
  async function lay(where: string, { dot, zip, train }: { dot: string; zip: boolean; train: boolean }): Promise<void> {
    for (const [file, name] of [[digitFile, `images${dot}idx3-ubyte`], [labelFile, `labels${dot}idx1-ubyte`]]) {
      const bytes = await readFile(file)
      const path = join(where, `${train ? 'train' : 't10k'}-${name}`)
      await (zip ? write(`${path}.gz`, bytes) : write(path, gunzipSync(bytes)))
    }
  }

  it('reads images from 0 to 1 and labels, under both spellings of the names', async () => {
    const { data } = await readIdx(digitFile)
    let n = 0
    await fc.assert(fc.asyncProperty(spellings, async how => {
      const where = at(`mnist${n++}`)
      await lay(where, how)
      const mnist = await readMnist(where, how.train ? {} : { train: false })
      expect(mnist.n).toBe(20)
      expect(mnist.images).toEqual(Float32Array.from(data, x => x / 255))
      expect(mnist.labels.slice(0, 5)).toEqual(Uint8Array.of(7, 2, 1, 0, 4))
      await expect(readMnist(where, { train: !how.train })).rejects.toThrow(/^mnist: .* has none of /)
    }), { numRuns: 8 })
  })

  it('gives digits that can be moved', async () => {
    await lay(folder, { dot: '-', zip: true, train: true })
    const digits = await readMnist(folder)
    const { frames, shape } = movingMnist(digits, key(2), { count: 4, length: 5, digits: 1 })
    expect(shape).toEqual([4, 5, 64, 64])
    const sum = (x: Float32Array): number => x.reduce((a, b) => a + b, 0)
    const sums = Array.from({ length: 20 }, (_, i) => sum(digits.images.subarray(i * 784, (i + 1) * 784)))
    for (let i = 0; i < 20; i++) {
      const inFrame = sum(frames.subarray(i * 4096, (i + 1) * 4096))
      expect(Math.min(...sums.map(x => Math.abs(x - inFrame))), `frame ${i}`).toBeLessThan(1e-3)
    }
  })

  it('says what is wrong', async () => {
    expect(await rejection(readMnist(at('no')))).toMatch(/^mnist: cannot read .*no \(ENOENT/)
    expect(await rejection(readMnist(folder))).toBe(
      `mnist: ${folder} has none of train-images-idx3-ubyte, train-images-idx3-ubyte.gz, train-images.idx3-ubyte, `
      + 'train-images.idx3-ubyte.gz, expected one of them.')
    await lay(folder, { dot: '-', zip: true, train: true })
    const labels = gunzipSync(await readFile(labelFile))
    labels[7] = 19
    await write(at('train-labels-idx1-ubyte.gz'), labels.subarray(0, 27))
    expect(await rejection(readMnist(folder))).toBe(
      `mnist: ${folder} has train images [20,28,28] and labels [19], expected bytes [n,28,28] and [n].`)
    await write(at('train-labels-idx1-ubyte.gz'), await readFile(digitFile))
    expect(await rejection(readMnist(folder))).toMatch(/images \[20,28,28\] and labels \[20,28,28\], expected/)
  })
})

/** A picture of one colour. */
function plain(width: number, height: number, grey: number): Image {
  const data = Float32Array.from({ length: width * height * 4 }, (_, i) => (i % 4 === 3 ? 1 : grey / 255))
  return { width, height, data }
}

describe('readImageFolder', () => {
  it('reads the PNG files of a folder, sorted, and nothing else', async () => {
    await write(at('b.png'), encodePng(plain(3, 2, 20)))
    await write(at('a.PNG'), encodePng(plain(3, 2, 10)))
    await write(at('notes.txt'), 'hello')
    await write(at('.hidden', 'c.png'), encodePng(plain(9, 9, 0)))
    const read = await readImageFolder(folder)
    expect(read).toEqual({
      names: ['a.PNG', 'b.png'], images: [plain(3, 2, 10), plain(3, 2, 20)], classes: [], labels: new Int32Array(0),
    })
  })

  it('takes folders as classes', async () => {
    for (const [i, name] of ['dog/1', 'cat/2', 'cat/1', 'emu/1'].entries()) {
      await write(at(`${name}.png`), encodePng(plain(2, 2, i)))
    }
    const { names, images, classes, labels } = await readImageFolder(folder)
    expect(names).toEqual(['cat/1.png', 'cat/2.png', 'dog/1.png', 'emu/1.png'])
    expect(images).toEqual([2, 1, 0, 3].map(grey => plain(2, 2, grey)))
    expect(classes).toEqual(['cat', 'dog', 'emu'])
    expect(labels).toEqual(Int32Array.of(0, 0, 1, 2))
  })

  it('follows links to folders and pictures, and names one that leads nowhere', async () => {
    await write(at('data', 'cats', '1.png'), encodePng(plain(2, 2, 1)))
    await write(at('data', 'a.png'), encodePng(plain(2, 2, 2)))
    await mkdir(at('set', 'dog'), { recursive: true })
    await symlink(at('data', 'cats'), at('set', 'cat'))
    await symlink(at('data', 'a.png'), at('set', 'dog', 'b.png'))
    const { names, images, classes } = await readImageFolder(at('set'))
    expect(names).toEqual(['cat/1.png', 'dog/b.png'])
    expect(images).toEqual([1, 2].map(grey => plain(2, 2, grey)))
    expect(classes).toEqual(['cat', 'dog'])
    await symlink(at('data', 'gone'), at('set', 'emu'))
    expect(await rejection(readImageFolder(at('set')))).toMatch(/^images: cannot read .*emu \(ENOENT/)
  })

  it('reads pictures of every kind, up to a limit', async () => {
    await write(at('a.jpeg'), pictures['jpeg'])
    await write(at('b.WEBP'), pictures['webp'])
    await write(at('c.gif'), pictures['gif'])
    expect((await readImageFolder(folder)).names).toEqual(['a.jpeg', 'b.WEBP', 'c.gif'])
    expect(await rejection(readImageFolder(folder, { maxPixels: 100 }))).toMatch(/^jpeg: .*a\.jpeg is too large/)
    expect(await rejection(readImageFolder(folder, { sise: 3 } as object))).toMatch(/did you mean "size"\?$/)
  })

  it('requires one size, or fits all pictures into a square', async () => {
    await write(at('a.png'), encodePng(plain(3, 2, 20)))
    await write(at('b.png'), encodePng(plain(8, 8, 40)))
    expect(await rejection(readImageFolder(folder)))
      .toBe(`images: ${at('b.png')} is 8×8, but ${at('a.png')} is 3×2, expected one size; size fits them.`)
    const { images } = await readImageFolder(folder, { size: 4 })
    expect(images).toEqual([fit(plain(3, 2, 20), 4), fit(plain(8, 8, 40), 4)])
    expect(await rejection(readImageFolder(folder, { size: 0 }))).toBe('readImageFolder: size is 0, expected a whole number > 0.')
  })

  it('says what is wrong', async () => {
    expect(await rejection(readImageFolder(at('no')))).toMatch(/^images: cannot read .*no \(ENOENT/)
    expect(await rejection(readImageFolder(folder))).toBe(`images: ${folder} has no pictures.`)
    await mkdir(at('cat'))
    expect(await rejection(readImageFolder(at('cats')))).toMatch(/^images: cannot read .*cats \(ENOENT.*\); did you mean "cat"\?$/)
    expect(await rejection(readImageFolder(folder))).toBe(`images: ${at('cat')}, a class, has no pictures.`)
    await write(at('a.png'), encodePng(plain(3, 2, 20)))
    expect(await rejection(readImageFolder(folder)))
      .toBe(`images: ${folder} has both a.png and the folder cat, expected files or folders.`)
    await rm(at('cat'), { recursive: true })
    await write(at('b.png'), 'GIF89a')
    expect(await rejection(readImageFolder(folder))).toMatch(/^gif: .*b\.png is truncated/)
  })
})

describe('readPairs', () => {
  it('puts files of the same name together', async () => {
    for (const [i, name] of ['2', '10', 'a'].entries()) {
      await write(at('scans', `${name}.png`), encodePng(plain(2, 3, i)))
      await write(at('masks', `${name}.png`), encodePng(plain(2, 3, 100 + i)))
    }
    const { inputs, targets, names } = await readPairs(at('scans'), at('masks'))
    expect(names).toEqual(['10.png', '2.png', 'a.png'])
    expect(inputs).toEqual([1, 0, 2].map(grey => plain(2, 3, grey)))
    expect(targets).toEqual([101, 100, 102].map(grey => plain(2, 3, grey)))
  })

  it('pairs a photo with its mask, of another kind', async () => {
    await write(at('scans', '1.jpg'), pictures['jpeg'])
    await write(at('masks', '1.png'), encodePng(plain(16, 8, 5)))
    const { names, targets } = await readPairs(at('scans'), at('masks'))
    expect([names, targets]).toEqual([['1.jpg'], [plain(16, 8, 5)]])
    await write(at('masks', '1.gif'), pictures['gif'])
    expect(await rejection(readPairs(at('scans'), at('masks')))).toBe(
      `pairs: ${at('masks')} has 1.gif and 1.png, expected one as the partner of ${at('scans', '1.jpg')}.`)
  })

  it('says what is missing or does not fit', async () => {
    const say = (): Promise<string> => rejection(readPairs(at('scans'), at('masks')))
    expect(await say()).toMatch(/^pairs: cannot read .*scans \(ENOENT/)
    await mkdir(at('scans'))
    expect(await say()).toMatch(/^pairs: cannot read .*masks \(ENOENT/)
    await mkdir(at('masks'))
    expect(await say()).toBe(`pairs: ${at('scans')} has no pictures.`)
    await write(at('scans', 'a.png'), encodePng(plain(2, 2, 0)))
    expect(await say())
      .toBe(`pairs: ${at('masks', 'a.png')} is missing, expected as the partner of ${at('scans', 'a.png')}.`)
    await write(at('masks', 'a.png'), encodePng(plain(2, 3, 0)))
    expect(await say())
      .toBe(`pairs: ${at('masks', 'a.png')} is 2×3, but ${at('scans', 'a.png')} is 2×2, expected one size.`)
    await write(at('masks', 'b.png'), encodePng(plain(2, 2, 0)))
    expect(await say())
      .toBe(`pairs: ${at('scans', 'b.png')} is missing, expected as the partner of ${at('masks', 'b.png')}.`)
    await write(at('scans', 'b.png'), encodePng(plain(4, 4, 0)))
    expect(await say())
      .toBe(`pairs: ${at('scans', 'b.png')} is 4×4, but ${at('scans', 'a.png')} is 2×2, expected one size.`)
  })
})

describe('readNpy and readNifti', () => {
  it('read files, compressed or not', async () => {
    const array = { shape: [2, 1], data: Float32Array.of(3, 4) }
    await write(at('a.npy'), encodeNpy(array))
    await write(at('a.npy.gz'), gzipSync(encodeNpy(array)))
    expect(await readNpy(at('a.npy'))).toEqual(array)
    expect(await readNpy(at('a.npy.gz'))).toEqual(array)
    const volume = new Uint8Array(355)
    const header = new DataView(volume.buffer)
    header.setInt32(0, 348)
    ;[3, 3, 1, 1].forEach((x, i) => header.setInt16(40 + 2 * i, x))
    header.setInt16(70, 2)
    header.setFloat32(108, 352)
    volume.set([0x6e, 0x2b, 0x31], 344)
    volume.set([7, 8, 9], 352)
    await write(at('a.nii.gz'), gzipSync(volume))
    const data = Uint8Array.of(7, 8, 9)
    expect(await readNifti(at('a.nii.gz'))).toEqual({ shape: [3, 1, 1], data, spacing: [1, 1, 1], affine: [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0]] })
  })

  it('stop at their limit, also for compressed and endless files', async () => {
    const bomb = gzipSync(new Uint8Array(5e6))
    await write(at('bomb.gz'), bomb)
    for (const [what, read] of [['idx', readIdx], ['npy', readNpy], ['nifti', readNifti]] as const) {
      expect(await rejection(read(at('bomb.gz'), { maxBytes: 1e6 })))
        .toBe(`${what}: ${at('bomb.gz')} holds more than 1000000 bytes, expected at most 1000000.`)
      expect(await rejection(read(at('bomb.gz'), { maxBytes: bomb.length - 1 })))
        .toBe(`${what}: ${at('bomb.gz')} has ${bomb.length} bytes, expected at most ${bomb.length - 1}.`)
      expect(await rejection(read('/dev/zero', { maxBytes: 1e6 })))
        .toBe(`${what}: /dev/zero has more than 1000000 bytes, expected at most 1000000.`)
      expect(await rejection(read(at('bomb.gz'), { maxBytes: 0 }))).toMatch(/^read\w+: maxBytes is 0, expected/)
      expect(await rejection(read(folder))).toMatch(/^\w+: cannot read .* \(EISDIR/)
    }
  })

  it('name the file', async () => {
    expect(await rejection(readNpy(at('no.npy')))).toMatch(/^npy: cannot read .*no\.npy \(ENOENT/)
    expect(await rejection(readNifti(at('no.nii')))).toMatch(/^nifti: cannot read .*no\.nii \(ENOENT/)
    await write(at('text'), 'hello, hello')
    expect(await rejection(readNpy(at('text')))).toBe(
      `npy: ${at('text')} is not an .npy file (starts with 68 65 6c 6c), expected 93 4e 55 4d 50 59.`)
    expect(await rejection(readNifti(at('text')))).toMatch(/^nifti: .*text is not a NIfTI-1 file/)
    await write(at('torn.gz'), gzipSync('hello, hello').subarray(0, 20))
    expect(await rejection(readNifti(at('torn.gz'))))
      .toBe(`nifti: ${at('torn.gz')} is damaged (unexpected end of file)`)
  })
})
