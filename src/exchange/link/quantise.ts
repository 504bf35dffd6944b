/**
 * Weights in few bits: whole numbers and, for each output of a layer, one scale.
 *
 *   q = round(w / s · L),   s = max |w| of the output,   L = 2^(bits − 1) − 1          w ≈ q · s / L
 *
 * A matrix `[…,outputs]` has a scale for each of its columns, since otherwise an output with small weights would be lost among
 * large ones; a vector has a single scale. No weight is off by more than s / 2L, and quantising again changes nothing.
 */

/** How many scales there are for weights of a shape. */
export function scaleCount(shape: readonly number[]): number {
  return shape.length > 1 ? shape.at(-1)! : 1
}

/** The largest magnitude of the weights of each output, float32. */
export function scalesOf(weights: ArrayLike<number>, shape: readonly number[]): Float32Array {
  const scales = new Float32Array(scaleCount(shape))
  for (let i = 0; i < weights.length; i++) {
    const column = i % scales.length
    scales[column] = Math.max(scales[column], Math.abs(weights[i]))
  }
  return scales
}

/** The largest signed whole number of this many bits. */
const largest = (bits: number): number => 2 ** (bits - 1) - 1

/** Weights as whole numbers from 0 to 2^bits − 2, packed one after the other, the lowest bits first. */
export function packWeights(weights: ArrayLike<number>, scales: Float32Array, bits: number): Uint8Array {
  const L = largest(bits)
  const bytes = new Uint8Array(packedLength(weights.length, bits))
  for (let i = 0; i < weights.length; i++) {
    const scale = scales[i % scales.length]
    const q = L + (scale === 0 ? 0 : Math.round(weights[i] / scale * L))
    for (let b = 0; b < bits; b++) {
      const at = i * bits + b
      bytes[at >> 3] |= ((q >> b) & 1) << (at & 7)
    }
  }
  return bytes
}

/** How many bytes `count` weights take. */
export function packedLength(count: number, bits: number): number {
  return Math.ceil(count * bits / 8)
}

/** The weights from packed bytes. */
export function unpackWeights(bytes: Uint8Array, count: number, scales: Float32Array, bits: number): Float32Array {
  const L = largest(bits)
  return Float32Array.from({ length: count }, (_, i) => {
    let q = 0
    for (let b = 0; b < bits; b++) {
      const at = i * bits + b
      q |= ((bytes[at >> 3] >> (at & 7)) & 1) << b
    }
    return (q - L) * scales[i % scales.length] / L
  })
}
