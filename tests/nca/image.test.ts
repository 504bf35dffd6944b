import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  commonSize, filmStrip, fit, overColour, overWhite, padImage, resize, upscale, type Image,
} from '../../src/nca/files/image.ts'

const side = fc.integer({ min: 1, max: 12 })
const unit = fc.double({ min: 0, max: 1, noNaN: true })
const filter = fc.constantFrom('lanczos' as const, 'area' as const)

/** Any premultiplied picture: colour ≤ alpha. */
const picture: fc.Arbitrary<Image> = fc.tuple(side, side).chain(([width, height]) =>
  fc.array(fc.tuple(unit, unit, unit, unit), { minLength: width * height, maxLength: width * height })
    .map(pixels => {
      const data = Float32Array.from(pixels.flatMap(([r, g, b, a]) => [r * a, g * a, b * a, a]))
      return { width, height, data }
    }))

function filled(width: number, height: number, pixel: readonly number[]): Image {
  return { width, height, data: Float32Array.from({ length: width * height * 4 }, (_, i) => pixel[i % 4]!) }
}

function pixelAt({ width, data }: Image, x: number, y: number): number[] {
  return [...data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)]
}

function means({ data }: Image): number[] {
  return [0, 1, 2, 3].map(c => data.reduce((sum, x, i) => (i % 4 === c ? sum + x : sum), 0) / (data.length / 4))
}

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, within = 1e-5): void {
  expect(actual.length).toBe(expected.length)
  for (let i = 0; i < actual.length; i++) expect(Math.abs(actual[i]! - expected[i]!)).toBeLessThan(within)
}

describe('resize', () => {
  it('keeps a constant picture constant', () => {
    fc.assert(fc.property(side, side, side, side, unit, filter, (w, h, toW, toH, a, by) => {
      const pixel = [a * 0.2, a * 0.5, a, a]
      expectClose(resize(filled(w, h, pixel), toW, toH, by).data, filled(toW, toH, pixel).data)
    }))
  })

  it('keeps the mean when averaging areas', () => {
    fc.assert(fc.property(picture, side, side, (image, width, height) => {
      expectClose(means(resize(image, width, height, 'area')), means(image))
    }))
  })

  it('averages whole blocks when the factor is whole', () => {
    const image = { width: 4, height: 2, data: new Float32Array(32) }
    for (let p = 0; p < 8; p++) image.data[4 * p + 3] = p / 8
    expectClose(resize(image, 2, 1, 'area').data, [0, 0, 0, 2.5 / 8, 0, 0, 0, 4.5 / 8])
  })

  it('changes nothing when the size stays', () => {
    fc.assert(fc.property(picture, filter, (image, by) => {
      expectClose(resize(image, image.width, image.height, by).data, image.data)
    }))
  })

  it('stays premultiplied colour: alpha in [0, 1], colour in [0, alpha]', () => {
    fc.assert(fc.property(picture, side, side, filter, (image, width, height, by) => {
      const { data } = resize(image, width, height, by)
      data.forEach((x, i) => {
        expect(x).toBeGreaterThanOrEqual(0)
        expect(x).toBeLessThanOrEqual(i % 4 === 3 ? 1 : data[i | 3]!)
      })
    }))
  })

  it('mirrors when the picture is mirrored', () => {
    const mirror = (image: Image): Image => ({
      ...image,
      data: Float32Array.from(image.data, (_, i) => {
        const x = Math.floor(i / 4) % image.width
        return image.data[i + 4 * (image.width - 1 - 2 * x)]!
      }),
    })
    fc.assert(fc.property(picture, side, side, filter, (image, width, height, by) => {
      expectClose(resize(mirror(image), width, height, by).data, mirror(resize(image, width, height, by)).data)
    }))
  })

  it('treats rows as it treats columns', () => {
    const transpose = ({ width, height, data }: Image): Image => ({
      width: height,
      height: width,
      data: Float32Array.from(data, (_, i) => {
        const p = Math.floor(i / 4)
        return data[4 * ((p % height) * width + Math.floor(p / height)) + (i % 4)]!
      }),
    })
    fc.assert(fc.property(picture, side, side, (image, width, height) => {
      expectClose(resize(transpose(image), height, width).data, transpose(resize(image, width, height)).data)
    }))
  })

  it('leaves no dark fringe around a single opaque pixel', () => {
    fc.assert(fc.property(side, side, filter, unit, (at, size, by, red) => {
      const image = padImage(filled(1, 1, [red, 1, 0.25, 1]), at)
      const { data } = resize(image, size, size, by)
      for (let i = 0; i < data.length; i += 4) {
        const alpha = data[i + 3]!
        expectClose(data.subarray(i, i + 3), [red * alpha, alpha, 0.25 * alpha]) // its own colour, only fainter
      }
    }))
  })

  // Image.fromarray(row).resize((n, 1), Image.LANCZOS) of Pillow 12.3 on float32.
  it.each([
    [3, [0.4665408, 0.5164779, 0.5044615]],
    [12, [-0.1134830, 0.5305623, 0.9996004, 0.3731306, 0.2232337, 0.5990133, 0.8021592, 0.3429348, 0.1676714, 0.8321012,
      0.6644254, 0.2219326]],
  ])('agrees with Pillow to width %i', (width, expected) => {
    const row = [0, 1, 0.25, 0.5, 0.75, 0.1, 0.9, 0.3]
    const image = { width: 8, height: 1, data: Float32Array.from(row.flatMap(x => [0, 0, 0, x])) }
    const alphas = resize(image, width, 1).data.filter((_, i) => i % 4 === 3)
    expectClose(alphas, expected.map(x => Math.min(Math.max(x, 0), 1)), 1e-6)
  })

  it.each([0, -1, 1.5, NaN])('refuses the size %d', bad => {
    const image = filled(2, 2, [0, 0, 0, 1])
    expect(() => resize(image, bad, 2)).toThrow(`resize: width must be a positive integer, got ${bad}`)
    expect(() => resize(image, 2, bad)).toThrow(`resize: height must be a positive integer, got ${bad}`)
  })
})

describe('fit', () => {
  it('keeps the aspect and centres', () => {
    const fitted = fit(filled(30, 20, [0.2, 0.4, 0.6, 1]), 10)
    expect([fitted.width, fitted.height]).toEqual([10, 10])
    const opaqueRows = Array.from({ length: 10 }, (_, y) => y).filter(y => pixelAt(fitted, 5, y)[3]! > 0)
    expect(opaqueRows).toEqual([1, 2, 3, 4, 5, 6, 7]) // 7 of 10 rows: 1 above, 2 below
    expectClose(pixelAt(fitted, 0, 4), [0.2, 0.4, 0.6, 1])
  })

  it('keeps at least one pixel of a thin picture', () => {
    expect(means(fit(filled(100, 1, [1, 1, 1, 1]), 4))[3]).toBeCloseTo(0.25)
  })
})

describe('padImage', () => {
  it('adds a transparent border', () => {
    fc.assert(fc.property(picture, fc.integer({ min: 0, max: 4 }), (image, n) => {
      const padded = padImage(image, n)
      expect([padded.width, padded.height]).toEqual([image.width + 2 * n, image.height + 2 * n])
      for (let y = 0; y < padded.height; y++) {
        for (let x = 0; x < padded.width; x++) {
          const inside = x >= n && x < n + image.width && y >= n && y < n + image.height
          expect(pixelAt(padded, x, y)).toEqual(inside ? pixelAt(image, x - n, y - n) : [0, 0, 0, 0])
        }
      }
    }))
  })

  it('refuses a negative border', () => {
    expect(() => padImage(filled(1, 1, [0, 0, 0, 0]), -1)).toThrow('padImage: n must be a non-negative integer, got -1')
  })
})

describe('overColour', () => {
  it('shows the background where alpha is 0 and the picture where it is 1', () => {
    expectClose(overColour(filled(1, 1, [0, 0, 0, 0]), [0.1, 0.2, 0.3]).data, [0.1, 0.2, 0.3, 1])
    expectClose(overColour(filled(1, 1, [0.5, 0, 1, 1]), [0.1, 0.2, 0.3]).data, [0.5, 0, 1, 1])
    expectClose(overWhite(filled(1, 1, [0.5, 0, 0, 0.5])).data, [1, 0.5, 0.5, 1])
  })

  it('takes alpha outside [0, 1], as automata produce it, for the nearer bound', () => {
    expectClose(overWhite(filled(1, 1, [0.5, 0, 0, 1.5])).data, [0.5, 0, 0, 1])
    expectClose(overWhite(filled(1, 1, [0, 0, 0, -1])).data, [1, 1, 1, 1])
  })
})

describe('filmStrip', () => {
  const three = [0.25, 0.5, 0.75].map(a => filled(2, 3, [0, 0, 0, a]))

  it('lays pictures out in rows with gaps', () => {
    const strip = filmStrip(three, { columns: 2, gap: 1 })
    expect([strip.width, strip.height]).toEqual([5, 7])
    const alpha = (x: number, y: number): number => pixelAt(strip, x, y)[3]!
    expect([alpha(1, 2), alpha(2, 0), alpha(3, 0)]).toEqual([0.25, 0, 0.5])
    expect([alpha(0, 3), alpha(0, 4), alpha(4, 6)]).toEqual([0, 0.75, 0])
  })

  it('is one row by default', () => {
    expect(filmStrip(three)).toMatchObject({ width: 3 * 2 + 2 * 2, height: 3 })
  })

  it('refuses an empty list, and pictures of different sizes', () => {
    expect(() => filmStrip([])).toThrow('filmStrip: needs at least one image, got none')
    expect(() => filmStrip([...three, filled(3, 2, [0, 0, 0, 1])]))
      .toThrow('filmStrip: image 3 is 3×2, but image 0 is 2×3')
  })
})

it('commonSize names its caller', () => {
  expect(commonSize('x', [filled(4, 5, [0, 0, 0, 0])])).toEqual({ width: 4, height: 5 })
  expect(() => commonSize('x', [])).toThrow('x: needs at least one image')
})

it('upscale repeats pixels, and averaging areas undoes it', () => {
  fc.assert(fc.property(picture, fc.integer({ min: 1, max: 4 }), (image, factor) => {
    const large = upscale(image, factor)
    expect(pixelAt(large, large.width - 1, 0)).toEqual(pixelAt(image, image.width - 1, 0))
    expectClose(resize(large, image.width, image.height, 'area').data, image.data)
  }))
})

describe('sizes', () => {
  const one = filled(1, 1, [0, 0, 0, 1])
  it('are checked before anything is allocated', () => {
    const expected = /^\w+: the picture would have \d+×\d+ pixels, expected at most 67108864 in all$/
    for (const make of [
      () => resize(one, 100_000, 100_000), () => resize(filled(1, 9000, [0]), 9000, 1), () => fit(one, 1e9),
      () => padImage(one, 1e9), () => upscale(one, 1e6), () => filmStrip([one, one], { gap: 1e9 }),
      () => filmStrip([one], { columns: 1e9 }),
    ]) expect(make).toThrow(expected)
  })

  it('must fit the data', () => {
    const expected = /^\w+: the image is .+ with .+, expected whole sides > 0 and 4 numbers a pixel$/
    const wrong = [
      { width: 2, height: 2, data: new Float32Array(15) }, { width: 0, height: 3, data: new Float32Array(0) },
      { width: 1.5, height: 2, data: new Float32Array(12) }, { width: 1, height: 1, data: [1, 1, 1, 1] as never },
    ]
    for (const image of wrong) {
      for (const use of [() => resize(image, 2, 2), () => fit(image, 2), () => padImage(image, 2), () => upscale(image, 2)]) {
        expect(use).toThrow(expected)
      }
      expect(() => commonSize('gif', [image])).toThrow(/^gif: image 0 is /)
    }
  })
})
