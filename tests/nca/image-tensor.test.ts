import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { scope, tensor } from '../../src/index.ts'
import type { Image } from '../../src/nca/files/image.ts'
import { imageToTensor, tensorToImage } from '../../src/nca/files/image-tensor.ts'

const side = fc.integer({ min: 1, max: 5 })

/** A premultiplied picture, 0 ≤ colour ≤ alpha ≤ 1. */
const image: fc.Arbitrary<Image> = fc.tuple(side, side).chain(([width, height]) => {
  const length = 4 * width * height
  const values = fc.array(fc.float({ min: 0, max: 1, noNaN: true }), { minLength: length, maxLength: length })
  return values.map(list => {
    const data = Float32Array.from(list)
    for (let i = 0; i < data.length; i += 4) for (let c = 0; c < 3; c++) data[i + c] *= data[i + 3]
    return { width, height, data }
  })
})

describe('pictures and tensors', () => {
  it('a picture survives the way there and back, and a target is [h,w,4]', async () => {
    await fc.assert(fc.asyncProperty(image, async picture => {
      const target = imageToTensor(picture)
      expect(target.shape).toEqual([picture.height, picture.width, 4])
      expect(await tensorToImage(target)).toEqual(picture)
    }))
  })

  it('a state is shown by its first four channels, in the range of a picture', async () => {
    const floats = fc.infiniteStream(fc.float({ min: -2, max: 2, noNaN: true }))
    const counts = [fc.integer({ min: 4, max: 7 }), fc.integer({ min: 1, max: 3 })] as const
    await fc.assert(fc.asyncProperty(...counts, floats, async (channels, batch, values) => {
      const data = Float32Array.from({ length: batch * 2 * 3 * channels }, () => values.next().value as number)
      const x = tensor(data, { shape: [batch, 2, 3, channels] })
      const sample = batch - 1
      const picture = await tensorToImage(x, sample)
      expect([picture.width, picture.height]).toEqual([3, 2])
      for (let i = 0; i < 6; i++) {
        const [r, g, b, a] = data.subarray((sample * 6 + i) * channels)
        const alpha = Math.min(Math.max(a, 0), 1)
        const clamped = [r, g, b].map(v => Math.min(Math.max(v, 0), alpha))
        expect([...picture.data.subarray(4 * i, 4 * i + 4)]).toEqual([...clamped, alpha])
      }
    }))
  })

  it('says what does not fit', async () => {
    const states = scope(() => [
      tensor(new Float32Array(12), { shape: [2, 2, 3] }),
      tensor(new Float32Array(8), { shape: [1, 2, 1, 4] }),
      tensor([1, 2]),
    ])
    await expect(tensorToImage(states[0])).rejects.toThrow(
      'tensorToImage: the state is [2,2,3], expected [h,w,c] or [b,h,w,c] with at least 4 channels.',
    )
    await expect(tensorToImage(states[2])).rejects.toThrow('tensorToImage: the state is [2]')
    await expect(tensorToImage(states[1], 1)).rejects.toThrow('tensorToImage: there is no sample 1 in a batch of 1.')
  })
})
