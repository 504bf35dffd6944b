/**
 * Digits of MNIST, made smaller.
 */

/** Square pictures, one after the other, of half the side: means of 2×2. */
export function halved(images: Float32Array, side = 28): Float32Array {
  const half = side / 2
  return Float32Array.from({ length: images.length / 4 }, (_, i) => {
    const [image, y, x] = [Math.floor(i / half ** 2), Math.floor(i % half ** 2 / half), i % half]
    const at = image * side ** 2 + 2 * y * side + 2 * x
    return (images[at] + images[at + 1] + images[at + side] + images[at + side + 1]) / 4
  })
}
