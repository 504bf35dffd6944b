/**
 * The VQ-VAE of Noto emoji in whose latents rules live: 8 pixels of a picture along each side are one cell, as in Spitznagel &
 * Keuper (2026, section 3.1.5). It is trained once for each seed, with pictures of 128×128 pixels, and is made of convolutions alone:
 * it has no size.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  adam, autoencoderTrainer, cosineDecay, decodeLatents, defineAutoencoder, encodeLatents, imageToTensor, reshape, resize, scope, tensorToImage,
  warmUp, type Autoencoder, type AutoencoderParams, type Codec, type Examples, type Image, type Tensor,
} from '../../src/index.ts'
import { iterationsOf, type Context } from './context.ts'
import { learn, type Learned } from './learn.ts'
import { notoImages } from './noto.ts'

/** Pixels of a picture along each side, of those that it learns from. */
export const side = 128
/** Pixels along each side of a latent cell. */
export const shrinking = 8
export const autoencoder: Autoencoder = defineAutoencoder({ channels: 4, latent: 8, widths: [16, 32, 64], code: { type: 'vq', entries: 256 } })

export type Trained = {
  readonly codec: Codec
  readonly learned: Learned<AutoencoderParams>
  /** Pictures that it has learnt from, and others. */
  readonly train: readonly Image[]
  readonly test: readonly Image[]
}

/** The VQ-VAE, or where its training was. */
export async function notoCodec(context: Context): Promise<Trained> {
  const folder = join(context.data, 'noto')
  if (!existsSync(folder)) throw new Error(`${context.name}: there is no ${folder}; this fetches it: npm run data -- noto`)
  const { train, test } = await notoImages(folder, context.quick ? 40 : Infinity)
  const iterations = iterationsOf(context, 3000, 4)
  const trainer = autoencoderTrainer({
    autoencoder, images: pictures(train, side), batch: 8, clip: 1,
    optimiser: adam({ rate: warmUp(50, cosineDecay(1e-3, { length: iterations, final: 1e-4 })) }),
  })
  const shown = resize(test[0], side, side)
  // Several claims share it.
  const learned = await learn({ ...context, name: 'codec' }, 'noto', trainer, {
    iterations, target: shown,
    paint: params => tensorToImage(again({ autoencoder, params }, single(shown))),
  })
  return { codec: { autoencoder, params: learned.params }, learned, train, test }
}

/** Pictures as examples `[side,side,4]`, each made as large when it is needed. */
export function pictures(images: readonly Image[], side: number): Examples {
  return { n: images.length, shape: [side, side, 4], of: i => resize(images[i], side, side).data }
}

/** What is left of pictures `[n,h,w,4]` in the latents. */
export function again({ autoencoder, params }: Codec, x: Tensor): Tensor {
  return scope(() => decodeLatents(autoencoder, params, encodeLatents(autoencoder, params, x)))
}

/** A picture as a batch of one, `[1,h,w,4]`. */
export function single(image: Image): Tensor {
  return reshape(imageToTensor(image), [1, image.height, image.width, 4])
}
