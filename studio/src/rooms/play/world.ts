/**
 * The world of Play: the state of a grid on the host, and how the visitor changes it by hand. Pure functions of plain numbers.
 *
 * Between two pictures the state is kept on the host and not on the backend, so another backend can take over at any moment,
 * and nothing is lost with a GPU. A state is `[h,w,c]`, row-major; cells are addressed by column x and row y, and
 * distances are between the centres of cells.
 */
export type Grid = { readonly width: number; readonly height: number; readonly channels: number }

/** A change by hand: with which tool, where, how far, and to which values. */
export type Touch = {
  readonly tool: 'erase' | 'seed' | 'paint' | 'circle' | 'half'
  /** The cell under the pointer. */
  readonly x: number
  readonly y: number
  /** The radius of the brush, in cells; 0.5 reaches one cell. */
  readonly radius: number
  /** The values of the first channels of painted cells: for a growing rule premultiplied red, green, blue and alpha. */
  readonly paint: readonly number[]
}

/**
 * The state after a touch.
 *
 * @param seed the values of a planted cell
 * @param isKept whether a channel keeps its value
 */
export function touched(
  state: Float32Array, grid: Grid, touch: Touch, seed: readonly number[], isKept: (channel: number) => boolean,
): Float32Array {
  const { width, height, channels } = grid
  const next = state.slice()
  const hit = reach(grid, touch)
  const values = touch.tool === 'seed' ? seed : touch.tool === 'paint' ? touch.paint : new Array<number>(channels).fill(0)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (!hit(x, y)) continue
      const at = (y * width + x) * channels
      values.forEach((value, c) => { if (!isKept(c)) next[at + c] = value })
    }
  }
  return next
}

/** Whether a touch reaches a cell. A half-plane is everything beyond the pointer, seen from the centre of the grid. */
function reach({ width, height }: Grid, { tool, x, y, radius }: Touch): (cx: number, cy: number) => boolean {
  if (tool === 'half') {
    const dx = x - (width - 1) / 2, dy = y - (height - 1) / 2
    const [nx, ny] = dx === 0 && dy === 0 ? [1, 0] : [dx, dy]
    return (cx, cy) => (cx - x) * nx + (cy - y) * ny >= 0
  }
  if (tool === 'seed') return (cx, cy) => cx === x && cy === y
  return (cx, cy) => (cx - x) ** 2 + (cy - y) ** 2 <= radius ** 2
}

/** The state on a grid of another size, with the same centre; cells outside the new grid are lost, new cells are empty. */
export function resized(state: Float32Array, from: Grid, to: Grid): Float32Array {
  const next = new Float32Array(to.width * to.height * to.channels)
  const dx = Math.floor(to.width / 2) - Math.floor(from.width / 2)
  const dy = Math.floor(to.height / 2) - Math.floor(from.height / 2)
  for (let y = 0; y < from.height; y++) {
    for (let x = 0; x < from.width; x++) {
      const [tx, ty] = [x + dx, y + dy]
      if (tx < 0 || ty < 0 || tx >= to.width || ty >= to.height) continue
      const at = (y * from.width + x) * from.channels
      next.set(state.subarray(at, at + from.channels), (ty * to.width + tx) * to.channels)
    }
  }
  return next
}
