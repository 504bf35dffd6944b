// Pictures in a page.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { imageFromPixels, imageToPixels } from '../../src/index.ts'
import { decodePng, encodePng } from '../../src/node/index.ts'

it('pixels of a canvas survive the way there and back, up to what alpha hides', () => {
  fc.assert(fc.property(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 }), fc.infiniteStream(fc.integer({ min: 0, max: 255 })), (width, height, bytes) => {
    const data = Uint8ClampedArray.from({ length: 4 * width * height }, () => bytes.next().value as number)
    const image = imageFromPixels({ width, height, data })
    const back = imageToPixels(image)
    for (let i = 0; i < data.length; i += 4) {
      expect(back[i + 3]).toBe(data[i + 3])
      for (let c = 0; c < 3; c++) {
        expect(image.data[i + c]).toBeCloseTo(data[i + c] * data[i + 3] / 255 ** 2, 6)
        expect(back[i + c]).toBe(data[i + 3] === 0 ? 0 : data[i + c])
      }
    }
    expect(decodePng(encodePng(image))).toEqual(imageFromPixels({ width, height, data: back }))
  }))
})

it('what is no picture is refused, and values beyond the range are clamped', () => {
  expect(() => imageFromPixels({ width: 2, height: 1, data: new Uint8Array(4) })).toThrow('imageFromPixels: the argument is {width: 2')
  expect(() => imageFromPixels({ width: 1, height: 1, data: [0, 0, 0, 0] as never })).toThrow('expected an ImageData')
  expect([...imageToPixels({ width: 2, height: 1, data: Float32Array.of(2, -1, 0.5, 1.5, 1, 1, 1, -1) })]).toEqual([255, 0, 128, 255, 0, 0, 0, 0])
})
