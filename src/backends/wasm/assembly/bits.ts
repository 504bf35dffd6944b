/**
 * Masks as planes of bits: one bit per cell, in rows of 64-bit words, so that 64 cells are processed at once.
 *
 * Bits beyond the width are always zero. Functions take rows `first` up to, not including, `last`, and pointers to row
 * 0 of a plane, so that several threads can share one plane. Rows are numbered through all slices of a volume.
 */

// @ts-ignore: decorators on functions
@inline
function row(plane: usize, y: usize, words: usize): usize {
  return plane + y * (words << 3)
}

/** to = a ∧ b, or a ∧ ¬b, or a ∨ b, over `count` words. */
export function and(to: usize, a: usize, b: usize, count: usize): void {
  for (let i: usize = 0; i < count << 3; i += 8) store<u64>(to + i, load<u64>(a + i) & load<u64>(b + i))
}

export function andNot(to: usize, a: usize, b: usize, count: usize): void {
  for (let i: usize = 0; i < count << 3; i += 8) store<u64>(to + i, load<u64>(a + i) & ~load<u64>(b + i))
}

export function or(to: usize, a: usize, b: usize, count: usize): void {
  for (let i: usize = 0; i < count << 3; i += 8) store<u64>(to + i, load<u64>(a + i) | load<u64>(b + i))
}

/** Sets every bit of the rows. */
export function fill(to: usize, first: usize, last: usize, width: usize, words: usize): void {
  const tail = tailMask(width)
  for (let y = first; y < last; y++) {
    const r = row(to, y, words)
    for (let i: usize = 0; i < words; i++) store<u64>(r + (i << 3), ~(0 as u64))
    store<u64>(r + ((words - 1) << 3), tail)
  }
}

// @ts-ignore: decorators on functions
@inline
function tailMask(width: usize): u64 {
  const rest = width & 63
  return rest ? ((1 as u64) << (rest as u64)) - 1 : ~(0 as u64)
}

/**
 * The 3×3×3 neighbourhood, in a plane 3×3: a bit is set where it or one of its neighbours is. With `wrap` the grid is a
 * torus.
 */
export function dilate(
  from: usize, to: usize, first: usize, last: usize, depth: usize, height: usize, width: usize, words: usize, wrap: bool,
): void {
  const tail = tailMask(width), end = words - 1
  for (let r = first; r < last; r++) {
    const z = r / height, y = r % height
    const here = row(from, r, words), out = row(to, r, words)
    // Distances to the neighbouring rows and slices; beyond the border, this row itself takes their place.
    const above = distance(y, y > 0 ? y - 1 : wrap ? height - 1 : y, words)
    const below = distance(y, y + 1 < height ? y + 1 : wrap ? 0 : y, words)
    const front = distance(z, z > 0 ? z - 1 : wrap ? depth - 1 : z, height * words)
    const back = distance(z, z + 1 < depth ? z + 1 : wrap ? 0 : z, height * words)
    const leftmost = column(here, above, below, front, back)
    let before: u64 = 0, middle = leftmost
    for (let i: usize = 0; i < words; i++) {
      const after = i < end ? column(here + ((i + 1) << 3), above, below, front, back) : 0
      store<u64>(out + (i << 3), middle | (middle << 1) | (middle >> 1) | (before >> 63) | (after << 63))
      before = middle
      middle = after
    }
    if (wrap) {
      const edge = ((width - 1) & 63) as u64
      store<u64>(out, load<u64>(out) | ((before >> edge) & 1)) // `before` is the last word now
      store<u64>(out + (end << 3), load<u64>(out + (end << 3)) | ((leftmost & 1) << edge))
    }
    store<u64>(out + (end << 3), load<u64>(out + (end << 3)) & tail)
  }
}

/** Bytes from one row or slice to another, each so many words. */
// @ts-ignore: decorators on functions
@inline
function distance(from: usize, to: usize, words: usize): usize {
  return ((to - from) * words) << 3
}

function column(here: usize, above: usize, below: usize, front: usize, back: usize): u64 {
  const bits = three(here, above, below)
  return front | back ? bits | three(here + front, above, below) | three(here + back, above, below) : bits
}

function three(here: usize, above: usize, below: usize): u64 {
  return load<u64>(here) | load<u64>(here + above) | load<u64>(here + below)
}

/**
 * Lists the cells whose bit is set, in scan order, as byte offsets into a state (see cells.ts) whose rows begin at the offsets
 * in the table `rowsAt` and whose cells have `cellBytes`.
 *
 * @returns the number of cells
 */
export function list(
  plane: usize, first: usize, last: usize, words: usize, rowsAt: usize, cellBytes: usize, to: usize,
): usize {
  let at = to
  for (let y = first; y < last; y++) {
    let from = load<u32>(rowsAt + (y << 2)) as usize
    for (let i: usize = 0; i < words; i++) {
      let bits = load<u64>(row(plane, y, words) + (i << 3))
      while (bits) {
        store<u32>(at, (from + (ctz(bits) as usize) * cellBytes) as u32)
        at += 4
        bits &= bits - 1
      }
      from += cellBytes << 6
    }
  }
  return (at - to) >> 2
}

/** The bits of the cells in which a channel exceeds `above`; `channel` is the address of that channel in a cell at offset 0. */
export function strong(
  to: usize, first: usize, last: usize, width: usize, words: usize, channel: usize, rowsAt: usize,
  cellBytes: usize, above: f32,
): void {
  for (let y = first; y < last; y++) {
    let p = channel + load<u32>(rowsAt + (y << 2)), x: usize = 0
    for (let i: usize = 0; i < words; i++) {
      let bits: u64 = 0
      const end = min<usize>(width, x + 64)
      for (let bit: u64 = 0; x < end; x++, bit++) {
        bits |= ((load<f32>(p) > above) as u64) << bit
        p += cellBytes
      }
      store<u64>(row(to, y, words) + (i << 3), bits)
    }
  }
}

/**
 * Corrects the bits of `to` for the cells in `rows` that are about to change: the i-th of them by the channel at
 * `change` + i·stride.
 */
export function strongAfter(
  to: usize, rows: usize, first: usize, last: usize, words: usize, channel: usize, rowsAt: usize, cellBytes: usize,
  change: usize, stride: usize, above: f32,
): void {
  for (let y = first; y < last; y++) {
    let from = channel + load<u32>(rowsAt + (y << 2))
    for (let i: usize = 0; i < words; i++) {
      const at = row(to, y, words) + (i << 3)
      let changed = load<u64>(row(rows, y, words) + (i << 3)), bits = load<u64>(at) & ~changed
      while (changed) {
        const bit = ctz(changed)
        const value: f32 = load<f32>(from + (bit as usize) * cellBytes) + load<f32>(change)
        bits |= ((value > above) as u64) << bit
        change += stride
        changed &= changed - 1
      }
      store<u64>(at, bits)
      from += cellBytes << 6
    }
  }
}
