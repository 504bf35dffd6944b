/**
 * The files that the paths of an experiment name. Each has a key; in a pair, files of two paths have the same key.
 *
 *   path                         files                             key
 *   scans                        the files of a folder             the name without its ending
 *   scans/case*_t1.nii.gz        files that match a pattern        the texts that its stars stand for
 *   [ch2.nii.gz, inia19.nii.gz]  a list of files                   the position in the list
 *   scan.nii.gz, set.npz:images  one file, or one of its arrays    empty
 */
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

/** A path as an experiment has it. */
export type Named = string | readonly string[]

/** A file, and the key that it shares with its partner. */
export type NamedFile = { readonly key: string; readonly path: string }

const arrayEnds = /\.(nii|nii\.gz|npy|npz)$/i
const pictureEnds = /\.(png|jpe?g|webp|gif|bmp)$/i

/** Whether a file contains arrays, by its name. */
export function isArray(path: string): boolean {
  return arrayEnds.test(withoutArray(path))
}

/** The name of a file without its ending. */
export function stemOf(name: string): string {
  return name.replace(arrayEnds, '').replace(pictureEnds, '')
}

/** Splits `set.npz:images` into the path of a file and the name of an array in it. */
export function arrayIn(path: string): readonly [file: string, array: string | undefined] {
  const [, file = path, array] = /^(.*\.npz):([^/:]+)$/is.exec(path) ?? []
  return [file, array]
}

function withoutArray(path: string): string {
  return arrayIn(path)[0]
}

/**
 * The files that a path names, in order.
 *
 * @throws if there are none
 */
export function filesNamed(named: Named): NamedFile[] {
  if (typeof named !== 'string') return named.map((path, i) => ({ key: String(i + 1), path: existing(path) }))
  if (named.includes('*')) {
    const found = matching('', named.split('/'), []).map(({ path, matched }) => ({ path, key: matched.join('/') }))
    if (found.length === 0) throw new Error(`data: there is no file ${named}.`)
    return found
  }
  if (!isFolder(existing(named))) return [{ key: '', path: named }]
  const names = readdirSync(named).filter(name => !name.startsWith('.')).sort()
  // A folder of arrays may also have pictures of them, which are ignored.
  const arrays = names.filter(isArray), pictures = names.filter(name => pictureEnds.test(name))
  const files = arrays.length > 0 ? arrays : pictures
  if (files.length === 0) throw new Error(`data: ${named} has no pictures and no arrays (.nii, .nii.gz, .npy, .npz).`)
  return files.map(name => ({ key: stemOf(name), path: join(named, name) }))
}

/** The existing files and folders that a text names; none if it is not a path or a pattern. */
export function pathsNamed(text: string): string[] {
  if (text.includes('*')) return matching('', text.split('/'), []).map(({ path }) => path)
  return [withoutArray(text)].filter(path => existsSync(path))
}

/** The files of two paths as pairs with the same key. */
export function pairsNamed(inputs: Named, outputs: Named): { readonly key: string; readonly input: string; readonly output: string }[] {
  const [seen, wanted] = [filesNamed(inputs), filesNamed(outputs)]
  const partner = (of: NamedFile, others: readonly NamedFile[], there: Named): string => {
    const [found, second] = others.filter(({ key }) => key === of.key)
    if (found === undefined) throw new Error(`data: ${inWords(there)} has no ${of.key || 'one file'}, expected as the partner of ${of.path}.`)
    if (second !== undefined) throw new Error(`data: ${found.path} and ${second.path} are partners of ${of.path}, expected one.`)
    return found.path
  }
  wanted.forEach(one => partner(one, seen, inputs))
  return seen.map(one => ({ key: one.key, input: one.path, output: partner(one, wanted, outputs) }))
}

function inWords(named: Named): string {
  return typeof named === 'string' ? named : `the list ${named.join(', ')}`
}

/** The path; throws if there is nothing. */
export function existing(path: string): string {
  if (!existsSync(withoutArray(path))) throw new Error(`data: there is no file or folder ${path}.`)
  return path
}

export function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}

type Match = { readonly path: string; readonly matched: readonly string[] }

/** The paths that match a pattern, folder by folder. */
function matching(path: string, [part, ...rest]: readonly string[], matched: readonly string[]): Match[] {
  if (part === undefined) return [{ path, matched }]
  const below = (name: string): string => (path === '' ? name || '/' : join(path, name))
  if (!part.includes('*')) {
    const next = below(part)
    return existsSync(next) ? matching(next, rest, matched) : []
  }
  const pattern = new RegExp(`^${part.split('*').map(text => text.replaceAll(/[.+?^${}()|[\]\\]/g, String.raw`\$&`)).join('(.*)')}$`, 's')
  if (path !== '' && !isFolder(path)) return []
  return readdirSync(path || '.').filter(name => !name.startsWith('.')).sort().flatMap(name => {
    const found = pattern.exec(name)
    return found ? matching(below(name), rest, [...matched, ...found.slice(1)]) : []
  })
}
