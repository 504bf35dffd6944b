/**
 * A digit that moves through a square and bounces off its walls, as in MovingMNIST (Srivastava et al. 2015), with these differences:
 * there is one digit; each of its coordinates changes by −1, 0 or 1 pixel from frame to frame, but not both by 0; and it bounces off when
 * its ink meets a wall, not the frame that MNIST leaves around it, which nobody sees.
 *
 * MovingMNIST moves digits in any direction and draws them at whole pixels, so from k frames a speed is known only up to 1 / (k − 1)
 * pixels per frame. Ten frames later the digit may be anywhere in a range of several pixels, and the prediction with the least squared
 * error is a blur, of the best rule too. Here two frames say exactly where the digit goes, and its ink where it will turn.
 */
import { drawInteger, foldIn, type Key } from '../../src/index.ts'
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

/** How many pixels a digit moves down and to the right from frame to frame. */
const moves = [[-1, -1], [-1, 0], [-1, 1], [0, -1], [0, 1], [1, -1], [1, 0], [1, 1]] as const

/** Video number `id`: the same key and number give the same video. */
export function videoOf({ images, labels, n }: Mnist, k: Key, id: number, length: number): Video {
  const own = foldIn(k, id)
  const draw = (what: number, count: number): number => drawInteger(foldIn(own, what), 0, count)
  const which = draw(0, n), [down, right] = moves[draw(3, moves.length)]
  const picture = halved(images.subarray(which * 784, (which + 1) * 784))
  const ink = inkOf(picture), room = { y: side - ink.height, x: side - ink.width }
  const top = draw(1, room.y + 1), left = draw(2, room.x + 1)
  const frames = new Float32Array(length * cells)
  for (let t = 0; t < length; t++) {
    const at = t * cells + reflected(top + t * down, room.y) * side + reflected(left + t * right, room.x)
    for (let y = 0; y < ink.height; y++) {
      const from = (ink.top + y) * digit + ink.left
      frames.set(picture.subarray(from, from + ink.width), at + y * side)
    }
  }
  return { frames, label: labels[which] }
}

/** The smallest rectangle that has all the ink of a picture. */
function inkOf(picture: Float32Array): { readonly top: number; readonly left: number; readonly height: number; readonly width: number } {
  const inked = [...picture.keys()].filter(i => picture[i] > 0)
  const rows = inked.map(i => Math.floor(i / digit)), columns = inked.map(i => i % digit)
  const [top, left] = [Math.min(...rows), Math.min(...columns)]
  return { top, left, height: Math.max(...rows) + 1 - top, width: Math.max(...columns) + 1 - left }
}

/** A position on a line, reflected at 0 and at `room` as often as it passes them. */
function reflected(position: number, room: number): number {
  const turn = 2 * room
  return room - Math.abs((position % turn + turn) % turn - room)
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
