/**
 * Moving MNIST: digits that fly through a square with constant speed and bounce off its walls, to be predicted
 * (Srivastava, Mansimov & Salakhutdinov, "Unsupervised Learning of Video Representations using LSTMs", ICML 2015).
 *
 * A digit of side h in a square of side s has room r = s − h. It starts anywhere, in any direction θ, and is at
 *
 *   x(t) = fold(x₀ + v t cos θ),   y(t) = fold(y₀ + v t sin θ),   fold(p) = r − |p mod 2r − r|
 *
 * where fold reflects at 0 and r, drawn at the whole pixel below. Where digits overlap the brighter pixel is seen. The
 * authors' script differs in one thing: a digit that would pass a wall stops there until the next frame.
 */
import { checkKey, foldIn, uniformAt, type Key } from '../../tensor/key.ts'
import { check, checkOptions, isWhole, keysOf, numberFrom, wholeFrom } from '../../backends/options.ts'

/** Square pictures to move: `images` is `[n,h,h]`, as `readMnist` gives them. */
export type Digits = { readonly images: Float32Array; readonly n: number }

export type MovingMnistOptions = {
  /** How many sequences, 1 by default. A larger count adds sequences and leaves the others as they are. */
  readonly count?: number
  /** How many frames a sequence has, 20 by default. */
  readonly length?: number
  /** The side of a frame in pixels, 64 by default. */
  readonly size?: number
  /** How many digits move in it, 2 by default. */
  readonly digits?: number
  /** How far a digit moves from frame to frame, in pixels; 3.6 by default, the authors' tenth of the room of 36. */
  readonly speed?: number
}

const movingMnistOptions = keysOf<MovingMnistOptions>({
  count: wholeFrom(1), length: wholeFrom(1), size: wholeFrom(1), digits: wholeFrom(1), speed: numberFrom(0),
})

/** Sequences of frames: `frames` is `[count,length,size,size]`. */
export type MovingMnist = { readonly frames: Float32Array; readonly shape: readonly [number, number, number, number] }

const mostNumbers = 2 ** 30 // four gigabytes: the published set, 10,000 sequences, takes three

/**
 * Sequences of moving digits; the same key gives the same ones.
 *
 * @throws one sentence, where the digits are not square pictures that fit into a frame, or an option is out of range
 * @example const { frames, shape } = movingMnist(await readMnist('data/mnist'), key(0), { count: 8 })   // [8,20,64,64]
 */
export function movingMnist(digits: Digits, k: Key, options: MovingMnistOptions = {}): MovingMnist {
  const where = 'movingMnist'
  checkKey(where, k)
  checkOptions(where, options, movingMnistOptions)
  const { count = 1, length = 20, size = 64, digits: each = 2, speed = 3.6 } = options
  const side = Math.sqrt(digits.images.length / digits.n)
  const square = `as many as ${digits.n} square pictures have`
  check(isWhole(side, 1), where, 'the number of pixels', digits.images.length, square)
  check(side <= size, where, 'size', size, `at least ${side}, the side of a digit`)
  const numbers = count * length * size * size
  check(numbers <= mostNumbers, where, 'the number of pixels of all frames', numbers, `at most ${mostNumbers}`)

  const frames = new Float32Array(numbers)
  for (let sequence = 0; sequence < count; sequence++) {
    for (let digit = 0; digit < each; digit++) {
      const own = foldIn(foldIn(k, sequence), digit)
      const room = size - side
      const [which, x, y, turn] = [0, 1, 2, 3].map(draw => uniformAt(own, draw))
      const from = Math.floor(which * digits.n) * side * side
      const picture = digits.images.subarray(from, from + side * side)
      for (let t = 0; t < length; t++) {
        const left = fold(x * room + speed * t * Math.cos(2 * Math.PI * turn), room)
        const top = fold(y * room + speed * t * Math.sin(2 * Math.PI * turn), room)
        const at = (sequence * length + t) * size * size
        draw(frames.subarray(at, at + size * size), size, picture, side, Math.floor(left), Math.floor(top))
      }
    }
  }
  return { frames, shape: [count, length, size, size] }
}

/** The position of a point that moves along a line and is reflected at 0 and at `room`. */
function fold(p: number, room: number): number {
  if (room === 0) return 0
  const turn = 2 * room
  return room - Math.abs((p % turn + turn) % turn - room)
}

function draw(frame: Float32Array, size: number, picture: Float32Array, side: number, left: number, top: number): void {
  for (let y = 0; y < side; y++) {
    for (let x = 0; x < side; x++) {
      const at = (top + y) * size + left + x
      frame[at] = Math.max(frame[at], picture[y * side + x])
    }
  }
}
