/**
 * Cases: the same start states, weights, target and masks for every engine, as raw float32 files in a folder.
 *
 *   case.json        { batch, side, channels, hidden, convolution }
 *   x0.bin           [batch, side, side, 16]
 *   target.bin       [side, side, 4]
 *   w1, b1, w2, b2   [48,128] [128] [128,16] [16]; perception is c0·identity, c0·sobelX, c0·sobelY, c1·identity, …
 *   kernel, bias     [3,3,16,80] [80] if the perception is a convolution; w1 is [80,80] then, and so on
 *   masks.bin        [steps, batch, side, side], for comparing gradients
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * The start states of samples.
 *
 *   mixed   half single seeds, half discs with a radius of a third of the grid: like the young and old patterns of a pool
 *   disc    every sample a disc with a radius of a quarter of the grid: a fifth of the cells
 *   wide    every sample a disc with a radius of a third of the grid
 *   seed    every sample a seed that grows
 *   full    every cell alive
 */
export type Start = 'mixed' | 'disc' | 'wide' | 'seed' | 'full'

export type CaseOptions = {
  readonly batch: number
  readonly side: number
  readonly start: Start
  /** Standard deviation of the last layer; small enough that the longest rollout stays finite. */
  readonly lastStd?: number
  /** How many fire masks to write. */
  readonly masks?: number
  /**
   * Growing NCA; or the network of table 6 of Spitznagel & Keuper (2026), a convolution 16 → 80, leaky ReLUs, 80, leaky
   * ReLUs, 16, on a torus.
   */
  readonly network?: 'growing' | 'conv'
}

const channels = 16

/** Writes a case below `parent` and returns its folder. Equal options give equal files. */
export function writeCase(parent: string, options: CaseOptions): string {
  const { batch, side, start, lastStd = 0.01, masks = 0, network = 'growing' } = options
  const folder = join(parent, Object.values({ batch, side, start, lastStd, masks, network }).join('-'))
  const [convolution, hidden] = network === 'conv' ? [80, 80] : [0, 128]
  mkdirSync(folder, { recursive: true })
  const random = generator(7)
  const write = (name: string, values: Float32Array): void =>
    writeFileSync(join(folder, `${name}.bin`), new Uint8Array(values.buffer))
  const drawn = (size: number, draw: () => number): Float32Array => Float32Array.from({ length: size }, draw)

  writeFileSync(join(folder, 'case.json'), JSON.stringify({ batch, side, channels, hidden, convolution }))
  write('x0', startStates(batch, side, start, random))
  write('target', target(side))
  /** `size` numbers with PyTorch's initialisation for a layer of these inputs. */
  const weights = (inputs: number, size: number): Float32Array => {
    const limit = 1 / Math.sqrt(inputs)
    return drawn(size, () => (2 * random() - 1) * limit)
  }
  if (convolution > 0) {
    write('kernel', weights(9 * channels, 9 * channels * convolution))
    write('bias', weights(9 * channels, convolution))
  }
  const perceived = convolution || 3 * channels
  write('w1', weights(perceived, perceived * hidden))
  write('b1', weights(perceived, hidden))
  const w2 = drawn(hidden * channels, () => lastStd * normal(random))
  const b2 = new Float32Array(channels)
  if (start === 'full' || start === 'seed') {
    for (let i = 3; i < w2.length; i += channels) w2[i] = 0 // alpha changes by its bias alone
    b2[3] = start === 'seed' ? growth : 0
  }
  write('w2', w2)
  write('b2', b2)
  write('masks', drawn(masks * batch * side * side, () => +(random() < 0.5)))
  return folder
}

/** The change of alpha in a living cell that fires, so that a seed grows into a disc. */
const growth = 0.15

function startStates(batch: number, side: number, start: Start, random: () => number): Float32Array {
  const x = new Float32Array(batch * side * side * channels)
  const radius = start === 'disc' ? side / 4 : start === 'full' ? 2 * side : side / 3
  for (let b = 0; b < batch; b++) {
    const seed = start === 'seed' || (start === 'mixed' && b % 2 === 0)
    for (let cell = 0; cell < side * side; cell++) {
      const [i, j] = [Math.floor(cell / side) - side / 2, cell % side - side / 2]
      const at = (b * side * side + cell) * channels
      if (seed && i === 0 && j === 0) x.fill(1, at + 3, at + channels)
      if (seed || i * i + j * j >= radius * radius) continue
      for (let c = 0; c < channels; c++) x[at + c] = random()
      x[at + 3] = 1
    }
  }
  return x
}

/** An orange disc, brighter to the right. */
function target(side: number): Float32Array {
  const values = new Float32Array(side * side * 4)
  for (let cell = 0; cell < side * side; cell++) {
    const [i, j] = [Math.floor(cell / side) - side / 2, cell % side - side / 2]
    if (i * i + j * j < (0.28 * side) ** 2) values.set([0.9, 0.4 * (0.5 + j / side), 0.1, 1], cell * 4)
  }
  return values
}

/** Uniform numbers in [0, 1) that follow from a seed (Steele, Lea & Flood's SplitMix, 32 bits). */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x9e3779b9) | 0
    let z = Math.imul(state ^ (state >>> 16), 0x21f0aaad)
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
    return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32
  }
}

/** Box & Muller. */
function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
