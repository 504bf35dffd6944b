/**
 * Files in and out of the page: the pixels of a picture, and bytes to be saved.
 */
import type { Pixels } from '../../ui/picture.ts'

/** The pixels of the picture at an address, red, green, blue and alpha. */
export async function pixelsOf(url: string): Promise<Pixels> {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob())
  const { width, height } = bitmap
  const context = new OffscreenCanvas(width, height).getContext('2d')!
  context.drawImage(bitmap, 0, 0)
  return { width, height, data: context.getImageData(0, 0, width, height).data as Uint8ClampedArray<ArrayBuffer> }
}

/** Lets the browser save bytes under a name. */
export function saveBytes(name: string, bytes: Uint8Array | string): void {
  const url = URL.createObjectURL(new Blob([bytes as BlobPart]))
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
