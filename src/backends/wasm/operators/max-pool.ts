/**
 * The three operators of maxPool. winningTap runs in assembly/pool.ts, along whole lines of the image; pick and unpick
 * go straight to the cell that a tap reads and give the same bits as the plain loops.
 */
import type { Data, SimdKernel } from '../../backend.ts'
import { bands, loadBand, planOf, tapOffsets } from '../simd/bands.ts'
import type { Windows } from '../../window.ts'
import { isFloat } from '../simd/conditions.ts'

/** Less than any number's rank. */
const outside = 0x80000000

/** inputs: x [b,h,w,c]; out [b,h,w,c], uint32. */
export const winningTapSimd: SimdKernel<Windows> = room => (
  [x], out, { inputs: [{ shape: [batch, height, width, n] }], attrs },
) => {
  if (!isFloat(x) || out.length === 0) return false
  const plan = planOf(attrs, n), taps = tapOffsets(plan), line = width * n
  // What is found at the end of lines, for windows that begin in the border, is computed but not copied.
  const { kernels, words, at: [image, offsets, to] } =
    room(4 * (plan.bandSize + plan.pitch), 4 * taps.length, 4 * plan.lines * plan.pitch)
  const bits = new Uint32Array(x.buffer, x.byteOffset, x.length)
  words.set(taps, offsets / 4)
  for (const band of bands(plan, batch)) {
    loadBand(plan, band, bits, words, image / 4, outside, at => kernels.ranks(4 * at, 4 * line))
    kernels.winningTaps(image, 4 * band.lines * plan.pitch, taps.length, offsets, to)
    for (let i = 0; i < band.lines; i++) {
      const from = to / 4 + i * plan.pitch
      out.set(words.subarray(from, from + line), (band.sample * height + band.line + i) * line)
    }
  }
  return true
}

/** inputs: x [b,h,w,c], tap [b,h,w,c]; out [b,h,w,c]. */
export const pickSimd: SimdKernel<Windows> = () => ([x, tap], out, { inputs: [{ shape }], attrs }) => {
  if (!isFloat(x) || !isFloat(out)) return false
  eachPicked(attrs, shape, tap, (o, from) => { out[o] = x[from] })
  return true
}

/** inputs: g [b,h,w,c], tap [b,h,w,c]; out [b,h,w,c]. */
export const unpickSimd: SimdKernel<Windows> = () => ([g, tap], out, { inputs: [{ shape }], attrs }) => {
  if (!isFloat(g) || !isFloat(out)) return false
  const sums = new Float64Array(out.length)
  eachPicked(attrs, shape, tap, (o, to) => { sums[to] += g[o] })
  out.set(sums)
  return true
}

/** Calls `visit` for each number of the output, in order, with the position of the number that its tap reads. */
function eachPicked(
  win: Windows, [batch, height, width, n]: readonly number[], taps: Data, visit: (o: number, i: number) => void,
): void {
  const { y, x, win: { kernel: [kh, kw], dilation } } = planOf(win, n)
  // Of each tap, how far it is from the first, in cells.
  const down = Int32Array.from({ length: kh * kw }, (_, t) => dilation * Math.floor(t / kw))
  const right = Int32Array.from({ length: kh * kw }, (_, t) => dilation * (t % kw))
  let o = 0
  for (let sample = 0; sample < batch; sample++) {
    for (let i = 0; i < height; i++) {
      for (let j = 0; j < width; j++) {
        for (let c = 0; c < n; c++, o++) {
          const t = taps[o]
          visit(o, ((sample * height + y.cells[i + down[t]]) * width + x.cells[j + right[t]]) * n + c)
        }
      }
    }
  }
}
