/**
 * Pictures as a page has them: the pixels of a canvas, 8 bits a channel, with colour not multiplied by alpha.
 *
 * To show a model in a page takes three calls: decode its file, make a picture of a state, and put the pixels onto a canvas.
 * `imageFromPixels` goes the other way, from a canvas to a picture.
 *
 *   const { rule, params } = decodeModel(new Uint8Array(await (await fetch('lizard.safetensors')).arrayBuffer()))
 *   const image = await viewOf(rule)(rollout(rule, params, seed(rule, { height: 72, width: 72 }), key(0), { steps: 96 }))
 *   context.putImageData(new ImageData(imageToPixels(image), image.width, image.height), 0, 0)
 */
import { check, isObject } from '../../backends/options.ts'
import { checkImage, fromPlain, type Image } from './image.ts'

/** What an `ImageData` holds. */
export type Pixels = { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray | Uint8Array }

/**
 * The picture that a canvas holds.
 *
 * @throws where this is neither an `ImageData` of 8 bits a channel nor an object like one
 * @example const target = imageToTensor(imageFromPixels(context.getImageData(0, 0, 40, 40)))   // [40,40,4]
 */
export function imageFromPixels(pixels: Pixels): Image {
  const fits = isObject(pixels) && (pixels.data instanceof Uint8ClampedArray || pixels.data instanceof Uint8Array)
    && pixels.data.length === 4 * pixels.width * pixels.height
  check(fits, 'imageFromPixels', 'the argument', pixels, 'an ImageData: width, height, and data of 4 bytes a pixel')
  return fromPlain(pixels.width, pixels.height, pixels.data)
}

/**
 * The bytes of a picture for an `ImageData`, or for a file. Values outside the range of premultiplied colour are clamped.
 *
 * @throws where it is no picture
 * @returns `[height,width,4]`, red, green, blue, alpha
 * @example context.putImageData(new ImageData(imageToPixels(image), image.width, image.height), 0, 0)
 */
export function imageToPixels(image: Image): Uint8ClampedArray<ArrayBuffer> {
  checkImage('imageToPixels', image)
  const { data } = image
  const bytes = new Uint8ClampedArray(data.length) // rounds and clamps
  for (let i = 0; i < data.length; i += 4) {
    const alpha = Math.min(data[i + 3], 1)
    for (let c = 0; c < 3; c++) bytes[i + c] = alpha > 0 ? 255 * (data[i + c] / alpha) : 0
    bytes[i + 3] = 255 * alpha
  }
  return bytes
}
