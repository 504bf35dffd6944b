/**
 * Autoencoders: two small networks, an encoder E that compresses an image to a grid of latents, and a decoder D that makes the
 * image again. An automaton on the grid of latents, 1/f of the image along each side, makes large images with few cells and steps
 * (Menta, Archetti & Matteucci, "Latent Neural Cellular Automata for Resource-Efficient Image Restoration", 2024; Spitznagel &
 * Keuper 2026, section 3.1.4).
 *
 *   E   for each width a convolution of 4×4 taps that halves the image, and a leaky ReLU; then one of 3×3 to the latents
 *   D   a convolution of 3×3; for each width nearest-neighbour upsampling by 2 and one more; leaky ReLUs between
 *
 * f = 2 to the power of the number of widths. The code says what latents are:
 *
 *   plain   z = E(x)
 *   vae     z ~ N(μ, σ²), E(x) = μ, log σ²; outside of training z = μ             (Kingma & Welling, ICLR 2014)
 *   vq      z = the entry of a codebook that is nearest to E(x)        (van den Oord, Vinyals & Kavukcuoglu, NeurIPS 2017)
 *
 * `autoencoder-trainer.ts` trains them.
 */
import { checkData, choice, deepFreeze, list, record, type Field, type Fields } from '../../backends/fields.ts'
import { check, checkOptions, isObject, numberFrom, wholeFrom } from '../../backends/options.ts'
import { checkKey, foldIn, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { floating, refuse } from '../../tensor/op.ts'
import { conv2d } from '../../tensor/ops/conv2d/conv2d.ts'
import { leakyRelu } from '../../tensor/ops/functions.ts'
import { interpolate } from '../../tensor/ops/interpolate.ts'
import { normal } from '../../tensor/ops/random.ts'
import { placementOptions, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { initConvLayers, type ConvLayers } from '../conv-layers.ts'
import { units } from '../rule/limits.ts'
import type { Channels } from '../rule/types.ts'
import { takeChannels } from '../state.ts'
import { checkTensors } from '../training/check-state.ts'
import { nearestEntries } from './codebook.ts'

/** What latents are, and which terms the loss has besides the reconstruction. */
export type Code =
  | { readonly type: 'plain' }
  /** `weight`, β ≥ 0, of the KL divergence from N(0, 1); default 1e-3. */
  | { readonly type: 'vae'; readonly weight: number }
  /** `entries` of the codebook, default 128; `commitment`, β ≥ 0, weights the distance of E(x) from them, default 0.25. */
  | { readonly type: 'vq'; readonly entries: number; readonly commitment: number }

/** An autoencoder as data. */
export type Autoencoder = {
  readonly type: 'autoencoder'
  /** Channels of an image: 4 for premultiplied red, green, blue and alpha. */
  readonly channels: number
  /** Channels of a latent cell. */
  readonly latent: number
  /** Channels of the layers of E, each of which halves the image; D has them in reverse order. */
  readonly widths: readonly number[]
  readonly code: Code
}

export type AutoencoderParams = {
  readonly encoder: ConvLayers
  readonly decoder: ConvLayers
  /** `[entries, latent]`, of the code `vq`. */
  readonly codebook?: Tensor
}

/** A trained autoencoder: what a model in latents keeps beside its rule. */
export type Codec = { readonly autoencoder: Autoencoder; readonly params: AutoencoderParams }

const codeField: Field<Code> = choice<Code>([
  { type: 'plain', fields: {} },
  { type: 'vae', fields: { weight: { ...numberFrom(0), default: 1e-3, about: 'Weight of the distance from N(0, 1)' } } },
  {
    type: 'vq',
    fields: {
      entries: { ...wholeFrom(2, 65_536), default: 128, about: 'Entries of the codebook' },
      commitment: { ...numberFrom(0), default: 0.25, about: 'Weight of the distance of the encoder from its entries' },
    },
  },
])

/** The fields of an autoencoder. */
export const autoencoderFields: Fields<Autoencoder> = {
  channels: { ...units, about: 'Channels of an image' },
  latent: { ...units, about: 'Channels of a latent cell' },
  widths: { ...list<number>(wholeFrom(1, 4096), 'whole numbers', 1, 8), about: 'Channels of its layers, each of which halves the image' },
  code: { ...codeField, default: { type: 'plain' }, about: 'The kind of latents' },
}

/** An autoencoder as a field of data. */
export const autoencoderField: Field<Autoencoder> = record<Autoencoder>({ type: 'autoencoder', fields: autoencoderFields })

type CodeOptions = { [T in Code['type']]: { readonly type: T } & Partial<Extract<Code, { type: T }>> }[Code['type']]

/**
 * An autoencoder as frozen data.
 *
 * @param options `channels` of an image, `latent` channels of a cell, `widths` of its layers, one for each halving, at most 8;
 *   `code`, default `{ type: 'plain' }`, or `{ type: 'vae', weight: 1e-3 }`, or `{ type: 'vq', entries: 128, commitment: 0.25 }`
 * @throws a sentence that names the field, for a value that it cannot have
 * @example defineAutoencoder({ channels: 4, latent: 8, widths: [16, 32, 64], code: { type: 'vq' } })   // 128² pixels, 16² cells
 */
export function defineAutoencoder(
  options: Omit<Autoencoder, 'type' | 'code'> & {
    /** Optional, so that an autoencoder can be passed in again. */
    readonly type?: 'autoencoder'
    /** What latents are, default plain. */
    readonly code?: CodeOptions
  },
): Autoencoder {
  return deepFreeze(checkData('autoencoder', autoencoderField, options))
}

/** Pixels along each side of a latent cell, f. */
export function shrinking({ widths }: Autoencoder): number {
  return 2 ** widths.length
}

type Shape = readonly number[]

/** The shapes of the parameters, as a tree like theirs. */
export function autoencoderShapes({ channels, latent, widths, code }: Autoencoder): {
  encoder: readonly { w: Shape; b: Shape }[]; decoder: readonly { w: Shape; b: Shape }[]; codebook?: Shape
} {
  const layer = (size: number, from: number, to: number) => ({ w: [size, size, from, to], b: [to] })
  const down = [channels, ...widths], up = [latent, ...widths.toReversed(), channels]
  return {
    encoder: [
      ...widths.map((width, i) => layer(4, down[i], width)),
      layer(3, widths.at(-1)!, code.type === 'vae' ? 2 * latent : latent),
    ],
    decoder: up.slice(1).map((to, i) => layer(3, up[i], to)),
    ...(code.type === 'vq' && { codebook: [code.entries, latent] }),
  }
}

/**
 * Initial parameters: He's normal weights, biases of zero, and entries of N(0, 1) in a codebook.
 *
 * @example const params = initAutoencoder(autoencoder, key(0))
 */
export function initAutoencoder(autoencoder: Autoencoder, k: Key, placement: Placement = {}): AutoencoderParams {
  checkOptions('initAutoencoder', placement, placementOptions)
  checkKey('initAutoencoder', k)
  const { encoder, decoder, codebook } = autoencoderShapes(autoencoder)
  const made = (layers: typeof encoder, number: number): ConvLayers => initConvLayers(foldIn(k, number), layers.map(({ w }) => w), placement)
  return {
    encoder: made(encoder, 0), decoder: made(decoder, 1),
    ...(codebook && { codebook: normal(foldIn(k, 2), codebook, placement) }),
  }
}

/**
 * The output of E for images `[n,h,w,channels]`: `[n,h/f,w/f,latent]`; for the code `vae` twice as many channels, μ and log σ².
 *
 * @internal
 */
export function encoded({ channels, ...rest }: Autoencoder, { encoder }: AutoencoderParams, images: Tensor): Tensor {
  floating('encodeLatents', 'the images', images)
  const f = shrinking({ channels, ...rest })
  const fits = images.shape.length === 4 && images.shape[3] === channels && [1, 2].every(axis => images.shape[axis] > 0 && images.shape[axis] % f === 0)
  if (!fits) refuse('encodeLatents', `images must be [n,h,w,${channels}], with sides that are multiples of ${f}`, { images })
  return encoder.reduce((h, { w, b }, i) => (i < encoder.length - 1
    ? leakyRelu(conv2d(h, w, { bias: b, stride: 2 }))
    : conv2d(h, w, { bias: b })), images)
}

/**
 * The latents of images: E(x), for the code `vae` its mean, for the code `vq` the nearest entries.
 *
 * @param images `[n,h,w,channels]`, sides that are multiples of f
 * @returns `[n,h/f,w/f,latent]`
 * @throws for images of other channels or sides
 * @example const z = encodeLatents(autoencoder, params, pictures)    // [8,128,128,4] → [8,16,16,8]
 */
export function encodeLatents(autoencoder: Autoencoder, params: AutoencoderParams, images: Tensor): Tensor {
  return scope(() => {
    const z = encoded(autoencoder, params, images)
    if (autoencoder.code.type === 'vae') return takeChannels(z, 0, autoencoder.latent)
    return autoencoder.code.type === 'vq' ? nearestEntries(z, params.codebook!) : z
  }, 'encodeLatents()')
}

/**
 * The images of latents, D(z). Latents may be any numbers, for the code `vq` too: they need not be entries.
 *
 * @param latents `[n,h,w,latent]`
 * @returns `[n,f·h,f·w,channels]`
 * @throws for latents of other channels
 * @example await tensorToImage(decodeLatents(autoencoder, params, takeRole(rule, x, 'latent')))
 */
export function decodeLatents({ latent }: Autoencoder, { decoder }: AutoencoderParams, latents: Tensor): Tensor {
  floating('decodeLatents', 'the latents', latents)
  const fits = latents.shape.length === 4 && latents.shape[3] === latent
  if (!fits) refuse('decodeLatents', `latents must be [n,h,w,${latent}]`, { latents })
  return scope(() => decoder.reduce((h, { w, b }, i) => {
    if (i === 0) return conv2d(h, w, { bias: b })
    const fine: [number, number] = [2 * h.shape[1], 2 * h.shape[2]]
    return conv2d(interpolate(leakyRelu(h), fine, { mode: 'nearest' }), w, { bias: b })
  }, latents), 'decodeLatents()')
}

/**
 * Throws unless a trained autoencoder is complete, and a rule has a role `latent` for its latents.
 *
 * @param like a tensor whose backend and type the parameters must have; by default the first parameter
 */
export function checkCodec(
  where: string, { channels }: { readonly channels: Channels }, codec: Codec, like: Tensor = codec?.params?.decoder?.[0]?.w,
): void {
  const fits = isObject(codec) && isObject(codec.autoencoder) && isObject(codec.params)
  check(fits, where, 'codec', codec, '{ autoencoder, params }, an autoencoder and what was trained')
  const { latent } = checkData(`${where}: codec.autoencoder`, autoencoderField, codec.autoencoder)
  const expected = new Map(shapesByPath(autoencoderShapes(codec.autoencoder)).map(([path, shape]) => (
    [path, { shape, dtype: like?.dtype ?? 'float32', backend: like?.backend }] as const)))
  checkTensors(where, 'codec.params', codec.params, expected)
  check(channels.latent === latent, where, 'channels.latent', channels.latent, `${latent}, the latents of the autoencoder`)
}

/** Shapes by the paths of their parameters. */
function shapesByPath({ encoder, decoder, codebook }: ReturnType<typeof autoencoderShapes>): [string, Shape][] {
  const layers = Object.entries({ encoder, decoder }).flatMap(([name, list]) =>
    list.flatMap(({ w, b }, i): [string, Shape][] => [[`${name}.${i}.w`, w], [`${name}.${i}.b`, b]]))
  return [...layers, ...(codebook ? [['codebook', codebook] satisfies [string, Shape]] : [])]
}
