/**
 * Windows around cells: the values of an image in the square, or cube, of `side` cells around a cell, 0 beyond the border. A
 * network on these numbers (`reader.ts`) sees the neighbourhood of a cell and nothing else.
 */

/** The windows around these cells of images `[n,…grid]`, one after the other, `side` cells along each axis. */
export function windowsOf(images: Float32Array, grid: readonly number[], side: number, cells: readonly number[]): Float32Array {
  const size = grid.reduce((a, b) => a * b, 1), half = (side - 1) / 2
  const strides = grid.map((_, axis) => grid.slice(axis + 1).reduce((a, b) => a * b, 1))
  const taps = Array.from({ length: side ** grid.length }, (_, tap) =>
    grid.map((_, axis) => Math.floor(tap / side ** (grid.length - 1 - axis)) % side - half))
  const seen = new Float32Array(cells.length * taps.length)
  cells.forEach((cell, n) => {
    const place = grid.map((length, axis) => Math.floor(cell % size / strides[axis]) % length)
    taps.forEach((tap, i) => {
      const inside = tap.every((by, axis) => place[axis] + by >= 0 && place[axis] + by < grid[axis])
      if (inside) seen[n * taps.length + i] = images[cell + tap.reduce((sum, by, axis) => sum + by * strides[axis], 0)]
    })
  })
  return seen
}
