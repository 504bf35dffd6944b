/**
 * Stereo pairs with depth: synthetic scenes, and a real pair, the motorcycle of Middlebury's benchmark (Scharstein et al. 2014;
 * `npm run data -- stereo`), at an eighth of its size.
 *
 * A point at x in the left picture is at x − d in the right one, with d its disparity, and
 *
 *   depth = f·B / (8 d + c)          f = 994.978, B = 0.193 m, c = 31.086: the cameras of the real pair, which all scenes have
 *
 * A rule gets matching costs, like a stereo matcher: for each disparity how badly the pictures fit, |l − r| / (|l − r| + 0.1), and
 * the left picture. The costs of a single cell are ambiguous; the rule must learn to combine them with those of its neighbours.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { foldIn, resize, uniform, uniformAt, type Image, type Key } from '../../src/index.ts'
import { readNpz, readPng } from '../../src/node/index.ts'

/** The disparities with costs, in cells: those of the motorcycle are 0.9 to 7.5. */
export const disparities: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8]

export const inputs: number = disparities.length + 1

/** Scenes of one size, `[n,height,width,…]` one after the other. */
export type Scenes = {
  /** The left pictures, grey, from 0 to 1, `[n,height,width]`. */
  readonly left: Float32Array
  /** The costs of each disparity, and the left picture, `[n,height,width,inputs]`. */
  readonly given: Float32Array
  /** Depth in metres, 0 where it is unknown, `[n,height,width]`. */
  readonly depth: Float32Array
  readonly n: number
  readonly height: number
  readonly width: number
}

export function depthOf(disparity: number): number {
  return 994.978 * 0.193001 / (8 * disparity + 31.086)
}

/** A plane with a texture, d = a + b x + c y, or the part of it inside an outline. */
type Layer = {
  readonly a: number
  readonly b: number
  readonly c: number
  readonly inside: (x: number, y: number) => boolean
  readonly colour: (x: number, y: number) => number
}

/** Scenes with a slanted background and three to six rectangles and ellipses in front of it. */
export function madeScenes(k: Key, n: number, height: number, width: number): Scenes {
  const cells = height * width
  const left = new Float32Array(n * cells), right = new Float32Array(n * cells), depth = new Float32Array(n * cells)
  for (let i = 0; i < n; i++) {
    const own = foldIn(k, i)
    const layers = layersOf(own, height, width), grain = uniform(foldIn(own, 99), [2, cells], { low: -0.01, high: 0.01 }).toArray()
    for (let p = 0; p < cells; p++) {
      const x = p % width, y = Math.floor(p / width)
      const [seen, d] = nearest(layers, y, () => x)
      left[i * cells + p] = seen.colour(x, y) + grain[p]
      depth[i * cells + p] = depthOf(d)
      const from = ({ a, b, c }: Layer): number => (x + a + c * y) / (1 - b) // x' = x − (a + b x + c y), solved for x
      const [other] = nearest(layers, y, from)
      right[i * cells + p] = other.colour(from(other), y) + grain[cells + p]
    }
  }
  return { left, given: costs(left, right, width), depth, n, height, width }
}

/** The nearest of the layers at a place in a row, and its disparity there. */
function nearest(layers: readonly Layer[], y: number, place: (layer: Layer) => number): [Layer, number] {
  let found = layers[0], most = -Infinity
  for (const layer of layers) {
    const x = place(layer), d = layer.a + layer.b * x + layer.c * y
    if (d > most && layer.inside(x, y)) [found, most] = [layer, d]
  }
  return [found, most]
}

function layersOf(k: Key, height: number, width: number): Layer[] {
  let draws = 0
  const from = (low: number, high: number): number => low + (high - low) * uniformAt(k, draws++)
  /** A plane that has the disparity d at (cx, cy). */
  const plane = (d: number, tilt: number, cx: number, cy: number): Pick<Layer, 'a' | 'b' | 'c' | 'colour'> => {
    const b = from(-tilt, tilt) / width, c = from(-tilt, tilt) / height
    return { a: d - b * cx - c * cy, b, c, colour: texture(foldIn(k, draws), from(0.1, 0.7), from(0.2, 0.7)) }
  }
  const layers: Layer[] = [{ ...plane(from(1.5, 4), 2.5, width / 2, height / 2), inside: () => true }]
  for (let count = Math.floor(from(3, 7)); count > 0; count--) {
    const [cx, cy] = [from(0, width), from(0, height)], [rx, ry] = [from(3, width / 4), from(3, height / 3)]
    const power = from(0, 1) < 0.5 ? 2 : 20, turn = from(0, Math.PI) // an ellipse, or almost a rectangle
    const inside = (x: number, y: number): boolean => {
      const [u, v] = [x - cx, y - cy]
      const [s, t] = [u * Math.cos(turn) + v * Math.sin(turn), v * Math.cos(turn) - u * Math.sin(turn)]
      return Math.abs(s / rx) ** power + Math.abs(t / ry) ** power < 1
    }
    layers.push({ ...plane(from(2, 7), 0.5, cx, cy), inside })
  }
  return layers
}

/** Grey noise of three octaves, from `low` to `low + contrast`. */
function texture(k: Key, low: number, contrast: number): (x: number, y: number) => number {
  const size = 32
  const octaves = [1.5, 4, 10].map((scale, i) => ({ scale, values: uniform(foldIn(k, i), [size, size]).toArray() }))
  const at = (values: ArrayLike<number>, x: number, y: number): number => {
    const [i, j] = [Math.floor(x), Math.floor(y)], [u, v] = [x - i, y - j]
    const value = (a: number, b: number): number => values[(b & size - 1) * size + (a & size - 1)]
    return (1 - v) * ((1 - u) * value(i, j) + u * value(i + 1, j)) + v * ((1 - u) * value(i, j + 1) + u * value(i + 1, j + 1))
  }
  return (x, y) => low + contrast * octaves.reduce((sum, { scale, values }) => sum + at(values, x / scale, y / scale), 0) / 3
}

/** The costs of each disparity, and the left picture. Beyond its left edge, the right picture repeats its first cell. */
function costs(left: Float32Array, right: Float32Array, width: number): Float32Array {
  const given = new Float32Array(left.length * inputs)
  for (let p = 0; p < left.length; p++) {
    const x = p % width
    disparities.forEach((d, i) => {
      const apart = Math.abs(left[p] - right[p - Math.min(x, d)])
      given[p * inputs + i] = apart / (apart + 0.1)
    })
    given[p * inputs + disparities.length] = left[p]
  }
  return given
}

/** The motorcycle, 62×92 cells. */
export async function realScene(folder: string): Promise<Scenes> {
  if (!existsSync(folder)) throw new Error(`depth: there is no ${folder}; this fetches it: npm run data -- stereo`)
  const size = 8
  const shrunk = (image: Image, width: number, height: number): Float32Array => {
    const { data } = resize(image, width, height, 'area')
    return Float32Array.from({ length: width * height }, (_, i) => (data[4 * i] + data[4 * i + 1] + data[4 * i + 2]) / 3)
  }
  const [one, two] = [await readPng(join(folder, 'motorcycle_left.png')), await readPng(join(folder, 'motorcycle_right.png'))]
  const disparity = (await readNpz(join(folder, 'motorcycle_disp.npz'))).arr_0.data
  const width = Math.floor(one.width / size), height = Math.floor(one.height / size)
  /** Without the last rows and columns, which do not fill a whole cell. */
  const whole = (image: Image): Image => {
    const data = new Float32Array(4 * size ** 2 * width * height)
    for (let y = 0; y < size * height; y++) {
      data.set(image.data.subarray(4 * y * image.width, 4 * (y * image.width + size * width)), 4 * y * size * width)
    }
    return { width: size * width, height: size * height, data }
  }
  const [left, right] = [one, two].map(image => shrunk(whole(image), width, height))
  const depth = Float32Array.from({ length: width * height }, (_, i) => {
    const known: number[] = []
    for (let p = 0; p < size ** 2; p++) {
      const y = size * Math.floor(i / width) + Math.floor(p / size), x = size * (i % width) + p % size
      const d = Number(disparity[y * one.width + x])
      if (Number.isFinite(d)) known.push(d)
    }
    return known.length < size ** 2 / 2 ? 0 : depthOf(known.reduce((a, b) => a + b) / known.length / size)
  })
  return { left, given: costs(left, right, width), depth, n: 1, height, width }
}
