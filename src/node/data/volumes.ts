/**
 * Arrays in files as examples: volumes and planes, in NIfTI, .npy and .npz files.
 *
 * The axes of an array are those of the grid, and one for channels if there are several. One axis more, the first, is for
 * several examples. Or the array is cut into adjacent pieces:
 *
 *   [181,217,181]   crop [64,64,1]   →   2·3·181 planes of 64×64 cells, for a grid that is a plane
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { check } from '../../backends/options.ts'
import type { Numbers } from '../../nca/data/bytes.ts'
import { readNifti, readNpy } from './data.ts'
import { arrayIn, isArray } from './named.ts'
import { readNpz } from './npz.ts'
import { unitValues } from './unit-values.ts'

/** An array, `[…cells,channels]`. */
export type ArrayExample = { readonly shape: readonly number[]; readonly data: ArrayLike<number> }

/** The layout of examples in an array: axes of the grid, channels of a cell, and the size of pieces if the array is cut. */
export type Layout = { readonly grid: number; readonly m: number; readonly crop?: readonly number[] | null }

/**
 * The arrays of a file, with their axis of channels. There are several if the file's array has one axis more than the layout.
 *
 * @throws if the number of axes or channels does not fit the layout
 */
export async function readArrays(path: string, layout: Layout): Promise<ArrayExample[]> {
  const { shape, data } = await readContents(path)
  return casesOf(path, shape, data, layout)
}

/** The only array of a file; throws if there are several. */
export async function readArray(path: string, layout: Layout): Promise<ArrayExample> {
  const [first, ...others] = await readArrays(path, layout)
  if (others.length === 0) return first
  throw new Error(`data: ${path} is [${(await readContents(path)).shape.join(',')}], expected ${inWords(layout)}, as the rule has.`)
}

/** The arrays of a file of labels: each cell has the number of its class or, with an axis of channels, masks. */
export async function readLabels(path: string, { m, ...layout }: Layout): Promise<ArrayExample[]> {
  const { shape, data } = await readContents(path)
  const areMasks = m > 1 && shape.at(-1) === m && shape.length > (layout.crop?.length ?? layout.grid)
  return casesOf(path, shape, data, { ...layout, m: areMasks ? m : 1 })
}

/** Splits an array into its examples, each with an axis of channels; `given` is its shape. */
export function casesOf(path: string, given: readonly number[], data: Numbers, layout: Layout): ArrayExample[] {
  const { grid, m, crop } = layout
  const axes = crop?.length ?? grid
  const shape = given.at(-1) === m && given.length > axes ? given : m === 1 ? [...given, 1] : []
  if (shape.length === axes + 1) return [{ shape, data }]
  const overTime = /\.nii(\.gz)?$/i.test(path) && given.length === 4
  if (overTime) throw new Error(`data: ${path} is [${given.join(',')}], whose fourth axis is time, expected ${inWords(layout)}: a file for each time.`)
  const [n, ...each] = shape
  if (each.length !== axes + 1) throw new Error(`data: ${path} is [${given.join(',')}], expected ${inWords(layout)}, as ${crop ? 'data.crop' : 'the rule'} has.`)
  const size = data.length / n
  return Array.from({ length: n }, (_, i) => ({ shape: each, data: data.subarray(i * size, (i + 1) * size) }))
}

function inWords({ grid, m, crop }: Layout): string {
  return `${crop?.length ?? grid} axes of cells${m === 1 ? '' : ` and ${m} channels`}`
}

/**
 * Cuts an array `[…cells,m]` into adjacent pieces around its middle; a remainder at the borders is left out. If pieces have more
 * axes than the grid, axes with one cell are dropped.
 *
 * @throws if no piece fits
 */
export function piecesOf(path: string, { shape, data }: ArrayExample, crop: readonly number[], grid: number): ArrayExample[] {
  const cells = shape.slice(0, -1), m = shape.at(-1)!
  crop.forEach((size, i) => check(size <= cells[i], 'data', `crop[${i}]`, size, `at most ${cells[i]}, as ${path} has cells`))
  let left = crop.length - grid
  const kept = crop.filter(size => !(size === 1 && left-- > 0))
  check(kept.length === grid, 'data', 'crop', crop, `a size for each of ${grid} axes, as the rule has; of more axes, 1 for the others`)
  const starts = cells.reduce<number[][]>((before, n, i) => {
    const count = Math.floor(n / crop[i]), first = (n - count * crop[i]) >> 1
    return before.flatMap(start => Array.from({ length: count }, (_, k) => [...start, first + k * crop[i]]))
  }, [[]])
  return starts.map(start => ({ shape: [...kept, m], data: windowOf(cells, m, data, start, crop) }))
}

/** The numbers of a window of an array, row by row. */
function windowOf(cells: readonly number[], m: number, data: ArrayLike<number>, start: readonly number[], size: readonly number[]): Float32Array {
  const rows = size.slice(0, -1).reduce((a, b) => a * b, 1), row = size.at(-1)! * m
  const out = new Float32Array(rows * row)
  for (let i = 0; i < rows; i++) {
    let rest = i, from = start.at(-1)!, step = cells.at(-1)!
    for (let axis = size.length - 2; axis >= 0; axis--) {
      from += (start[axis] + rest % size[axis]) * step
      rest = Math.floor(rest / size[axis])
      step *= cells[axis]
    }
    for (let j = 0; j < row; j++) out[i * row + j] = data[from * m + j]
  }
  return out
}

/** The input values for a rule: bytes are scaled to 0 … 1, as in pictures, all other numbers are not changed. */
export function valuesOf({ shape, data }: ArrayExample): ArrayExample {
  return data instanceof Uint8Array ? { shape, data: unitValues(data) } : { shape, data }
}

/** Numbers shifted and scaled to mean 0 and standard deviation 1; if all are equal, they become 0. */
export function standardised(data: ArrayLike<number>): Float32Array {
  const n = data.length
  let sum = 0
  for (let i = 0; i < n; i++) sum += data[i]
  let squares = 0
  for (let i = 0; i < n; i++) squares += (data[i] - sum / n) ** 2
  const std = Math.sqrt(squares / n) || 1
  return Float32Array.from({ length: n }, (_, i) => (data[i] - sum / n) / std)
}

/** The labels of the classes from 1 on; class 0 has all others. 'foreground': class 1 has all labels but 0. */
export type Labels = 'foreground' | readonly (number | readonly number[])[]

/**
 * Converts numbers of classes `[…cells,1]` to masks `[…cells,m]`, one for each output channel. With one channel, its values are
 * labels from 0 to 1, also in between.
 *
 * @throws if a label is not one of the classes; the sentence names it
 */
export function masksOf(path: string, { shape, data }: ArrayExample, m: number, labels: Labels | null): ArrayExample {
  if (shape.at(-1)! > 1 && labels === null) return { shape, data }
  const classes = Math.max(m, 2)
  const classOf = labels === null ? undefined : classesBy(labels, classes)
  const mask = m > 1 ? new Uint8Array(m * data.length) : new Float32Array(data.length)
  for (let i = 0; i < data.length; i++) {
    const label = classOf ? classOf(data[i]) : data[i]
    if (!(label >= 0 && label < classes && (m === 1 ? label <= 1 : Number.isInteger(label)))) {
      throw new Error(`data: ${path} has the label ${label}, expected a ${m > 1 ? 'whole ' : ''}number from 0 to ${classes - 1}, as the rule has ${m} output channel${m > 1 ? 's' : ''}; data.labels says which labels are told apart.`)
    }
    if (m > 1) mask[i * m + label] = 1
    else mask[i] = label
  }
  return { shape: [...shape.slice(0, -1), m], data: mask }
}

function classesBy(labels: Labels, classes: number): (label: number) => number {
  const count = labels === 'foreground' ? 1 : labels.length
  check(count === classes - 1, 'data', 'labels', labels, classes === 2 ? 'foreground, or one label or list of labels' : `a label or a list of labels for each of the ${classes} classes of the rule but the first, which has all others`)
  if (labels === 'foreground') return label => Number(label !== 0)
  const known = new Map(labels.flatMap((some, i) => [some].flat().map(label => [label, i + 1] as const)))
  return label => known.get(label) ?? 0
}

/** The array of a file; for .npz, which may have several, the named one. */
export async function readContents(path: string): Promise<{ readonly shape: readonly number[]; readonly data: Numbers }> {
  const [file, name] = arrayIn(path)
  if (/\.nii(\.gz)?$/i.test(file)) return readNifti(file)
  if (/\.npy$/i.test(file)) return readNpy(file)
  const arrays = await readNpz(file)
  const names = Object.keys(arrays)
  if (name !== undefined && Object.hasOwn(arrays, name)) return arrays[name]
  if (name === undefined && names.length === 1) return arrays[names[0]]
  throw new Error(`data: ${file} has ${name === undefined ? '' : `no array ${name}, but `}${names.join(', ') || 'no arrays'}, expected the name of one, as in ${file}:${names[0] ?? 'images'}.`)
}

/** The arrays in the folders of a folder: their names, like 'cat/a.npy', their class, an index into `classes`, and the classes. */
export async function arraysByClass(folder: string): Promise<{ readonly names: string[]; readonly labels: number[]; readonly classes: string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []) // if it cannot be read, reading its pictures will say so
  const classes = entries.filter(entry => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name).sort()
  const files = await Promise.all(classes.map(async name => (await readdir(join(folder, name))).filter(isArray).sort()))
  const names = files.flatMap((inside, label) => inside.map(name => `${classes[label]}/${name}`))
  const empty = files.findIndex(inside => inside.length === 0)
  if (names.length > 0 && empty >= 0) throw new Error(`data: ${join(folder, classes[empty])}, a class, has no arrays.`)
  return { names, labels: files.flatMap((inside, label) => inside.map(() => label)), classes }
}
