// Autoencoders: encoding and decoding, the three losses and their derivatives, training and resuming.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, autoencoderLoss, autoencoderTrainer, checkGrad, decodeCheckpoint, decodeLatents, defineAutoencoder, encodeCheckpoint,
  encodeLatents, examplesOf, grad, initAutoencoder, key, mean, mul, normal, sgd, square, sub, sum, tensor,
  train, uniform, type AutoencoderParams, type Code, type Tensor, type TrainerState,
} from '../../src/index.ts'
import { autoencoderShapes, encoded } from '../../src/nca/latent/autoencoder.ts'
import { nearestEntries, nearestIndices, straightThrough } from '../../src/nca/latent/codebook.ts'
import { tensorsIn } from '../../src/nca/training/check-state.ts'
import { sentence } from '../tensor/values.ts'
import { runs } from '../long.ts'

type State = TrainerState<AutoencoderParams>

const draw = (n: number, shape: readonly number[]): Tensor => uniform(key(n), shape, { low: -1, high: 1, dtype: 'float64' })
const codes: readonly Code[] = [{ type: 'plain' }, { type: 'vae', weight: 0.3 }, { type: 'vq', entries: 5, commitment: 0.25 }]
const sizes = fc.record({
  channels: fc.integer({ min: 1, max: 4 }), latent: fc.integer({ min: 1, max: 3 }), code: fc.constantFrom(...codes),
  widths: fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 2 }),
})

it('encodes images to latents, smaller by 2 to the power of its layers, and decodes them, each image by itself', () => {
  fc.assert(fc.property(sizes, fc.nat(1000), ({ widths, ...rest }, n) => {
    const autoencoder = defineAutoencoder({ widths, ...rest }), f = 2 ** widths.length
    const params = initAutoencoder(autoencoder, key(n), { dtype: 'float64' })
    expect([...tensorsIn(params)].map(([path, { shape }]) => [path, [...shape]]))
      .toEqual([...tensorsInShapes(autoencoderShapes(autoencoder))])
    const images = draw(n, [2, f, 3 * f, rest.channels])
    const z = encodeLatents(autoencoder, params, images)
    expect(z.shape).toEqual([2, 1, 3, rest.latent])
    expect(decodeLatents(autoencoder, params, z).shape).toEqual(images.shape)
    const first = tensor(images.toArray().slice(0, 3 * f * f * rest.channels), { shape: [1, ...images.shape.slice(1)] })
    expect([...encodeLatents(autoencoder, params, first).toArray()]).toEqual([...z.toArray()].slice(0, 3 * rest.latent))
  }), runs(30))
})

/** Shapes by their paths, in the order of the tree. */
function* tensorsInShapes({ encoder, decoder, codebook }: ReturnType<typeof autoencoderShapes>): Generator<[string, readonly number[]]> {
  for (const [name, layers] of Object.entries({ encoder, decoder })) {
    for (const [i, layer] of layers.entries()) for (const [leaf, shape] of Object.entries(layer)) yield [`${name}.${i}.${leaf}`, shape]
  }
  if (codebook) yield ['codebook', codebook]
}

describe('a codebook', () => {
  it('gives each cell the nearest entry, and an entry itself', () => {
    fc.assert(fc.property(fc.nat(1000), fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 3 }), (n, entries, c) => {
      const z = draw(n, [2, 2, 3, c]), codebook = draw(n + 1, [entries, c])
      const rows = [...codebook.toArray()], cells = [...z.toArray()]
      const distance = (cell: number, k: number): number =>
        Array.from({ length: c }, (_, j) => (cells[cell * c + j] - rows[k * c + j]) ** 2).reduce((a, b) => a + b)
      const nearest = [...nearestIndices(z, codebook).toArray()]
      nearest.forEach((k, cell) => {
        for (let other = 0; other < entries; other++) expect(distance(cell, k)).toBeLessThanOrEqual(distance(cell, other) + 1e-12)
      })
      expect([...nearestEntries(z, codebook).toArray()]).toEqual(nearest.flatMap(k => rows.slice(k * c, (k + 1) * c)))
      expect([...nearestIndices(codebook, codebook).toArray()]).toEqual(Array.from({ length: entries }, (_, k) => k))
    }))
  })

  it('passes the cotangent of an entry on to the quantised value, unchanged, and nothing to the entry', () => {
    const z = draw(1, [1, 2, 2, 2]), entries = draw(2, [1, 2, 2, 2]), weight = draw(3, [1, 2, 2, 2])
    expect(straightThrough(z, entries).toArray()).toEqual(entries.toArray())
    const loss = (at: Tensor): Tensor => sum(mul(weight, square(at)))
    const [ofZ, ofEntries] = grad((both: readonly [Tensor, Tensor]) => loss(straightThrough(...both)))([z, entries] as const)
    expect([...ofZ.toArray()]).toEqual([...grad(loss)(entries).toArray()])
    expect([...ofEntries.toArray()].every(v => v === 0)).toBe(true)
  })
})

describe('the loss of an autoencoder', () => {
  const images = draw(7, [2, 4, 4, 2])
  const of = (code: Code) => {
    const autoencoder = defineAutoencoder({ channels: 2, latent: 2, widths: [3], code })
    return { autoencoder, params: initAutoencoder(autoencoder, key(4), { dtype: 'float64' }) }
  }

  it('has the derivative of differences, with the divergence of a VAE from N(0, 1)', () => {
    for (const code of codes.slice(0, 2)) {
      const { autoencoder, params } = of(code)
      checkGrad((p: AutoencoderParams) => autoencoderLoss(autoencoder, p, images, key(3)), params, { order: 1, epsilon: 1e-4 })
    }
  })

  it('of a VAE is the error of a sample, and the closed form of the divergence', () => {
    const weight = 0.3, { autoencoder, params } = of({ type: 'vae', weight })
    const z = [...encoded(autoencoder, params, images).toArray()]
    const mu = z.filter((_, i) => i % 4 < 2), logVariance = z.filter((_, i) => i % 4 >= 2)
    const epsilon = normal(key(3), [2, 2, 2, 2], { dtype: 'float64' }).toArray()
    const sample = tensor(Float64Array.from(mu, (m, i) => m + Math.exp(logVariance[i] / 2) * epsilon[i]), { shape: [2, 2, 2, 2] })
    const error = mean(square(sub(decodeLatents(autoencoder, params, sample), images))).toArray()[0]
    const kl = mu.reduce((total, m, i) => total + (m * m + Math.exp(logVariance[i]) - 1 - logVariance[i]) / 2, 0) / mu.length
    expect(autoencoderLoss(autoencoder, params, images, key(3)).toArray()[0]).toBeCloseTo(error + weight * kl, 10)
  })

  it('of a VQ-VAE moves entries to their quantised values, and the encoder by the error at the entries and by its commitment', () => {
    const commitment = 0.25, { autoencoder, params } = of({ type: 'vq', entries: 5, commitment })
    const grads = grad((p: AutoencoderParams) => autoencoderLoss(autoencoder, p, images, key(0)))(params)
    const z = encoded(autoencoder, params, images), entries = nearestEntries(z, params.codebook!)
    const moved = grad((codebook: Tensor) => mean(square(sub(z, nearestEntries(z, codebook)))))(params.codebook!)
    expectNear(grads.codebook!, moved)
    // By its definition: the cotangent of the entries is that of z.
    const g = grad((e: Tensor) => mean(square(sub(decodeLatents(autoencoder, params, e), images))))(entries)
    const straight = grad((p: AutoencoderParams) => {
      const own = encoded(autoencoder, p, images)
      return [sum(mul(g, own)), mul(commitment, mean(square(sub(own, entries))))].reduce((a, b) => sub(a, mul(-1, b)))
    })(params)
    grads.encoder.forEach(({ w, b }, i) => {
      expectNear(w, straight.encoder[i].w)
      expectNear(b, straight.encoder[i].b)
    })
  })
})

function expectNear(got: Tensor, expected: Tensor): void {
  const wanted = [...expected.toArray()]
  expect(wanted.some(v => v !== 0)).toBe(true)
  got.toArray().forEach((v, i) => expect(v).toBeCloseTo(wanted[i], 10))
}

/** Sixteen pictures of 8×8, a disc of one of two colours in each. */
const side = 8, count = 16
const discs = Float32Array.from({ length: count * side * side * 2 }, (_, at) => {
  const [i, y, x] = [Math.floor(at / 128), Math.floor(at % 128 / 16), Math.floor(at % 16 / 2)]
  const inside = Math.hypot(y - 2 - i % 4, x - 2 - Math.floor(i / 4)) < 2.2
  return inside && at % 2 === (i + Math.floor(i / 4)) % 2 ? 1 : 0
})
const images = examplesOf(discs, [side, side, 2])

describe('the trainer of an autoencoder', () => {
  it('teaches all kinds of codes to reconstruct the images', async () => {
    for (const code of [{ type: 'plain' }, { type: 'vae', weight: 1e-3 }, { type: 'vq', entries: 24 }] as const) {
      const autoencoder = defineAutoencoder({ channels: 2, latent: 4, widths: [16], code })
      const trainer = autoencoderTrainer({ autoencoder, images, batch: 8, optimiser: adam({ rate: 1e-2 }) })
      let params: AutoencoderParams | undefined
      for await (const { state } of train(trainer, { iterations: 120, every: 120 })) ({ params } = state)
      const x = tensor(discs, { shape: [count, side, side, 2] })
      const made = decodeLatents(autoencoder, params!, encodeLatents(autoencoder, params!, x))
      const error = mean(square(sub(made, x))).toArray()[0]
      // The variance of the images is 0.1.
      expect(error, code.type).toBeLessThan(0.025)
    }
  })

  it('resumes from a checkpoint bit for bit, and refuses that of another trainer', async () => {
    for (const code of codes) {
      const autoencoder = defineAutoencoder({ channels: 2, latent: 3, widths: [4], code })
      const trainer = autoencoderTrainer({ autoencoder, images, batch: 2, optimiser: sgd({ rate: 0.1, momentum: 0.5 }), clip: 1 })
      const go = (state: State, times: number): State => {
        for (let i = 0; i < times; i++) ({ state } = trainer.step(state))
        return state
      }
      const half = go(trainer.init(key(5)), 2)
      const bytes = await encodeCheckpoint(half)
      const { state } = decodeCheckpoint<AutoencoderParams>(bytes, 'file', { trainer })
      const [resumed, whole] = [await encodeCheckpoint(go(state, 2)), await encodeCheckpoint(go(half, 2))]
      expect(resumed).toEqual(whole)
      expect(whole).not.toEqual(bytes)
      const other = autoencoderTrainer({ autoencoder: defineAutoencoder({ channels: 2, latent: 2, widths: [4], code }), images, batch: 2 })
      expect(sentence(() => decodeCheckpoint(bytes, 'file', { trainer: other }))).toMatch(/^file: (params\.\S+ is a tensor|the number of)/)
    }
  })

  it('begins the entries of a codebook with encoded examples', () => {
    const autoencoder = defineAutoencoder({ channels: 2, latent: 3, widths: [4], code: { type: 'vq', entries: 8 } })
    const { params } = autoencoderTrainer({ autoencoder, images, batch: 2 }).init(key(1))
    const z = [...encoded(autoencoder, params, tensor(discs, { shape: [count, side, side, 2] })).toArray()]
    const cells = Array.from({ length: z.length / 3 }, (_, i) => z.slice(3 * i, 3 * i + 3).join())
    const entries = [...params.codebook!.toArray()]
    for (let i = 0; i < 8; i++) expect(cells).toContain(entries.slice(3 * i, 3 * i + 3).join())
  })
})

it('is refused by name if it is not one, and for images that do not fit', () => {
  const whole = { channels: 2, latent: 3, widths: [4, 4] }
  expect(sentence(() => defineAutoencoder({ ...whole, widths: [] }))).toBe('autoencoder: widths is [], expected a list of 1 to 8 whole numbers.')
  expect(sentence(() => defineAutoencoder({ ...whole, code: { type: 'gan' } as never })))
    .toBe("autoencoder: code.type is \"gan\", expected 'plain', 'vae' or 'vq'.")
  expect(sentence(() => defineAutoencoder({ ...whole, code: { type: 'vq', entries: 1 } }))).toContain('autoencoder: code.entries is 1')
  const autoencoder = defineAutoencoder(whole), params = initAutoencoder(autoencoder, key(0))
  expect(sentence(() => encodeLatents(autoencoder, params, draw(0, [1, 6, 8, 2]))))
    .toBe('encodeLatents: images must be [n,h,w,2], with sides that are multiples of 4; images [1,6,8,2].')
  expect(sentence(() => decodeLatents(autoencoder, params, draw(0, [1, 6, 8, 2])))).toBe('decodeLatents: latents must be [n,h,w,3]; latents [1,6,8,2].')
  expect(sentence(() => autoencoderTrainer({ autoencoder: defineAutoencoder({ ...whole, channels: 3 }), images, batch: 2 })))
    .toBe('autoencoderTrainer: images.shape is [8, 8, 2], expected 3 channels, as the autoencoder has.')
})
