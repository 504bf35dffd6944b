/**
 * A digit that moves through a square and bounces off its walls, as in MovingMNIST (Srivastava et al. 2015), for one digit.
 *
 * MovingMNIST draws digits at whole pixels, so from k frames a speed is known only up to 1 / (k − 1) pixels per frame. Ten frames
 * later the digit may be anywhere in a range of several pixels, and the prediction with the least squared error is a blur. Here
 * digits move at twice the resolution, and frames are means of 2×2 pixels: half pixels are visible, and speeds known twice as well.
 */
import { drawInteger, foldIn, movingMnist, type Key } from '../../src/index.ts'
import type { Mnist } from '../../src/node/index.ts'
import { halved } from './digits.ts'

/** The side of a frame in pixels, and that of a digit. */
export const side = 28, digit = 14

const cells = side * side

export type Video = {
  /** `[length,side,side]`, from 0 to 1. */
  readonly frames: Float32Array
  readonly label: number
}

/** Video number `id`: the same key and number give the same video. */
export function videoOf({ images, labels, n }: Mnist, k: Key, id: number, length: number): Video {
  const own = foldIn(k, id), which = drawInteger(own, 0, n)
  const one = { images: images.subarray(which * 784, (which + 1) * 784), n: 1 }
  const { frames } = movingMnist(one, foldIn(own, 1), { length, size: 2 * side, digits: 1, speed: 3.6 })
  return { frames: halved(frames, 2 * side), label: labels[which] }
}

/**
 * The digit of a frame, wherever it is, as `digit`×`digit` pixels around the centre of mass, as in MNIST. The mass is the square of
 * the brightness, so that a faint veil over the whole frame does not move the centre.
 */
export function centred(frame: Float32Array): Float32Array {
  let mass = 1e-9, down = 0, right = 0
  frame.forEach((v, i) => {
    mass += v * v
    down += v * v * Math.floor(i / side)
    right += v * v * (i % side)
  })
  const top = Math.round(down / mass - (digit - 1) / 2), left = Math.round(right / mass - (digit - 1) / 2)
  return Float32Array.from({ length: digit * digit }, (_, i) => {
    const y = top + Math.floor(i / digit), x = left + i % digit
    return y >= 0 && y < side && x >= 0 && x < side ? frame[y * side + x] : 0
  })
}

/** Frame t of a video. */
export function frameOf({ frames }: Video, t: number): Float32Array {
  return frames.subarray(t * cells, (t + 1) * cells)
}
