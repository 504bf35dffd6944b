/**
 * Sums over neighbouring axes, as loops over float32. They keep double precision, which four lanes of float32 would
 * lose; what they gain over the plain loops is that four sums at a time stay in registers.
 */
import { sizeOf } from '../../backend.ts'
import type { SimdKernel } from '../../backend.ts'
import { isFloat } from '../simd/conditions.ts'

/** Sums of x, seen as [outer, n, inner], over n. */
export const sumSimd: SimdKernel<unknown> = () => ([x], out, { inputs: [{ shape }], out: { shape: outShape } }) => {
  if (!isFloat(x) || !isFloat(out)) return false
  const first = shape.findIndex((size, i) => size !== outShape[i])
  const last = shape.findLastIndex((size, i) => size !== outShape[i])
  if (first < 0 || outShape.slice(first, last + 1).some(size => size !== 1)) return false
  const inner = sizeOf(shape.slice(last + 1)), n = sizeOf(shape.slice(first, last + 1))
  if (inner === 1) sumLines(x, n, out)
  else sumColumns(x, n, inner, out)
  return true
}

function sumLines(x: Float32Array, n: number, out: Float32Array): void {
  for (let o = 0, i = 0; o < out.length; o++) {
    let t0 = 0, t1 = 0, t2 = 0, t3 = 0
    const end = i + n
    for (; i + 4 <= end; i += 4) {
      t0 += x[i]
      t1 += x[i + 1]
      t2 += x[i + 2]
      t3 += x[i + 3]
    }
    for (; i < end; i++) t0 += x[i]
    out[o] = t0 + t1 + (t2 + t3)
  }
}

/** Lines that are read together, so that they are still in the cache for the next four columns. */
const depth = 64

function sumColumns(x: Float32Array, n: number, inner: number, out: Float32Array): void {
  const sums = new Float64Array(inner)
  for (let o = 0; o < out.length; o += inner) {
    const end = (o + inner) * n
    sums.fill(0)
    for (let from = o * n; from < end; from += depth * inner) {
      const to = Math.min(end, from + depth * inner)
      let j = 0
      for (; j + 4 <= inner; j += 4) {
        let t0 = sums[j], t1 = sums[j + 1], t2 = sums[j + 2], t3 = sums[j + 3]
        for (let i = from + j; i < to; i += inner) {
          t0 += x[i]
          t1 += x[i + 1]
          t2 += x[i + 2]
          t3 += x[i + 3]
        }
        sums[j] = t0
        sums[j + 1] = t1
        sums[j + 2] = t2
        sums[j + 3] = t3
      }
      for (; j < inner; j++) for (let i = from + j; i < to; i += inner) sums[j] += x[i]
    }
    out.set(sums, o)
  }
}
