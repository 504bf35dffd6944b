/**
 * A tree as a safetensors file: every tensor under its dotted path (`update.w1`), everything else in the metadata.
 *
 *   format     the kind of file: 'cellgrad model 1' or 'cellgrad checkpoint 1'
 *   tree       JSON of the tree, with {"$tensor": path} in place of each tensor
 *   …          any further text
 *
 * A tensor that occurs in several places is stored once. Whatever is written can be read back: values that JSON would drop or
 * change are refused. So is a file with a tensor that its tree does not mention.
 */
import { check, isObject, show } from '../../backends/options.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { deepestTree, mapTree } from '../../tensor/tree.ts'
import { parseJson } from './json.ts'
import { decodeSafetensors, encodeSafetensors, type SafetensorsEntry, type SafetensorsLimits, type StoredAs } from './safetensors.ts'

/** A tensor of a file, as a leaf of its tree: on the host, not yet on a backend. */
export class Stored {
  readonly name: string
  readonly entry: SafetensorsEntry
  constructor(name: string, entry: SafetensorsEntry) {
    this.name = name
    this.entry = entry
  }

  // As messages show tensors.
  get dtype(): SafetensorsEntry['dtype'] { return this.entry.dtype }
  get shape(): readonly number[] { return this.entry.shape }
}

export type TreeFile = {
  readonly tree: unknown
  readonly metadata: Readonly<Record<string, string>>
  /** Where it is, for messages. */
  readonly where: string
}

/**
 * The bytes of a tree's file. `judge` sees every tensor before it is written.
 *
 * @throws where a leaf is neither a tensor nor JSON
 */
export async function encodeTree(
  { tree, metadata, where }: TreeFile, judge: (path: string, entry: SafetensorsEntry) => void = () => {}, options: StoredAs = {},
): Promise<Uint8Array> {
  const names = new Map<Tensor, string>()
  const references = mapTree(tree, (leaf, path) => {
    if (!(leaf instanceof Tensor)) return json(leaf, path, where)
    if (!names.has(leaf)) names.set(leaf, path)
    return { $tensor: names.get(leaf) }
  })
  const entries: Record<string, SafetensorsEntry> = {}
  for (const [t, name] of names) {
    entries[name] = { dtype: t.dtype, shape: t.shape, data: await t.data() }
    judge(name, entries[name])
  }
  return encodeSafetensors(entries, { ...metadata, tree: JSON.stringify(references) }, options)
}

/** Throws unless these are texts by name, without the names that the file uses itself. */
export function checkTexts(where: string, called: string, texts: unknown, reserved: readonly string[]): void {
  check(isObject(texts), where, called, texts, 'an object of texts')
  for (const [name, text] of Object.entries(texts as object)) {
    if (reserved.includes(name)) throw new Error(`${where}: ${called} cannot be called ${name}, which the file uses itself.`)
    check(typeof text === 'string', where, `${called}.${name}`, text, 'text')
  }
}

/** A leaf that JSON keeps exactly. */
function json(leaf: unknown, path: string, where: string): unknown {
  const fits = leaf === null || leaf === undefined || ['string', 'boolean'].includes(typeof leaf) || Number.isFinite(leaf)
  if (fits && !path.split('.').includes('$tensor')) return leaf
  throw new Error(`${where}: ${path} is ${show(leaf)}, expected a tensor, a finite number, text, true, false or null.`)
}

/**
 * The tree of a file of this format, with a `Stored` in place of each tensor; the same one where a tensor is shared.
 *
 * @throws one sentence that begins with the file's name, where the bytes are something else
 */
export function decodeTree(bytes: Uint8Array, format: string, where: string, limits: SafetensorsLimits): TreeFile {
  const { entries, metadata } = decodeSafetensors(bytes, where, limits)
  if (metadata.format !== format) {
    const kind = format.split(' ').slice(0, 2).join(' ')
    throw new Error(
      `${where} is not a ${kind}: its metadata says format ${show(metadata.format ?? null)}, expected "${format}".`,
    )
  }
  const stored = new Map(Object.entries(entries).map(([name, entry]) => [name, new Stored(name, entry)]))
  const used = new Set<unknown>()
  const build = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(build)
    if (!isObject(node)) return node
    if (!('$tensor' in node)) return Object.fromEntries(Object.entries(node).map(([name, x]) => [name, build(x)]))
    const leaf = stored.get(String(node.$tensor))
    if (!leaf) throw new Error(`${where} has no tensor ${show(node.$tensor)}, which its tree names.`)
    used.add(leaf)
    return leaf
  }
  const tree = build(metadataJson(metadata, 'tree', where))
  const unused = [...stored.values()].find(leaf => !used.has(leaf))
  if (unused) throw new Error(`${where} has a tensor ${show(unused.name)}, which stands nowhere in its tree.`)
  return { tree, metadata, where }
}

/** The value of a metadata field that is JSON. */
export function metadataJson(metadata: Readonly<Record<string, string>>, field: string, where: string): unknown {
  try {
    return parseJson(metadata[field] ?? '', deepestTree)
  } catch (error) {
    throw new Error(`${where}: its metadata field "${field}" ${(error as Error).message}.`, { cause: error })
  }
}

/** Runs a function; the message of an error from it begins with the file's name. */
export function inFile<T>(where: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    const { message } = error as Error
    throw new Error(message.startsWith(where) ? message : `${where}: ${message}`, { cause: error })
  }
}

/** A sentence about the first value of a tensor that is not allowed, with its place; undefined where all are. */
export function wrongValue(
  path: string, { shape, data }: SafetensorsEntry, allowed: (x: number) => boolean, expected: string,
): string | undefined {
  for (let i = 0; i < data.length; i++) {
    if (allowed(data[i])) continue
    let rest = i
    const at = shape.toReversed().map(n => {
      const along = rest % n
      rest = (rest - along) / n
      return along
    })
    return `${path} is ${data[i]} at [${at.toReversed().join(', ')}], expected ${expected}.`
  }
  return undefined
}
