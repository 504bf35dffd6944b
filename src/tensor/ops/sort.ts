/**
 * Sorting along an axis: first the order of the entries, then one gather.
 *
 *   argSort   p with x_{p(0)} ≤ x_{p(1)} ≤ …          integers, so a constant to every transform
 *   sort      out_k = x_{p(k)}                        ∂L/∂x_{p(k)} = g_k
 *
 * If no two entries are equal, p is constant in a neighbourhood of x, and sorting is the permutation p, a linear map; its
 * derivative is that of `takeAlong` and needs no rule of its own. In either direction equal entries keep their order,
 * which fixes p and with it the gradient.
 *
 * NaN counts as greater than every number, as in `max`: it comes last, or first in descending order. So samples ranked by
 * their loss, the worst first, begin with those whose loss is NaN.
 */
import { defineOp, type Op } from '../op.ts'
import { checkOptions, flag, keysOf } from '../../backends/options.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { takeAlong } from './gather.ts'
import { axisOf, linesAlong } from './lines.ts'
import { lanes } from '../../backends/webgpu/shader.ts'

/**
 * argSort: the positions of each line's entries, in the order of the entries.
 *
 * The CPU compares nothing. It turns each number into 64 bits that, read as a whole number, have the order of the numbers: those
 * of its double, all flipped if it is negative, and else only the sign. Then it sorts by each byte in turn, the lowest first, into
 * 256 heaps that keep the order of the byte before (radix sort). −0 is made 0, and NaN the next number after ∞.
 */
export const argSortOp: Op<{ axis: number; descending: boolean }> = defineOp<{ axis: number; descending: boolean }>({
  name: 'argSort',
  infer: ([x]) => ({ shape: x.shape, dtype: 'int32' }),
  cpu: ([x], out, { inputs: [{ shape }], attrs: { axis, descending } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    const all = descending ? -1 : 0
    const line = new Float64Array(n), words = new Int32Array(line.buffer), bytes = new Uint8Array(line.buffer)
    const starts = new Int32Array(257)
    let order = new Int32Array(n), next = new Int32Array(n)
    for (let o = 0; o < outer; o++) {
      for (let i = 0; i < inner; i++) {
        for (let k = 0; k < n; k++) {
          const v = x[(o * n + k) * inner + i], sign = v < 0 ? -1 : 0, none = Number.isNaN(v)
          line[k] = none ? Infinity : v + 0
          words[2 * k] ^= sign ^ all ^ +none
          words[2 * k + 1] ^= (sign | 1 << 31) ^ all
          order[k] = k
        }
        for (let byte = 0; byte < 8; byte++) {
          starts.fill(0)
          for (let at = byte; at < 8 * n; at += 8) starts[bytes[at] + 1]++
          for (let value = 1; value < 256; value++) starts[value] += starts[value - 1]
          for (let k = 0; k < n; k++) next[starts[bytes[8 * order[k] + byte]]++] = order[k]
          const last = order
          order = next
          next = last
        }
        for (let k = 0; k < n; k++) out[(o * n + k) * inner + i] = order[k]
      }
    }
  },
  wgsl: ({ inputs: [x], attrs: { axis, descending } }) => {
    const { outer, n, inner } = linesAlong(x.shape, axis)
    const short = n <= lanes
    const work = short ? { threads: sizeOf(x.shape) } : { groups: outer * inner }
    return {
      inputs: ['x'],
      u32: { n, inner },
      source: `
        /** Whether entry a of the line that begins at start comes before entry b. */
        fn precedes(start: u32, a: u32, b: u32) -> bool {
          let p = rank(x[start + a * u.inner]);
          let q = rank(x[start + b * u.inner]);
          return p ${descending ? '>' : '<'} q || (p == q && a < b);
        }
        ${short ? countingWgsl : mergingWgsl}`,
      ...work,
    }
  },
  vjp: null,
})

/** Each entry counts those that come before it: n² comparisons for a line, but all at once. */
const countingWgsl = `
  fn main(i: u32) {
    let own = i / u.inner % u.n;
    let start = i - own * u.inner;
    var place = 0u;
    for (var k = 0u; k < u.n; k++) { if (precedes(start, k, own)) { place++; } }
    out[start + place * u.inner] = i32(own);
  }`

/**
 * A workgroup for each line sorts positions with a sorting network (Batcher 1968, "Sorting networks and their
 * applications"): sorted blocks are merged into blocks of twice the size, ½ n log² n comparisons in all. The first step of
 * a merge compares every entry of a block with its mirror image, so that smaller ones always move to the front. Positions
 * beyond the end of the line count as greatest, so they stay where they are.
 */
const mergingWgsl = `
  fn main(line: u32, lane: u32) {
    let start = line / u.inner * u.n * u.inner + line % u.inner;
    for (var k = lane; k < u.n; k += lanes) { out[start + k * u.inner] = i32(k); }
    for (var half = 1u; half < u.n; half *= 2) {
      for (var step = half; step > 0; step /= 2) {
        storageBarrier();
        workgroupBarrier();
        for (var pair = lane; pair / step * 2 * step < u.n; pair += lanes) {
          let block = pair / step * 2 * step;
          let i = block + pair % step;
          let j = select(i + step, block + 2 * step - 1 - pair % step, step == half);
          if (j >= u.n) { continue; }
          let a = out[start + i * u.inner];
          let b = out[start + j * u.inner];
          if (precedes(start, u32(b), u32(a))) {
            out[start + i * u.inner] = b;
            out[start + j * u.inner] = a;
          }
        }
      }
    }
  }`

export type SortOptions = {
  /** Greatest first; default false. */
  descending?: boolean
}

const sortOptions = keysOf<SortOptions>({ descending: flag })

/**
 * The positions of the entries in sorted order along an axis, the last by default: int32, of the shape of x. Equal
 * entries keep their order. NaN counts as greatest: last, or first with `descending`. No gradient passes.
 *
 * @example argSort(tensor([3, 1, 2]))            // [1, 2, 0]
 * @example argSort(argSort(x))                   // the rank of every entry
 */
export function argSort(x: Tensor, axis = -1, options: SortOptions = {}): Tensor {
  checkOptions('argSort', options, sortOptions)
  return apply(argSortOp, [x], { axis: axisOf('argSort', x, axis), descending: options.descending ?? false })
}

/**
 * The entries in sorted order along an axis, the last by default; the gradient goes back to where each came from. NaN
 * counts as greatest: last, or first with `descending`.
 *
 * @example sort(x, 1, { descending: true })
 */
export function sort(x: Tensor, axis = -1, options: SortOptions = {}): Tensor {
  checkOptions('sort', options, sortOptions)
  const along = axisOf('sort', x, axis)
  return takeAlong(x, argSort(x, along, options), along)
}
