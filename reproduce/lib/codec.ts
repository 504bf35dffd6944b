/**
 * The VQ-VAE (van den Oord et al. 2017) of Noto emoji in whose latents rules live: a cell is 8×8 pixels of a picture, as in Spitznagel & Keuper (2026,
 * section 3.1.5). It is trained once for each seed, on pictures of 128×128 pixels. It is fully convolutional, so it works with
 * pictures of any size.
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

/** The side in pixels of the pictures that it is trained on. */
export const side = 128
/** Pixels along each side of a latent cell, f. */
export const shrinking = 8
export const autoencoder: Autoencoder = defineAutoencoder({ channels: 4, latent: 8, widths: [16, 32, 64], code: { type: 'vq', entries: 256 } })

export type Trained = {
  readonly codec: Codec
  readonly learned: Learned<AutoencoderParams>
  /** The pictures that it was trained on, and others. */
  readonly train: readonly Image[]
  readonly test: readonly Image[]
}

/** Trains the VQ-VAE, or goes on where its training was interrupted. */
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
  // Several reproductions share it.
  const learned = await learn({ ...context, name: 'codec' }, 'noto', trainer, {
    iterations, target: shown,
    paint: params => tensorToImage(again({ autoencoder, params }, single(shown))),
  })
  return { codec: { autoencoder, params: learned.params }, learned, train, test }
}

/** Pictures as examples `[side,side,4]`, each resized when it is needed. */
export function pictures(images: readonly Image[], side: number): Examples {
  return { n: images.length, shape: [side, side, 4], of: i => resize(images[i], side, side).data }
}

/** Pictures `[n,h,w,4]` reconstructed from their latents. */
export function again({ autoencoder, params }: Codec, x: Tensor): Tensor {
  return scope(() => decodeLatents(autoencoder, params, encodeLatents(autoencoder, params, x)))
}

/** A picture as a batch of one, `[1,h,w,4]`. */
export function single(image: Image): Tensor {
  return reshape(imageToTensor(image), [1, image.height, image.width, 4])
}
