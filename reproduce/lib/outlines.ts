/**
 * Drawings of closed and open outlines, and their insides: examples for a segmentation without a download.
 */
import { foldIn, key, uniformAt } from '../../src/index.ts'

/**
 * The i-th drawing for `inside`, 1 where the pen was: a round blob or a polygon, closed or, for a share `gaps` of them, with a gap.
 * It is one curve round a centre, r(θ) = R (1 + a cos(2θ + α) + b cos(3θ + β)); a polygon has its corners at a few of its angles.
 */
export function outline(i: number, size: number, gaps: number = 0.5): Float32Array {
  const drawn = foldIn(key(28), i)
  let draws = 0
  const from = (low: number, high: number): number => low + (high - low) * uniformAt(drawn, draws++)
  const [cx, cy, radius] = [from(0.4, 0.6) * size, from(0.4, 0.6) * size, from(0.15, 0.45) * size]
  const [a, b, alpha, beta, start] = [from(0, 0.35), from(0, 0.2), from(0, 7), from(0, 7), from(0, 7)]
  const corners = from(0, 1) < 0.4 ? Math.floor(from(3, 7)) : 90
  const share = from(0, 1) < 1 - gaps ? 1 : 1 - from(0.2, 0.7) ** 2
  const pen = from(0, 1) < 0.5 ? 0.5 : 1.5 // the brushes of 1 and of 3 cells
  const corner = (n: number): [number, number] => {
    const angle = start + 2 * Math.PI * n / corners
    const r = radius * (1 + a * Math.cos(2 * angle + alpha) + b * Math.cos(3 * angle + beta))
    return [cx + r * Math.cos(angle), cy + r * Math.sin(angle)]
  }
  const image = new Float32Array(size * size)
  for (let t = 0; t < share; t += 1 / 540) {
    const n = Math.floor(t * corners), part = t * corners - n
    const [one, next] = [corner(n), corner(n + 1)]
    const [x, y] = [0, 1].map(axis => Math.round(one[axis] + part * (next[axis] - one[axis])))
    for (let v = Math.max(0, Math.ceil(y - pen)); v <= Math.min(size - 1, y + pen); v++) {
      for (let u = Math.max(0, Math.ceil(x - pen)); u <= Math.min(size - 1, x + pen); u++) image[v * size + u] = 1
    }
  }
  return image
}

/** For every cell 0 outside, 1 on the line, 2 inside; a flood fill from the border of the grid finds the outside. */
export function classesOf(image: Float32Array, size: number): Int32Array {
  const classes = Int32Array.from(image, ink => ink > 0 ? 1 : 2)
  const flood = Array.from({ length: size }, (_, i) => [i, i * size, i * size + size - 1, (size - 1) * size + i]).flat()
  while (flood.length > 0) {
    const cell = flood.pop()!
    if (classes[cell] !== 2) continue
    classes[cell] = 0
    const x = cell % size
    flood.push(...[x > 0 ? cell - 1 : -1, x < size - 1 ? cell + 1 : -1, cell - size, cell + size].filter(n => n >= 0 && n < size * size))
  }
  return classes
}
