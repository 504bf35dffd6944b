/**
 * Digits of MNIST, made smaller.
 */

/** Digits of 28×28 pixels, one after the other, as digits of 14×14: means of 2×2. */
export function halved(images: Float32Array): Float32Array {
  return Float32Array.from({ length: images.length / 4 }, (_, i) => {
    const [image, y, x] = [Math.floor(i / 196), Math.floor(i % 196 / 14), i % 14]
    const at = image * 784 + 2 * y * 28 + 2 * x
    return (images[at] + images[at + 1] + images[at + 28] + images[at + 29]) / 4
  })
}
