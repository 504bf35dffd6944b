// Models, checkpoints, animations and bundled pictures as files.

import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { add, channelView, customRule, defineRule, init, key, mlp, mul, rollout, seed, tensor, upscale } from '../../src/index.ts'
import { imageToTensor, tensorToImage } from '../../src/nca/files/image-tensor.ts'
import { fit, padImage, type Image } from '../../src/nca/files/image.ts'
import { growingTrainer } from '../../src/nca/tasks/growing.ts'
import { presets } from '../../src/nca/training/presets.ts'
import { bundledEmoji, bundledModels, findAsset, version } from '../../src/node/assets.ts'
import { emoji, play, readCheckpoint, readModel, readPng, saveCheckpoint, saveGif, saveModel, writeFilmStrip } from '../../src/node/index.ts'

let folder: string
const at = (name: string): string => join(folder, name)
beforeEach(async () => { folder = await mkdtemp(join(tmpdir(), 'cellgrad-')) })
afterEach(() => rm(folder, { recursive: true }))

const rule = defineRule({
  channels: { rgba: 4, hidden: 3 }, perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(6, { lastStd: 0.4 }), fireRate: 0.5, living: { channel: 3, above: 0.1 },
})

describe('a model file', () => {
  it('brings back rule, parameters and provenance', async () => {
    const params = init(rule, key(3))
    await saveModel(at('m.safetensors'), { rule, params, provenance: { target: '🦎' } })
    const model = await readModel(at('m.safetensors'))
    expect(model.rule).toEqual(rule)
    expect(model.provenance).toEqual({ target: '🦎' })
    expect(model.params.update.w2.toArray()).toEqual(params.update.w2.toArray())
  })

  it('is named in messages', async () => {
    await expect(readModel(at('no.safetensors'))).rejects.toThrow(/^model: cannot read .*no\.safetensors \(ENOENT/)
    await expect(readCheckpoint(at('no.safetensors'))).rejects.toThrow(/^checkpoint: cannot read .*no\.safetensors \(ENOENT/)
    await saveModel(at('m.safetensors'), { rule, params: init(rule, key(3)), provenance: {} })
    await expect(readCheckpoint(at('m.safetensors'))).rejects.toThrow(/m\.safetensors is not a cellgrad checkpoint/)
    const bytes = await readFile(at('m.safetensors'))
    for (const length of [0, 7, 8, 100, bytes.length - 1]) {
      await writeFile(at('cut.safetensors'), bytes.subarray(0, length))
      await expect(readModel(at('cut.safetensors')), `${length} bytes`).rejects.toThrow(/cut\.safetensors: .+/)
    }
  })
})

it('a checkpoint file brings back a training state, bit for bit', async () => {
  const target = imageToTensor(padImage(fit(await emoji('fish'), 4), 1))
  const trainer = growingTrainer({ ...presets.persistent, rule, target, batch: 2, pool: 5, steps: [2, 4] })
  const { state } = trainer.step(trainer.step(trainer.init(key(1))).state)
  await saveCheckpoint(at('c.safetensors'), state, { note: 'mine' })
  const { state: again, metadata } = await readCheckpoint(at('c.safetensors'))
  expect(metadata).toEqual({ note: 'mine' })
  expect([again.iteration, again.key]).toEqual([2, state.key])
  const [a, b] = [trainer.step(state).state, trainer.step(again).state]
  expect(b.params.update.w1.toArray()).toEqual(a.params.update.w1.toArray())
  expect(b.pool.map(slot => [...slot.toArray()])).toEqual(a.pool.map(slot => [...slot.toArray()]))
})

describe('play', () => {
  it('shows the states of the rollout with the same key', async () => {
    const params = init(rule, key(3))
    const steps: number[] = []
    for await (const { step, image } of play(rule, params, { key: key(8), steps: 7, size: 9, every: 3, angle: 0.3 })) {
      steps.push(step)
      const start = seed(rule, { height: 9, width: 9 })
      expect(image).toEqual(await tensorToImage(step === 0 ? start : rollout(rule, params, start, key(8), { steps: step, angle: 0.3 })))
    }
    expect(steps).toEqual([0, 3, 6, 7])
  })

  it('damages once, and begins from a given state, which it does not change', async () => {
    const params = init(rule, key(3))
    const start = tensor(new Float32Array(9 * 9 * 7).fill(1), { shape: [1, 9, 9, 7] })
    const still = customRule({ channels: { all: 7 }, init: () => ({}), step: (_, x) => add(x, mul(x, 0)) })
    const erased: number[] = []
    for await (const { image } of play(still, {}, { key: key(0), steps: 4, size: 9, start, damageAt: 3, view: tensorToImage })) {
      erased.push(image.data.filter((v, i) => i % 4 === 3 && v === 0).length)
    }
    expect(erased.slice(0, 3)).toEqual([0, 0, 0])
    expect(erased[3]).toBeGreaterThan(2)
    expect(erased[4]).toBe(erased[3])
    expect(start.toArray()[0]).toBe(1)
    // A consumer may leave early.
    for await (const { step } of play(rule, params, { key: key(0), steps: 100, size: 9 })) if (step === 2) break
  })

  it('shows any rule, by default or by a view of one\'s own', async () => {
    const pair = customRule({ channels: { u: 1, v: 1 }, init: () => ({}), step: (_, x) => mul(x, 0.5) })
    const options = { key: key(0), steps: 2, size: 3 }
    const images: Image[] = []
    for await (const { image } of play(pair, {}, options)) images.push(image)
    const green = (i: number): number => images[i].data[4 * (7 + 1) + 1] // of the middle cell of u: 1 is white
    expect(images.map(({ width, height }) => [width, height])).toEqual([[7, 3], [7, 3], [7, 3]])
    expect([green(0) < green(1), green(1) < green(2), green(2) < 1]).toEqual([true, true, true])
    await saveGif(at('pair.gif'), pair, {}, { ...options, scale: 2, view: channelView(1) })
    expect((await readFile(at('pair.gif'))).readUInt16LE(6)).toBe(6)
    await writeFilmStrip(at('pair.png'), pair, {}, { key: key(0), size: 3, at: [0, 1], scale: 1, view: x => upscale({ width: 1, height: 1, data: Float32Array.of(x.shape.at(-1)! / 2, 0, 0, 1) }, 4) })
    expect(await readPng(at('pair.png'))).toMatchObject({ width: 10, height: 4 })
    const bad = play(pair, {}, { ...options, view: () => 'a picture' as never })
    await expect(bad.next()).rejects.toThrow('play: what view returned is "a picture", expected an image')
  })

  it('is refused before it is made if it would be too large', async () => {
    let steps = 0
    const counting = customRule({ channels: { rgba: 4 }, init: () => ({}), step: (_, x) => { steps++; return mul(x, 1) } })
    const options = { key: key(0), size: 9 }
    const film = (more: object): Promise<void> => saveGif(at('no.gif'), counting, {}, { ...options, steps: 3, ...more })
    const strip = (more: object): Promise<void> => writeFilmStrip(at('no.png'), counting, {}, { ...options, at: [0, 3], ...more })
    await expect(film({ steps: 999_999 })).rejects.toThrow(
      'saveGif: there would be 1000000 frames of 9×9 pixels, expected at most 67108864 pixels in all; see every')
    await expect(film({ scale: 8000 })).rejects.toThrow('saveGif: the animation would have 72000×72000 pixels, expected sides')
    await expect(film({ steps: 1e12 })).rejects.toThrow('play: steps is 1000000000000, expected at most a million pictures')
    await expect(strip({ scale: 1e4 })).rejects.toThrow(/^writeFilmStrip: the picture would have \d+×\d+ pixels/)
    await expect(strip({ columns: 1e9 })).rejects.toThrow(/^writeFilmStrip: the picture would have \d+×\d+ pixels/)
    expect(steps).toBe(0)
    await writeFilmStrip(at('twice.png'), counting, {}, { ...options, at: [0, 2, 2], scale: 1 })
    expect(await readPng(at('twice.png'))).toMatchObject({ width: 20, height: 9 })
  })

  it('becomes a GIF and a film strip', async () => {
    const params = init(rule, key(3))
    await saveGif(at('a.gif'), rule, params, { key: key(8), steps: 6, size: 9, every: 2, scale: 3 })
    const gif = await readFile(at('a.gif'))
    expect([gif.readUInt16LE(6), gif.readUInt16LE(8)]).toEqual([27, 27])
    expect(gif.toString('latin1').split('\x21\xf9\x04')).toHaveLength(1 + 4)
    await writeFilmStrip(at('s.png'), rule, params, { key: key(8), at: [0, 2, 5], size: 9, columns: 2, scale: 1 })
    const strip = await readPng(at('s.png'))
    expect([strip.width, strip.height]).toEqual([2 * 9 + 2, 2 * 9 + 2])
    expect(strip.data[4 * (4 * strip.width + 4) + 3]).toBe(1) // the seed of the first picture
  })
})

describe('the package', () => {
  it('has the ten emoji of the paper, by character and by name', async () => {
    const list = await bundledEmoji()
    expect(list.map(({ character }) => character).sort()).toEqual(['🦎', '😀', '💥', '👁️', '🐠', '🦋', '🐞', '🕸️', '🥨', '🎄'].sort())
    for (const { name, character, path } of list) {
      expect(findAsset(list, character)?.path).toBe(path)
      expect(findAsset(list, name)?.path).toBe(path)
      expect(await emoji(name)).toMatchObject({ width: 64, height: 64 })
    }
    for (const what of ['👁', 'Eye']) expect(findAsset(list, what)?.name).toBe('eye')
    expect(findAsset(list, 'lady beetle')?.character).toBe('🐞')
    await expect(emoji('👩‍💻')).rejects.toThrow(/ save https:\/\/\S+\/png\/128\/emoji_u1f469_200d_1f4bb\.png and give its path$/)
    await expect(emoji('☀️')).rejects.toThrow(/ save https:\/\/\S+\/emoji_u2600\.png and give its path$/)
    for (const none of ['7', '🇩🇪', 'café', '']) await expect(emoji(none)).rejects.toThrow(/spider-web$/)
    await expect(emoji('dragon')).rejects.toThrow(/^emoji: there is no "dragon" among the bundled ones: 🦋 butterfly, .*🕸️ spider-web$/)
  })

  it('has models that can be read', async () => {
    for (const { path } of await bundledModels()) expect((await readModel(path)).rule.type).toBe('data')
  })

  it('knows its version', () => {
    expect(version).toMatch(/^\d+\.\d+\.\d+/)
  })
})
