/**
 * Layer norms (src/tensor/ops/layer-norm.ts) of rows of numbers, in groups of neighbours, in place:
 *
 *   n = (x − μ) r,  r = 1 / √(σ² + 10⁻⁵)          x ← scale ⊙ n + shift
 *
 * and backward, with ∂n = scale ⊙ g and means over the group,
 *
 *   ∂scale += g ⊙ n          ∂shift += g          g ← r (∂n − mean ∂n − n mean(∂n ⊙ n))
 *
 * Four rows are one vector, a lane each, so that groups may have any size. The number of rows is rounded up to a multiple of
 * four, and they must be readable and writable that far. Sums for scale and shift run in order over exactly the given rows.
 */
import { mad } from './simd'

/** One number from each of four rows. */
function load4(x: usize, stride: usize): v128 {
  const two = v128.load32_lane(x + stride, v128.load32_zero(x), 1)
  return v128.load32_lane(x + 3 * stride, v128.load32_lane(x + 2 * stride, two, 2), 3)
}

function store4(x: usize, stride: usize, v: v128): void {
  v128.store32_lane(x, v, 0)
  v128.store32_lane(x + stride, v, 1)
  v128.store32_lane(x + 2 * stride, v, 2)
  v128.store32_lane(x + 3 * stride, v, 3)
}

/**
 * Normalises x in place; or, with a cotangent g (not null) laid out like x, transforms g, from x before normalisation. `scale`,
 * `shift`, `gScale` and `gShift` have an entry for every number; `bytes` is the size of a group.
 */
export function norm(
  rows: usize, groups: usize, bytes: usize, x: usize, g: usize, stride: usize, scale: usize, shift: usize, gScale: usize,
  gShift: usize,
): void {
  const size = f32x4.splat((bytes >> 2) as f32), away = g - x
  for (let i: usize = 0; i < rows; i += 4, x += 4 * stride) {
    for (let from: usize = 0, end = bytes; from < groups * bytes; from = end, end += bytes) {
      let mean = f32x4.splat(0), moment = mean // the first moment, the mean; then the second around it, the variance
      for (let second = 0; second < 2; second++) {
        let sum = f32x4.splat(0)
        for (let j = from; j < end; j += 4) {
          const d = f32x4.sub(load4(x + j, stride), mean)
          sum = f32x4.add(sum, second ? f32x4.mul(d, d) : d)
        }
        moment = f32x4.div(sum, size)
        if (!second) mean = moment
      }
      const r = f32x4.div(f32x4.splat(1), f32x4.sqrt(f32x4.add(moment, f32x4.splat(1e-5))))
      let owed = f32x4.splat(0), along = owed
      for (let j = from; g && j < end; j += 4) {
        const n = f32x4.mul(f32x4.sub(load4(x + j, stride), mean), r), given = load4(x + away + j, stride)
        addRows(gScale + j, f32x4.mul(given, n), rows - i)
        addRows(gShift + j, given, rows - i)
        const own = f32x4.mul(given, v128.load32_splat(scale + j))
        owed = f32x4.add(owed, own)
        along = mad(own, n, along)
      }
      owed = f32x4.div(owed, size)
      along = f32x4.div(along, size)
      for (let j = from; j < end; j += 4) {
        const n = f32x4.mul(f32x4.sub(load4(x + j, stride), mean), r), by = v128.load32_splat(scale + j)
        if (!g) {
          store4(x + j, stride, mad(n, by, v128.load32_splat(shift + j)))
          continue
        }
        const rest = f32x4.sub(f32x4.sub(f32x4.mul(load4(x + away + j, stride), by), owed), f32x4.mul(n, along))
        store4(x + away + j, stride, f32x4.mul(r, rest))
      }
    }
  }
}

/** Adds the numbers of `rows` rows, at most four, to the number at `to`, in order. */
function addRows(to: usize, v: v128, rows: usize): void {
  let sum = load<f32>(to) + f32x4.extract_lane(v, 0)
  if (rows > 1) sum += f32x4.extract_lane(v, 1)
  if (rows > 2) sum += f32x4.extract_lane(v, 2)
  if (rows > 3) sum += f32x4.extract_lane(v, 3)
  store<f32>(to, sum)
}
