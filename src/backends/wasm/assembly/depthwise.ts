/**
 * Depthwise convolution at listed cells: m filters for each channel, results interleaved per channel.
 *
 *   y[i, j] = Σ_taps k[tap, j] · x[cell i + tap, ⌊j/m⌋]
 *
 * Four results at a time need up to four neighbouring channels, each repeated. They are loaded as one vector and spread
 * by a byte shuffle. For each vector of results, `spread` holds 32 bytes: the offset of its first channel in a cell (in
 * bytes), and at byte 16 the shuffle. So one loop serves any number of filters, and channels need no padding.
 *
 * A row of y is `vectors` vectors, and so is k[tap]. `offsets` has the distance of each tap from its cell, in bytes.
 */
import { mad } from './simd'

// @ts-ignore: decorators on functions
@inline
function spreadBy(x: v128, lanes: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i8x16.relaxed_swizzle(x, lanes) : i8x16.swizzle(x, lanes)
}

export function depthwise(
  x: usize, cells: usize, count: usize, taps: usize, offsets: usize, spread: usize, k: usize, vectors: usize,
  y: usize, stride: usize,
): void {
  const tapBytes = vectors << 4, offsetsEnd = offsets + (taps << 2), cellsEnd = cells + (count << 2)
  for (let j: usize = 0; j < vectors; j++) {
    const s = spread + (j << 5), c0 = x + load<u32>(s), l0 = v128.load(s, 16)
    let to = y + (j << 4)
    for (let i = cells; i < cellsEnd; i += 4) {
      const cell = c0 + load<u32>(i)
      let weight = k + (j << 4), s0 = f32x4.splat(0)
      for (let t = offsets; t < offsetsEnd; t += 4) {
        s0 = mad(spreadBy(v128.load(cell + load<u32>(t)), l0), v128.load(weight), s0)
        weight += tapBytes
      }
      v128.store(to, s0)
      to += stride
    }
  }
}

/** The derivative with respect to the filters: k[tap, j] = Σ_i x[cell i + tap, ⌊j/m⌋] · y[i, j]. */
export function depthwiseWeights(
  x: usize, cells: usize, count: usize, taps: usize, offsets: usize, spread: usize, k: usize, vectors: usize,
  y: usize, stride: usize,
): void {
  const cellsEnd = cells + (count << 2)
  for (let t: usize = 0; t < taps; t++) {
    const tap = x + load<u32>(offsets + (t << 2))
    for (let j: usize = 0; j < vectors; j++) {
      const s = spread + (j << 5), c0 = tap + load<u32>(s), l0 = v128.load(s, 16)
      let from = y + (j << 4), s0 = f32x4.splat(0)
      for (let i = cells; i < cellsEnd; i += 4) {
        s0 = mad(spreadBy(v128.load(c0 + load<u32>(i)), l0), v128.load(from), s0)
        from += stride
      }
      v128.store(k + (j << 4), s0)
    }
    k += vectors << 4
  }
}

/**
 * The derivative with respect to the image: x[cell i + tap, c] += Σ_q k[tap, q, c] · y[i, q, c], row by row in order. Here the
 * channels of each filter q are contiguous, in `vectors` vectors. The rest of the last vector must be 0 in y and in k, since it
 * is added to the next cell.
 */
export function depthwiseBack(
  x: usize, cells: usize, count: usize, taps: usize, offsets: usize, filters: usize, k: usize, vectors: usize,
  y: usize, stride: usize,
): void {
  const pitch = vectors << 4, tapBytes = filters * pitch, offsetsEnd = offsets + (taps << 2)
  for (let i: usize = 0; i < count; i++) {
    const cell = x + load<u32>(cells + (i << 2))
    for (let c: usize = 0; c < pitch; c += 16) {
      let weight = k + c
      for (let t = offsets; t < offsetsEnd; t += 4) {
        const to = cell + load<u32>(t) + c
        let s = v128.load(to)
        for (let q: usize = 0; q < tapBytes; q += pitch) s = mad(v128.load(y + c + q), v128.load(weight + q), s)
        v128.store(to, s)
        weight += tapBytes
      }
    }
    y += stride
  }
}
