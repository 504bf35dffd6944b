/**
 * How sharp pictures are: the distribution of their gradient magnitudes, compared with that of real pictures.
 *
 *   g = √(dx² + dy²) of the brightness, differences to the pixel on the right and to the one below
 *   distance = ∫ |F⁻¹(q) − G⁻¹(q)| dq = mean |sorted g of generated − sorted g of real|       (Wasserstein-1)
 *
 * Why this measures sharpness: the mean squared error is least for the mean of all pictures that fit the input (E[y | x]), and
 * means are flat where pictures differ: strong gradients are missing, and weak ones take their place. A distance of
 * distributions sees both. It does not depend on which of the possible pictures is generated, unlike pixel errors, for which a
 * sharp guess is worse than a blurred one; it does not reward noise, which adds gradients where real pictures have none; and
 * it has nothing to tune. It does not see whether gradients are in the right places: that is what `edgesMet` measures, the share of
 * the edges of one picture at which another has an edge too, within a cell. Of real edges it is the recall of the generated ones, and
 * of generated edges their precision, which noise lowers.
 *
 * The ratio of the mean gradients (generated over real) shows the direction: below 1 blurred, above 1 rough.
 */

/** Gradients of pictures `[n,side,side,channels]`, n·(side − 1)² of them. */
export function gradients(pictures: ArrayLike<number>, side: number, channels: number): Float32Array {
  const size = side * side, n = pictures.length / (size * channels)
  const found = new Float32Array(n * (side - 1) ** 2)
  const bright = (at: number): number => {
    let sum = 0
    for (let c = 0; c < channels; c++) sum += pictures[at * channels + c]
    return sum / channels
  }
  let next = 0
  for (let i = 0; i < n; i++) {
    for (let y = 0; y < side - 1; y++) {
      for (let x = 0; x < side - 1; x++) {
        const at = i * size + y * side + x, here = bright(at)
        found[next++] = Math.hypot(bright(at + 1) - here, bright(at + side) - here)
      }
    }
  }
  return found
}

/** Wasserstein-1 between two samples of equal size. */
export function distributionDistance(a: Float32Array, b: Float32Array): number {
  const [x, y] = [a.toSorted(), b.toSorted()]
  return x.reduce((sum, v, i) => sum + Math.abs(v - y[i]), 0) / x.length
}

/**
 * The share of the places at which `edges` has a gradient above a threshold that have one of `others` above it within one cell, from 0
 * to 1. Both as `gradients` returns them.
 */
export function edgesMet(edges: Float32Array, others: Float32Array, side: number, above: number): number {
  const row = side - 1
  let [all, met] = [0, 0]
  for (let at = 0; at < edges.length; at++) {
    if (edges[at] <= above) continue
    all++
    const first = at - at % (row * row), x = at % row, y = Math.floor((at - first) / row)
    let near = false
    for (let dy = Math.max(0, y - 1); dy <= Math.min(row - 1, y + 1); dy++) {
      for (let dx = Math.max(0, x - 1); dx <= Math.min(row - 1, x + 1); dx++) near ||= others[first + dy * row + dx] > above
    }
    met += +near
  }
  return met / Math.max(1, all)
}

export function meanOf(values: Float32Array): number {
  return values.reduce((a, b) => a + b, 0) / values.length
}
