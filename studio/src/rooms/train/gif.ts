/**
 * An animation as a GIF, over white, with one palette for all frames, so that unchanged parts of the picture do not flicker.
 */
import { overWhite, type Image } from 'cellgrad'
import { applyPalette, GIFEncoder, quantize } from 'gifenc'

const scale = 4, delay = 60

export function encodeGif(frames: readonly Image[]): Uint8Array {
  const pictures = frames.map(frame => enlarged(overWhite(frame)))
  const [{ width, height }] = frames
  const all = new Uint8Array(pictures.length * pictures[0].length)
  pictures.forEach((picture, i) => all.set(picture, i * picture.length))
  const palette = quantize(all, 256)
  const gif = GIFEncoder()
  pictures.forEach((picture, i) => {
    gif.writeFrame(applyPalette(picture, palette), width * scale, height * scale, { delay, ...(i === 0 && { palette }) })
  })
  gif.finish()
  return gif.bytes()
}

function enlarged({ width, height, data }: Image): Uint8Array {
  const bytes = new Uint8Array(width * height * scale * scale * 4)
  for (let y = 0; y < height * scale; y++) {
    for (let x = 0; x < width * scale; x++) {
      const from = 4 * (Math.floor(y / scale) * width + Math.floor(x / scale))
      for (let c = 0; c < 4; c++) bytes[4 * (y * width * scale + x) + c] = Math.round(255 * data[from + c])
    }
  }
  return bytes
}
