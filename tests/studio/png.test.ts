// Any decoder reads the page's PNG files as the same bytes, also where they are half transparent.

import fc from 'fast-check'
import { imageFromPixels } from 'cellgrad'
import { decodePng } from 'cellgrad/node'
import { expect, it } from 'vitest'
import { encodePng } from '../../studio/src/rooms/train/png.ts'

it('pixels come back as they were', async () => {
  const pictures = fc.tuple(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 9 })).chain(([width, height]) => (
    fc.uint8Array({ minLength: 4 * width * height, maxLength: 4 * width * height })
      .map(bytes => ({ width, height, data: new Uint8ClampedArray(bytes) }))
  ))
  await fc.assert(fc.asyncProperty(pictures, async pixels => {
    expect(decodePng(await encodePng(pixels))).toEqual(imageFromPixels(pixels))
  }))
})
