/**
 * A picture of cells: a canvas with one pixel for each cell, shown large and sharp.
 */

/** Pixels as `imageToPixels` makes them. */
export type Pixels = { readonly width: number; readonly height: number; readonly data: Uint8ClampedArray<ArrayBuffer> }

/** Draws pixels into a canvas, and gives it their size. */
export function paint(canvas: HTMLCanvasElement, { width, height, data }: Pixels): void {
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height })
  canvas.getContext('2d')!.putImageData(new ImageData(data, width, height), 0, 0)
}

/** The pixels of the picture at an address, red, green, blue and alpha. */
export async function pixelsOf(url: string): Promise<Pixels> {
  const bitmap = await createImageBitmap(await (await fetch(url)).blob())
  const { width, height } = bitmap
  const context = new OffscreenCanvas(width, height).getContext('2d')!
  context.drawImage(bitmap, 0, 0)
  return { width, height, data: context.getImageData(0, 0, width, height).data as Uint8ClampedArray<ArrayBuffer> }
}
