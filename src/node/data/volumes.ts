/**
 * Arrays in files as examples: volumes of NIfTI, .npy and .npz, and planes.
 *
 * A file has one array. Its axes are those of the grid, and one for channels where there are several; masks whose cells have the
 * number of a class are turned into a channel for each class.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Numbers } from '../../nca/data/bytes.ts'
import { readNifti, readNpy } from './data.ts'
import { readNpz } from './npz.ts'

/** An array: of how many cells along each axis, with how many channels. */
export type ArrayExample = { readonly shape: readonly number[]; readonly data: ArrayLike<number> }

const ends = /\.(nii|nii\.gz|npy|npz)$/i

/** Whether a file is one that holds arrays, by its name. */
export function isArray(path: string): boolean {
  return ends.test(path)
}

/** The names of the files in a folder that hold arrays, sorted; none where it is no folder. */
export async function listArrays(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(() => [])).filter(isArray).sort()
}

/** The name of a file without its end. */
export function stemOf(name: string): string {
  return name.replace(ends, '')
}

/**
 * The array of a file as an example `[…cells,m]`.
 *
 * @throws one sentence, where it has none or several, or not as many axes or channels as are wanted
 */
export async function readArray(path: string, grid: number, m: number): Promise<ArrayExample> {
  const { shape, data } = await contentsOf(path)
  if (shape.length === grid + 1 && shape[grid] === m) return { shape, data }
  if (shape.length === grid && m === 1) return { shape: [...shape, 1], data }
  throw new Error(`data: ${path} is [${shape.join(',')}], expected ${grid} axes of cells${m === 1 ? '' : ` and ${m} channels`}, as the rule has.`)
}

/** The array of a file whose cells have the number of a class, or 0 and 1, as a mask `[…cells,m]`. */
export async function readMask(path: string, grid: number, m: number): Promise<ArrayExample> {
  const { shape, data } = await contentsOf(path)
  if (shape.length !== grid || m === 1) return readArray(path, grid, m)
  const mask = new Float32Array(m * data.length)
  for (let i = 0; i < data.length; i++) {
    const label = data[i]
    if (!(Number.isInteger(label) && label >= 0 && label < m)) {
      throw new Error(`data: ${path} has the label ${label}, expected a whole number from 0 to ${m - 1}, as the rule has ${m} output channels.`)
    }
    mask[i * m + label] = 1
  }
  return { shape: [...shape, m], data: mask }
}

/** Numbers with mean 0 and standard deviation 1; all alike become 0. */
export function standardised(data: ArrayLike<number>): Float32Array {
  const n = data.length
  let sum = 0
  for (let i = 0; i < n; i++) sum += data[i]
  let squares = 0
  for (let i = 0; i < n; i++) squares += (data[i] - sum / n) ** 2
  const std = Math.sqrt(squares / n) || 1
  return Float32Array.from({ length: n }, (_, i) => (data[i] - sum / n) / std)
}

async function contentsOf(path: string): Promise<{ readonly shape: readonly number[]; readonly data: Numbers }> {
  if (/\.nii(\.gz)?$/i.test(path)) return readNifti(path)
  if (/\.npy$/i.test(path)) return readNpy(path)
  const arrays = Object.entries(await readNpz(path))
  if (arrays.length === 1) return arrays[0][1]
  throw new Error(`data: ${path} has ${arrays.length} arrays${arrays.length > 0 ? ` (${arrays.map(([name]) => name).join(', ')})` : ''}, expected one.`)
}

/**
 * Reads arrays of one size.
 *
 * @throws one sentence, where two differ
 */
export async function readAlike(paths: readonly string[], read: (path: string) => Promise<ArrayExample>): Promise<ArrayExample[]> {
  const found: ArrayExample[] = []
  for (const path of paths) {
    const one = await read(path)
    const { shape } = found[0] ?? one
    if (String(shape) !== String(one.shape)) throw new Error(`data: ${path} is [${one.shape.join(',')}], but ${paths[0]} is [${shape.join(',')}], expected one size.`)
    found.push(one)
  }
  return found
}

/** The paths of files in two folders by pairs: those that have the same name, but for its end. */
export function pairsOf(inputs: string, names: readonly string[], outputs: string, others: readonly string[]): readonly [string[], string[]] {
  const partners = names.map(name => {
    const [partner, second] = others.filter(other => stemOf(other) === stemOf(name))
    if (partner === undefined) throw new Error(`data: ${join(outputs, name)} is missing, expected as the partner of ${join(inputs, name)}.`)
    if (second !== undefined) throw new Error(`data: ${outputs} has ${partner} and ${second}, expected one as the partner of ${join(inputs, name)}.`)
    return partner
  })
  const lonely = others.find(other => !partners.includes(other))
  if (lonely !== undefined) throw new Error(`data: ${join(inputs, lonely)} is missing, expected as the partner of ${join(outputs, lonely)}.`)
  return [names.map(name => join(inputs, name)), partners.map(name => join(outputs, name))]
}

/** The arrays in the folders of a folder, by the folder and the name of the file, and the number of each one's folder. */
export async function arraysByClass(folder: string): Promise<{ readonly names: string[]; readonly labels: number[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => []) // what is wrong with it is said by who reads pictures
  const classes = entries.filter(entry => entry.isDirectory() && !entry.name.startsWith('.')).map(({ name }) => name).sort()
  const files = await Promise.all(classes.map(name => listArrays(join(folder, name))))
  const names = files.flatMap((inside, label) => inside.map(name => `${classes[label]}/${name}`))
  const empty = files.findIndex(inside => inside.length === 0)
  if (names.length > 0 && empty >= 0) throw new Error(`data: ${join(folder, classes[empty])}, a class, has no arrays.`)
  return { names, labels: files.flatMap((inside, label) => inside.map(() => label)) }
}
