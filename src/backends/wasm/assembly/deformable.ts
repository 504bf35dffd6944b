/**
 * The taps of deformable convolutions: bilinear interpolation of a plane at places that a cell chooses, and the adjoint. On each
 * axis, a place that is o cells from the tap is interpolated from the cells k around it, at distances u_k,
 *
 *   s(o) = Σ_k w(u_k) s[k]       u_k = o − k        w(u) = max(0, 1 − |u|)        w'(u) = ∓1 where 0 < |u| < 1
 *
 * and on a cell the slope is the mean of those on both sides, w'(0) = 0 and w'(±1) = ∓½ (src/nca/perceptions/deformable.ts).
 * On a plane weights are w_k w_l, and slopes w_k' w_l down and w_k w_l' to the right.
 */
import { addCell, dot } from './attention'
import { mad } from './simd'

/** Entries of the table `plane`: bytes of a row and of a cell; the offset of the first cell; height and width. */
const rowBytesAt: usize = 0, cellBytesAt: usize = 4, originAt: usize = 8, heightAt: usize = 12, widthAt: usize = 16
/** The border, 0 zeros, 1 a torus, 2 a mirror, 3 the edge; taps along an axis; how many cells they can be moved, 0 for any. */
const borderAt: usize = 20, sizeAt: usize = 24, reachAt: usize = 28

/** The links of a tap, nine cells around its place: for each the offset, or `outside` if it does not count, weight and slopes. */
const weightAt: usize = 4, downAt: usize = 8, rightAt: usize = 12, link: usize = 16, tapBytes: usize = 9 * 16
const outside: i32 = i32.MIN_VALUE

/** The weight and slope of the cell that `near` returned last. */
let weight: f32 = 0, slope: f32 = 0

/** On an axis of n cells, the cell k after the one nearest to the place o cells from cell `tap`, or `outside`. */
function near(tap: i32, o: f32, k: i32, n: i32, plane: usize): i32 {
  const middle: f32 = floor<f32>(o + 0.5), u: f32 = o - middle - (k as f32), far: f32 = abs<f32>(u)
  weight = max<f32>(0, 1 - far)
  slope = u == 0 || far > 1 ? 0 : copysign<f32>(far == 1 ? 0.5 : 1, -u)
  // A NaN counts as no movement. Bounded taps stay within the ring of the state.
  const moved = max(-(1 << 29), min(1 << 29, i32x4.extract_lane(i32x4.trunc_sat_f32x4_s(f32x4.splat(middle)), 0))) + k
  const i = tap + moved, border = load<i32>(plane, borderAt), reach = load<i32>(plane, reachAt)
  if (reach > 0) return abs(moved) > reach ? outside : i
  if (i >= 0 && i < n) return i
  if (border == 0) return outside
  if (border == 3) return i < 0 ? 0 : n - 1
  const period = border == 1 ? n : max(1, 2 * (n - 1)), within = (i % period + period) % period
  return border == 1 ? within : min(within, period - within)
}

/**
 * Writes the links of the taps of listed cells. `z` has rows of what each cell chooses: for all taps the offsets down and, `group`
 * bytes later, those to the right, in units of the reach.
 */
export function aim(cells: usize, count: usize, plane: usize, z: usize, zStride: usize, group: usize, links: usize): void {
  const rowBytes = load<i32>(plane, rowBytesAt), cellBytes = load<i32>(plane, cellBytesAt), origin = load<i32>(plane, originAt)
  const size = load<i32>(plane, sizeAt), half = size >> 1, unit = max<f32>(1, load<i32>(plane, reachAt) as f32)
  for (let i: usize = 0; i < count; i++, z += zStride) {
    const from = load<i32>(cells + (i << 2)) - origin
    for (let t = 0; t < size * size; t++) {
      const o = z + (t << 2), down: f32 = unit * load<f32>(o), right: f32 = unit * load<f32>(o + group)
      for (let k = -1; k < 2; k++) {
        const y = near(from / rowBytes + t / size - half, down, k, load<i32>(plane, heightAt), plane), w = weight, s = slope
        for (let l = -1; l < 2; l++, links += link) {
          const x = near(from % rowBytes / cellBytes + t % size - half, right, l, load<i32>(plane, widthAt), plane)
          // A cell without influence is not looked at.
          const seen = y != outside && x != outside && !(w * weight == 0 && s * weight == 0 && w * slope == 0)
          store<i32>(links, seen ? origin + y * rowBytes + x * cellBytes : outside)
          store<f32>(links, w * weight, weightAt)
          store<f32>(links, s * weight, downAt)
          store<f32>(links, w * slope, rightAt)
        }
      }
    }
  }
}

/** y[i, t] = m Σ w s for each tap of `count` cells, all channels. `m`, if not null, has rows of weights with the stride of z. */
export function deform(
  x: usize, count: usize, taps: usize, cellBytes: usize, links: usize, m: usize, zStride: usize, y: usize, yStride: usize,
): void {
  for (let i: usize = 0; i < count; i++, y += yStride) {
    memory.fill(y, 0, taps * cellBytes)
    let to = y
    for (let t: usize = 0; t < taps; t++, to += cellBytes) {
      const by: f32 = m ? load<f32>(m + i * zStride + (t << 2)) : 1
      for (const end = links + tapBytes; links < end; links += link) {
        if (load<i32>(links) != outside) addCell(to, x + load<u32>(links), cellBytes, by * load<f32>(links, weightAt))
      }
    }
  }
}

/**
 * From ∂y computes ∂z, laid out like z: the offsets down, those to the right and m, `group` bytes apart. With p = s · ∂y they are
 * m Σ w_k' w_l p, m Σ w_k w_l' p and Σ w_k w_l p. Unless g is null, also adds to the cotangent g of the state, row by row and tap
 * by tap in order.
 */
export function deformBack(
  x: usize, count: usize, taps: usize, cellBytes: usize, links: usize, m: usize, zStride: usize, gy: usize, gyStride: usize,
  gz: usize, group: usize, unit: f32, g: usize,
): void {
  for (let i: usize = 0; i < count; i++, gz += zStride, gy += gyStride) {
    memory.fill(gz, 0, zStride)
    for (let t: usize = 0; t < taps; t++) {
      const owed = gy + t * cellBytes, own = gz + (t << 2), by: f32 = m ? load<f32>(m + i * zStride + (t << 2)) : 1
      let sums = f32x4.splat(0)
      for (const end = links + tapBytes; links < end; links += link) {
        const offset = load<i32>(links)
        if (offset == outside) continue
        sums = mad(f32x4.splat(dot(x + offset, owed, cellBytes)), v128.load(links), sums)
        if (g) addCell(g + offset, owed, cellBytes, by * load<f32>(links, weightAt))
      }
      store<f32>(own, unit * by * f32x4.extract_lane(sums, 2))
      store<f32>(own + group, unit * by * f32x4.extract_lane(sums, 3))
      if (m) store<f32>(own + 2 * group, f32x4.extract_lane(sums, 1))
    }
  }
}
