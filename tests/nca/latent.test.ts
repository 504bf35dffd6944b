// Automata in latents: their first states and their loss, that the autoencoder is frozen, that they grow an image and
// heal it, and that they can be resumed.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, add, autoencoderTrainer, checkGrad, cpu, decodeCheckpoint, decodeLatents, decodeModel, decodeSafetensors, defineAutoencoder, defineRule, encodeCheckpoint,
  encodeLatents, encodeLink, encodeModel, encodeSafetensors, exportHtml, erase, damageMask, examplesOf, imageToPixels, init, initAutoencoder, key, latentImages, latentTask, latentView, mapTree, mean, mlp, mse, rollout,
  seed, subset, takeChannels, takeRole, taskTrainer, tensor, tensorToImage, train, type AutoencoderParams, type Codec, type Damage, type DataParams,
  type Tensor, type TrainerOptions, type TrainerState,
} from '../../src/index.ts'
import { play } from '../../studio/src/rooms/play/commands.ts'
import { runs } from '../long.ts'
import { sentence } from '../tensor/values.ts'

const rule = defineRule({
  channels: { latent: 3, hidden: 5 }, perceive: ['identity', 'sobelX', 'sobelY'], update: mlp(32, { lastStd: 0.05 }), fireRate: 0.5,
})
const autoencoder = defineAutoencoder({ channels: 4, latent: 3, widths: [12], code: { type: 'vq', entries: 16 } })
const side = 8
const images = examplesOf(Float32Array.from({ length: 4 * side * side * 4 }, (_, at) => {
  const [i, y, x] = [Math.floor(at / 256), Math.floor(at % 256 / 32), Math.floor(at % 32 / 4)]
  const inside = Math.hypot(y - 3.5 + i % 2, x - 3.5 - Math.floor(i / 2)) < 2.6
  return inside && (at % 4 === 3 || at % 4 === i % 3) ? 1 : 0
}), [side, side, 4])
const first: Codec = { autoencoder, params: initAutoencoder(autoencoder, key(0)) }

async function trained(): Promise<Codec> {
  const trainer = autoencoderTrainer({ autoencoder, images, batch: 4, optimiser: adam({ rate: 1e-2 }) })
  let params: AutoencoderParams | undefined
  for await (const { state } of train(trainer, { iterations: 150, every: 150 })) ({ params } = state)
  return { autoencoder, params: params! }
}

describe('a task in latents', () => {
  it('begins from a seed on the grid of latents, or from the latents of images, with the target as the condition of all cells', () => {
    expect(latentTask(rule, images, first).seeds([2, 0]).toArray()).toEqual(seed(rule, { height: 4, width: 4, batch: 2 }).toArray())
    const told = defineRule({ ...rule, channels: { latent: 3, hidden: 5, condition: 4 }, frozen: ['condition'] })
    const task = latentTask(told, images, first, { from: images, condition: 'condition' })
    fc.assert(fc.property(fc.array(fc.nat(3), { minLength: 1, maxLength: 3 }), ids => {
      const x = task.seeds(ids)
      const pictures = tensor(Float32Array.from(ids.flatMap(id => [...images.of(id) as Float32Array])), { shape: [ids.length, side, side, 4] })
      expect(takeRole(told, x, 'latent').toArray()).toEqual(encodeLatents(autoencoder, first.params, pictures).toArray())
      expect(takeRole(told, x, 'hidden').toArray().every(v => v === 0)).toBe(true)
      const conditions = [...takeRole(told, x, 'condition').toArray()]
      conditions.forEach((v, at) => expect(v).toBe(+(at % 4 === ids[Math.floor(at / 64)])))
      // The loss is of the images of latents.
      const made = decodeLatents(autoencoder, first.params, takeRole(told, x, 'latent'))
      expect(task.loss(x, ids, key(0)).toArray()).toEqual(mse(made, pictures).toArray())
      expect(task.images!.made(x, ids).toArray()).toEqual(made.toArray())
      expect(task.images!.real(ids).toArray()).toEqual(pictures.toArray())
      // A critic sees the images that it is made from, and is told the target too, in every pixel.
      const seenByCritic = task.images!.given!(x, ids)
      expect(seenByCritic.shape).toEqual([ids.length, side, side, 8])
      expect(takeChannels(seenByCritic, 0, 4).toArray()).toEqual(pictures.toArray())
      takeChannels(seenByCritic, 4, 8).toArray().forEach((v, at) => expect(v).toBe(+(at % 4 === ids[Math.floor(at / (4 * side * side))])))
    }), runs(20))
    expect(latentTask(rule, images, first).images!.given).toBeUndefined()
    const trainer = taskTrainer({ rule: told, task, batch: 2, steps: [1, 2], optimiser: adam(), critic: { widths: [4], steps: 1 } })
    const { metrics } = trainer.step(trainer.init(key(1)))
    expect(Number.isFinite(metrics.distance!.toArray()[0])).toBe(true)
  })

  it('has a gradient through the decoder and all steps, by the parameters of the rule', () => {
    // With biases, so that cells of zeros are at no kink of a leaky ReLU.
    const params = mapTree(initAutoencoder(autoencoder, key(0), { dtype: 'float64' }), p => add(p as Tensor, 0.05)) as AutoencoderParams
    const smooth = defineRule({ ...rule, update: mlp(6, { activation: 'tanh', lastStd: 0.1 }) })
    const task = latentTask(smooth, subset(images, [1]), { autoencoder, params })
    const own = init(smooth, key(1), { dtype: 'float64' })
    checkGrad((p: DataParams) => mean(task.loss(rollout(smooth, p, task.seeds([0]), key(2), { steps: 3 }), [0], key(0))), own, { order: 1, epsilon: 1e-5 })
  })

  it('grows an image that heals, with a pool of latents, and resumes from a checkpoint bit for bit; the autoencoder is unchanged', async () => {
    const codec = await trained()
    const before = await encodeCheckpoint({ ...autoencoderTrainer({ autoencoder, images, batch: 1 }).init(key(0)), params: codec.params })
    const damage: Damage = { shape: 'circle', centre: [0, 0], radius: [0.6, 0.8] }
    const options: TrainerOptions = {
      rule, task: latentTask(rule, subset(images, [1]), codec), batch: 4, steps: [8, 12], pool: 12, reseed: 1, damaged: 2, damage,
      optimiser: adam({ rate: 4e-3 }), normalise: true,
    }
    const trainer = taskTrainer(options)
    const go = async (iterations: number, state?: TrainerState<DataParams>): Promise<TrainerState<DataParams>> => {
      let last: TrainerState<DataParams> | undefined
      for await (const progress of train(trainer, { iterations, state, every: iterations, seed: 1 })) last = progress.state
      return last!
    }
    const { state } = decodeCheckpoint<DataParams>(await encodeCheckpoint(await go(20)), 'file', { trainer })
    const resumed = await go(40, state)
    expect(await encodeCheckpoint(resumed)).toEqual(await encodeCheckpoint(await go(40)))
    const end = await go(300, resumed)
    expect(await encodeCheckpoint({ ...autoencoderTrainer({ autoencoder, images, batch: 1 }).init(key(0)), params: codec.params })).toEqual(before)

    const error = (x: ReturnType<typeof seed>): number => options.task.loss(x, [0], key(0)).toArray()[0]
    const grown = rollout(rule, end.params, options.task.seeds([0]), key(5), { steps: 12 })
    const hurt = erase(grown, damageMask(key(0), damage, 1, 4, 4))
    const healed = rollout(rule, end.params, hurt, key(6), { steps: 12 })
    // The mean square of the image is 0.16.
    expect(error(grown)).toBeLessThan(0.02)
    expect(error(hurt)).toBeGreaterThan(0.06)
    expect(error(healed)).toBeLessThan(0.03)
    // The view is the decoded image.
    const seen = await latentView(rule, codec)(grown)
    expect(seen).toEqual(await tensorToImage(latentImages(rule, codec, grown)))
    expect([seen.width, seen.height]).toEqual([side, side])
  })
})

describe('a model in latents', () => {
  const model = { rule, params: init(rule, key(3)), provenance: { grid: '4' }, codec: first }

  it('is a file of rule and autoencoder, the same after it is read, in either type', async () => {
    for (const code of [{ type: 'plain' }, { type: 'vae' }, { type: 'vq', entries: 4 }] as const) {
      const own = defineAutoencoder({ ...autoencoder, code })
      const codec = { autoencoder: own, params: initAutoencoder(own, key(1)) }
      const bytes = await encodeModel({ ...model, codec })
      const read = decodeModel(bytes, 'file')
      expect(read.codec!.autoencoder).toEqual(own)
      expect(read.provenance).toEqual(model.provenance)
      expect(await encodeModel(read)).toEqual(bytes)
      const fine = decodeModel(bytes, 'file', { dtype: 'float64' })
      expect(fine.codec!.params.decoder[0].w.dtype).toBe('float64')
      const x = rollout(rule, read.params, seed(rule, { height: 4, width: 4 }), key(0), { steps: 4 })
      expect(latentImages(rule, read.codec!, x).toArray()).toEqual(latentImages(rule, codec, x).toArray())
    }
  })

  it('is refused if a part of the autoencoder is missing, superfluous, or not finite, and by everything that cannot decode it', async () => {
    const bytes = await encodeModel(model)
    const { entries, metadata } = decodeSafetensors(bytes)
    const tree = JSON.parse(metadata.tree) as { codec: { decoder: object[] } }
    const changed = (change: Partial<typeof tree>, more: Record<string, string> = {}, left: string[] = []): Uint8Array => encodeSafetensors(
      Object.fromEntries(Object.entries(entries).filter(([name]) => !left.includes(name))), { ...metadata, tree: JSON.stringify({ ...tree, ...change }), ...more },
    )
    expect(sentence(() => decodeModel(changed({ codec: { ...tree.codec, decoder: tree.codec.decoder.slice(0, 1) } }, {}, ['codec.decoder.1.w', 'codec.decoder.1.b']), 'file')))
      .toBe('file: codec.params.decoder.1.w is missing, expected a tensor [3,3,12,4] float32.')
    expect(sentence(() => decodeModel(changed({}, { autoencoder: JSON.stringify({ ...autoencoder, code: { type: 'plain' } }) }), 'file')))
      .toBe('file: there is a codec.params.codebook, which nothing needs.')
    expect(sentence(() => decodeModel(changed({}, { autoencoder: '{"channels":4}' }), 'file'))).toContain('latent is undefined')
    const { autoencoder: _autoencoder, ...rest } = metadata
    expect(sentence(() => decodeModel(encodeSafetensors(entries, rest), 'file'))).toContain('there is no params.codec')
    entries['codec.decoder.0.w'].data[5] = NaN
    expect(sentence(() => decodeModel(encodeSafetensors(entries, metadata), 'file'))).toContain('codec.decoder.0.w is NaN at [0, 0, 0, 5]')
    await expect(exportHtml(model)).rejects.toThrow('none: a page has no decoder of latents.')
    await expect(encodeLink(model)).rejects.toThrow('none: an address has no room for a decoder of latents.')
    await expect(encodeModel({ ...model, codec: { ...first, params: {} } as never })).rejects.toThrow('encodeModel: codec.params.encoder.0.w is missing')
  })
})

it('is played as decoded pictures: it begins with a living cell, is hurt cell by cell, and shares its grid with no other', async () => {
  const codec = await trained(), params = init(rule, key(3))
  const bytes = await encodeModel({ rule, params, provenance: { grid: '9' }, codec })
  const engine = { backend: cpu(), tell: () => {}, isGone: () => false }
  const facts = play.begin(engine, [{ name: 'latent', bytes }], {})
  expect([facts.kind, facts.size]).toEqual(['latent', 9])
  let x = seed(rule, { height: 9, width: 9 })
  const seen = async (): Promise<unknown> => {
    const image = await latentView(rule, codec)(x)
    return { width: image.width, height: image.height, data: imageToPixels(image) }
  }
  expect((await play.tick(engine, { steps: 0 })).pixels).toEqual(await seen())
  x = rollout(rule, params, x, key(0), { steps: 5 })
  const { pixels } = await play.tick(engine, { steps: 5 })
  expect([pixels.width, pixels.height]).toEqual([18, 18])
  expect(pixels).toEqual(await seen())
  play.touch(engine, { tool: 'erase', x: 4, y: 4, radius: 2, paint: [] })
  x = erase(x, tensor(Uint32Array.from({ length: 81 }, (_, i) => +(Math.hypot(i % 9 - 4, Math.floor(i / 9) - 4) <= 2)), { shape: [1, 9, 9] }))
  expect((await play.tick(engine, { steps: 0 })).pixels).toEqual(await seen())
  expect(sentence(() => play.begin(engine, [{ name: 'latent', bytes }, { name: 'other', bytes }], {})))
    .toBe('latent: this rule lives in the latents of an autoencoder of its own, and cannot share its grid.')
})

it('is refused by name if rule, images and autoencoder do not fit together', () => {
  const other = defineRule({ ...rule, channels: { latent: 2, hidden: 6 } })
  expect(sentence(() => latentTask(other, images, first))).toBe('latentTask: channels.latent is 2, expected 3, the latents of the autoencoder.')
  expect(sentence(() => latentView(defineRule({ ...rule, channels: { rgba: 4 } }), first)))
    .toBe('latentView: channels.latent is undefined, expected 3, the latents of the autoencoder.')
  expect(sentence(() => latentTask(rule, examplesOf(new Float32Array(63), [3, 7, 3]), first)))
    .toBe('latentTask: targets.shape is [3, 7, 3], expected sides that are multiples of 2, and 4 channels.')
  expect(sentence(() => latentTask(rule, images, first, { from: subset(images, [0]) })))
    .toBe('latentTask: from is 1 of 8×8, expected 4 of 8×8, as the targets.')
  expect(sentence(() => latentTask(rule, images, first, { condition: 'hidden' }))).toContain('hidden')
  expect(sentence(() => latentTask(rule, images, { autoencoder } as never))).toContain('latentTask: codec is')
})
