/**
 * Bounds, which listed cells' channels are kept in after a step, and their derivative:
 *
 *   clamp   min(max(x, low), high)     g where x was within, 0 where it was cut or is NaN
 *   tanh    tanh x                     g (1 − y²), y = tanh x
 *
 * Channels whose `keep` is all ones stay as they are, and so does g in them.
 */
import { tanh } from './activation'

export function bind(
  squash: bool, x: usize, cells: usize, count: usize, cellBytes: usize, keep: usize, low: f32, high: f32,
): void {
  const least = f32x4.splat(low), most = f32x4.splat(high)
  for (let i: usize = 0; i < count; i++) {
    const cell = x + load<u32>(cells + (i << 2))
    for (let c: usize = 0; c < cellBytes; c += 16) {
      const v = v128.load(cell + c), bound = squash ? tanh(v) : f32x4.min(f32x4.max(v, least), most)
      v128.store(cell + c, v128.bitselect(v, bound, v128.load(keep + c)))
    }
  }
}

/** The derivative: `rows` has, cell after cell, the input of `bind`. */
export function bindBack(
  squash: bool, g: usize, cells: usize, count: usize, cellBytes: usize, keep: usize, low: f32, high: f32, rows: usize,
): void {
  const one = f32x4.splat(1), least = f32x4.splat(low), most = f32x4.splat(high)
  for (let i: usize = 0; i < count; i++) {
    const at = load<u32>(cells + (i << 2))
    for (let c: usize = 0; c < cellBytes; c += 16) {
      const v = v128.load(rows + c), owed = v128.load(g + at + c)
      const y = squash ? tanh(v) : f32x4.min(f32x4.max(v, least), most)
      const passed = squash ? f32x4.mul(owed, f32x4.sub(one, f32x4.mul(y, y)))
        : v128.and(owed, f32x4.eq(v, y))
      v128.store(g + at + c, v128.bitselect(owed, passed, v128.load(keep + c)))
    }
    rows += cellBytes
  }
}
