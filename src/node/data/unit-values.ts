/**
 * Bytes scaled to 0 … 1, as in pictures. A loop, since `Float32Array.from` with a function calls it through an iterator: the 47
 * million bytes of MNIST then take seconds.
 */
export function unitValues(bytes: Uint8Array): Float32Array {
  const values = new Float32Array(bytes)
  for (let i = 0; i < values.length; i++) values[i] /= 255
  return values
}
