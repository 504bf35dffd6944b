/**
 * What is to grow, as pixels: a bundled emoji, a text drawn by the browser's font, or a picture from a file or the clipboard.
 */
import type { Pixels } from '../../ui/picture.ts'
import { bundledModels } from '../models.ts'

export type Target = { readonly name: string; readonly pixels: Pixels }

/** What is drawn once, before it is made as small as the target. */
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

/** The bundled emoji: name, and address of the picture. */
export const emoji: readonly { readonly name: string; readonly face: string }[] =
  bundledModels.flatMap(({ name, face }) => (face ? [{ name, face }] : []))

/** A bundled emoji. */
export async function bundledTarget(name: string): Promise<Target> {
  const { face } = emoji.find(one => one.name === name)!
  return { name, pixels: await pixelsOf(await (await fetch(face)).blob(), name) }
}

/** A text, most likely one emoji, as large as it fits. */
export function typedTarget(text: string): Target {
  const context = canvas(side, side)
  context.font = `${0.8 * side}px sans-serif`
  const { width } = context.measureText(text)
  context.font = `${(0.8 * side) * Math.min(1, (0.96 * side) / width)}px sans-serif`
  context.textAlign = 'center'
  context.textBaseline = 'middle'
  context.fillText(text, side / 2, 0.54 * side)
  return { name: text, pixels: read(context) }
}

/**
 * A picture that was chosen, dropped or pasted.
 *
 * @throws a sentence where it is none that this browser reads, or a very large one
 */
export async function fileTarget(file: File): Promise<Target> {
  if (file.size > most.bytes) throw new Error(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MB, expected a picture of at most ${most.bytes / 2 ** 20} MB.`)
  const name = file.name.replace(/\.\w+$/, '').slice(0, 40) || 'picture'
  return { name, pixels: await pixelsOf(file, file.name) }
}

async function pixelsOf(blob: Blob, name: string): Promise<Pixels> {
  const bitmap = await createImageBitmap(blob).catch(() => {
    throw new Error(`${name} is no picture that this browser reads, expected PNG, JPEG, WebP, GIF or BMP.`)
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
