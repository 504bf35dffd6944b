/**
 * Arithmetic, comparison and selection, element by element, four numbers at a time. Single operations are rounded
 * correctly, so they give the same bits as in JavaScript; extremes follow Math.max and Math.min, NaN and −0 included.
 */

/** to = a ∘ b over `bytes` bytes, a multiple of 16. `operation` is an index into the list in simd/elements.ts. */
export function combine(operation: i32, to: usize, a: usize, b: usize, bytes: usize): void {
  const end = to + bytes, one = i32x4.splat(1)
  if (operation == 0) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, f32x4.add(v128.load(a), v128.load(b)))
  } else if (operation == 1) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, f32x4.sub(v128.load(a), v128.load(b)))
  } else if (operation == 2) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, f32x4.mul(v128.load(a), v128.load(b)))
  } else if (operation == 3) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, f32x4.div(v128.load(a), v128.load(b)))
  } else if (operation == 4) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, f32x4.max(v128.load(a), v128.load(b)))
  } else if (operation == 5) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, f32x4.min(v128.load(a), v128.load(b)))
  } else if (operation == 6) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, v128.and(one, f32x4.gt(v128.load(a), v128.load(b))))
  } else if (operation == 7) {
    for (; to < end; to += 16, a += 16, b += 16) v128.store(to, v128.and(one, f32x4.ge(v128.load(a), v128.load(b))))
  }
}

/** to = a where the whole number c is not 0, else b. */
export function select(to: usize, c: usize, a: usize, b: usize, bytes: usize): void {
  const zero = i32x4.splat(0)
  for (const end = to + bytes; to < end; to += 16, c += 16, a += 16, b += 16) {
    v128.store(to, v128.bitselect(v128.load(b), v128.load(a), i32x4.eq(v128.load(c), zero)))
  }
}
