/**
 * Volumes to segment: a digit of MNIST as a solid, and balls of the same brightness, in noise.
 *
 *   digit    14×14 pixels, three to five voxels thick, rotated at random about its middle
 *   balls    four, of radius 2 to 3.5, wherever there is no digit
 *   scan     1 in a solid and 0 elsewhere, and normal noise of deviation `noise`
 *   class    1 in the digit, 0 elsewhere, also in the balls, which have the same brightness
 */
import { foldIn, normal, uniformAt, type Key } from '../../src/index.ts'

/** Voxels along each axis: a digit fits in with any rotation. */
export const edge = 20

export const noise = 0.5

/** Scans `[n,edge,edge,edge]` and their classes, voxel by voxel. */
export type Volumes = { readonly images: Float32Array; readonly labels: Uint8Array; readonly n: number }

/** Volumes with these digits of 14×14 pixels, from 0 to 1, one after the other. */
export function solidsOf(k: Key, digits: Float32Array): Volumes {
  const n = digits.length / 196, size = edge ** 3
  const images = new Float32Array(n * size), labels = new Uint8Array(n * size)
  for (let i = 0; i < n; i++) {
    const own = foldIn(k, i), label = labels.subarray(i * size, (i + 1) * size)
    label.set(digitOf(own, digits.subarray(i * 196, (i + 1) * 196)))
    const grain = normal(foldIn(own, 2), [size], { std: noise }).toArray(), balls = ballsOf(foldIn(own, 1), label)
    for (let p = 0; p < size; p++) images[i * size + p] = Math.max(label[p], balls[p]) + grain[p]
  }
  return { images, labels, n }
}

/** The position of voxel p, relative to the middle of the volume. */
function placeOf(p: number): readonly [number, number, number] {
  return [Math.floor(p / edge ** 2) - (edge - 1) / 2, Math.floor(p / edge) % edge - (edge - 1) / 2, p % edge - (edge - 1) / 2]
}

function digitOf(k: Key, digit: Float32Array): Uint8Array {
  const turn = rotation(k), thick = 3 + 2 * uniformAt(k, 3)
  return Uint8Array.from({ length: edge ** 3 }, (_, p) => {
    const place = placeOf(p)
    const [z, y, x] = turn.map(row => row.reduce((sum, v, axis) => sum + v * place[axis], 0))
    const [row, column] = [Math.round(y + 6.5), Math.round(x + 6.5)]
    const on = row >= 0 && row < 14 && column >= 0 && column < 14 && digit[row * 14 + column] > 0.4
    return +(on && Math.abs(z) < thick / 2)
  })
}

/** A uniformly random rotation: the matrix of a random unit quaternion (Shoemake 1992). */
function rotation(k: Key): readonly (readonly number[])[] {
  const [u, v, w] = [0, 1, 2].map(i => uniformAt(k, i))
  const [a, b, c, d] = [
    Math.sqrt(1 - u) * Math.sin(2 * Math.PI * v), Math.sqrt(1 - u) * Math.cos(2 * Math.PI * v),
    Math.sqrt(u) * Math.sin(2 * Math.PI * w), Math.sqrt(u) * Math.cos(2 * Math.PI * w),
  ]
  return [
    [1 - 2 * (b * b + c * c), 2 * (a * b - c * d), 2 * (a * c + b * d)],
    [2 * (a * b + c * d), 1 - 2 * (a * a + c * c), 2 * (b * c - a * d)],
    [2 * (a * c - b * d), 2 * (b * c + a * d), 1 - 2 * (a * a + b * b)],
  ]
}

/** Four balls that do not touch the digit. */
function ballsOf(k: Key, digit: Uint8Array): Uint8Array {
  const on = new Uint8Array(digit.length)
  for (let count = 0, draws = 0; count < 4 && draws < 400;) {
    const middle = [0, 1, 2].map(() => (uniformAt(k, draws++) - 0.5) * (edge - 4)), radius = 2 + 1.5 * uniformAt(k, draws++)
    const near = (p: number, reach: number): boolean => Math.hypot(...placeOf(p).map((v, axis) => v - middle[axis])) < reach
    if (digit.some((is, p) => is > 0 && near(p, radius + 1.5))) continue
    on.forEach((_, p) => { if (near(p, radius)) on[p] = 1 })
    count++
  }
  return on
}
