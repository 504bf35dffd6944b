/**
 * The target as pixels: a bundled emoji, a text drawn in the browser's font, or a picture from a file or the clipboard.
 */
import type { Pixels } from '../../ui/picture.ts'
import { bundledModels } from '../models.ts'

export type Target = { readonly name: string; readonly pixels: Pixels }

/** The size, in pixels, at which pictures and texts are drawn before they are scaled down to the grid. */
const side = 256
/** The largest picture that is read, in pixels along a side, and in bytes. */
const most = { side: 4096, bytes: 32 * 2 ** 20 }

function canvas(width: number, height: number): CanvasRenderingContext2D {
  return Object.assign(document.createElement('canvas'), { width, height }).getContext('2d', { willReadFrequently: true })!
}

function read(context: CanvasRenderingContext2D): Pixels {
  const { width, height, data } = context.getImageData(0, 0, context.canvas.width, context.canvas.height)
  return { width, height, data: data as Uint8ClampedArray<ArrayBuffer> }
}

/** The bundled emoji: their names, and the addresses of their pictures. */
export const emoji: readonly { readonly name: string; readonly face: string }[] =
  bundledModels.flatMap(({ name, face }) => (face ? [{ name, face }] : []))

/** A bundled emoji. */
export async function bundledTarget(name: string): Promise<Target> {
  const { face } = emoji.find(one => one.name === name)!
  return { name, pixels: await pixelsOf(await (await fetch(face)).blob(), name) }
}

/** A text in the middle of a square, as large as fits. */
function drawn(text: string): Pixels {
  const context = canvas(side, side)
  context.font = `${0.8 * side}px sans-serif`
  const { width } = context.measureText(text)
  context.font = `${(0.8 * side) * Math.min(1, (0.96 * side) / width)}px sans-serif`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(text, side / 2, 0.54 * side)
  return read(context)
}

const same = (a: Pixels, b: Pixels): boolean => a.data.every((value, i) => value === b.data[i])

/** A code point that is never a character: browsers draw a box for it, as for every character that no font has. */
const noCharacter = '\u{1FFFF}'
/** Characters that are invisible by themselves: they join or change the characters around them. */
const unseen = /[\p{Cf}\p{M}\s]/u

/**
 * A text, usually one emoji, as large as fits.
 *
 * @throws if this browser has no font for it, or nothing of it is visible
 */
export function typedTarget(text: string): Target {
  const pixels = drawn(text), box = drawn(noCharacter)
  const missing = [...text].find(character => !unseen.test(character) && same(drawn(character), box))
  if (missing) throw new Error(`this browser has no font with ${missing}: choose one of the emoji above, or a picture.`)
  if (pixels.data.every(value => value === 0)) throw new Error('nothing of this text can be seen: type an emoji or a letter.')
  return { name: text, pixels }
}

/**
 * A picture that was chosen, dropped or pasted.
 *
 * @throws if this browser cannot read it, or it is too large
 */
export async function fileTarget(file: File): Promise<Target> {
  if (file.size > most.bytes) throw new Error(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MB, expected a picture of at most ${most.bytes / 2 ** 20} MB.`)
  const name = file.name.replace(/\.\w+$/, '').slice(0, 40) || 'picture'
  return { name, pixels: await pixelsOf(file, file.name) }
}

async function pixelsOf(blob: Blob, name: string): Promise<Pixels> {
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Error(`${name} cannot be read as a picture, expected PNG, JPEG, WebP, GIF or BMP.`)
  })
  try {
    const { width, height } = bitmap
    if (Math.max(width, height) > most.side) throw new Error(`${name} is ${width}×${height}, expected at most ${most.side} pixels along a side.`)
    const scale = Math.min(1, side / Math.max(width, height))
    const context = canvas(Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale)))
    context.imageSmoothingQuality = 'high'
    context.drawImage(bitmap, 0, 0, context.canvas.width, context.canvas.height)
    return read(context)
  } finally {
    bitmap.close()
  }
}
