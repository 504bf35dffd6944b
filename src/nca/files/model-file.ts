/**
 * Models and training checkpoints as bytes.
 *
 * Both are safetensors files of a tree: every tensor under its dotted path (`update.w1`), everything else in the
 * metadata.
 *
 *   format     'cellgrad model 1' or 'cellgrad checkpoint 1'
 *   tree       JSON of the tree, with {"$tensor": path} in the place of each tensor
 *   rule       the rule as JSON (models)
 *   …          provenance: any further text
 *
 * A tensor that stands in several places is stored once. Of a sample pool only the cells that are not zero are stored.
 */
import { defineRule, paramShapes } from '../rule.ts'
import type { DataParams, DataRule } from '../rule.ts'
import type { TrainerState } from '../training/trainer.ts'
import type { Pool } from '../training/pool.ts'
import { decodeSafetensors, encodeSafetensors } from './safetensors.ts'
import type { SafetensorsEntry } from './safetensors.ts'
import { packState, SparseState } from '../training/sparse-state.ts'
import { hostArray } from '../../backends/backend.ts'
import type { Data } from '../../backends/backend.ts'
import { supersede } from '../../tensor/lifetime.ts'
import { sameShape, showShape, sizeOf } from '../../tensor/shape.ts'
import { defaultBackend, Tensor, tensor } from '../../tensor/tensor.ts'
import type { Placement } from '../../tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../tensor/tree.ts'

const modelFormat = 'cellgrad model 1'
const checkpointFormat = 'cellgrad checkpoint 1'

/** A trained rule: what `cellgrad grow` plays. */
export type Model = {
  readonly rule: DataRule
  readonly params: DataParams
  /** Where it comes from: free text by key. */
  readonly provenance: Readonly<Record<string, string>>
}

/** What the metadata holds beside provenance. */
const reserved = ['format', 'tree', 'rule']

/**
 * The bytes of a model file.
 *
 * @throws where the rule is code, the parameters do not fit it, or provenance is not text under names of its own
 */
export async function encodeModel({ rule, params, provenance }: Model): Promise<Uint8Array> {
  if (rule?.type !== 'data') {
    throw new Error(
      'encodeModel: the rule is not data (defineRule), and only data can be stored; keep the params '
        + 'of other rules with encodeCheckpoint or encodeSafetensors.',
    )
  }
  checkParams(rule, params, 'encodeModel')
  for (const [name, text] of Object.entries(provenance)) {
    if (reserved.includes(name)) {
      throw new Error(`encodeModel: provenance cannot be called ${name}, which the file uses itself.`)
    }
    if (typeof text !== 'string') throw new Error(`encodeModel: provenance.${name} is ${String(text)}, expected text.`)
  }
  return encodeTree(params, { ...provenance, format: modelFormat, rule: JSON.stringify(rule) })
}

/**
 * A model from the bytes of its file.
 *
 * @param where the file's name, for messages
 * @throws one sentence where the bytes are not a model, or parameters do not fit the rule
 */
export function decodeModel(bytes: Uint8Array, where = 'input', placement: Placement = {}): Model {
  const { tree, metadata } = decodeTree(bytes, modelFormat, where, (_, entry) => made(entry, placement))
  const { format: _format, tree: _tree, rule: ruleJson, ...provenance } = metadata
  const rule = inFile(where, () => defineRule(parseJson(ruleJson, 'rule', where) as DataRule))
  return { rule, params: checkParams(rule, tree, where), provenance }
}

/** The bytes of a training checkpoint; `metadata` is kept beside it, the configuration for instance. */
export async function encodeCheckpoint<P>(
  state: TrainerState<P>, metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  const pool = await packPool(state.pool)
  const { examples, ...rest } = state
  const tree = { ...rest, pool, ...(examples.some(example => example !== 0) ? { examples } : {}) }
  const bytes = await encodeTree(tree, { ...metadata, format: checkpointFormat })
  supersede(pool, null, 'was written to a checkpoint')
  return bytes
}

/**
 * A training state from the bytes of a checkpoint, bit for bit as it was.
 *
 * @throws one sentence where the bytes are not a checkpoint
 */
export function decodeCheckpoint<P = DataParams>(
  bytes: Uint8Array, where = 'input', placement: Placement = {},
): { state: TrainerState<P>; metadata: Record<string, string> } {
  const { tree, metadata } = decodeTree(bytes, checkpointFormat, where, (name, entry) =>
    (name.startsWith('pool.') ? entry.data : made(entry, placement)))
  const packed = tree as Omit<TrainerState<P>, 'pool'> & { pool: PackedPool<Data> | [] }
  const whole = packed.params && packed.optimiser && packed.pool
    && Array.isArray(packed.key) && Number.isInteger(packed.iteration)
  if (!whole) {
    throw new Error(`${where} lacks a part of a training state; expected params, optimiser, pool, iteration and key.`)
  }
  const { format: _format, tree: _tree, ...rest } = metadata
  const pool = unpackPool(packed.pool, where, placement)
  // Where there are several examples; checkpoints were written before that was possible.
  const { params, optimiser, examples = pool.map(() => 0), iteration, key } = packed
  return { state: { params, optimiser, pool, examples, iteration, key }, metadata: rest }
}

/** The tree's tensors by path, and the tree itself with references to them. */
async function encodeTree(tree: unknown, metadata: Readonly<Record<string, string>>): Promise<Uint8Array> {
  const names = new Map<Tensor, string>()
  const references = mapTree(tree, (leaf, path) => {
    if (!(leaf instanceof Tensor)) return leaf
    if (!names.has(leaf)) names.set(leaf, path)
    return { $tensor: names.get(leaf) }
  })
  const entries: Record<string, SafetensorsEntry> = {}
  for (const [t, name] of names) entries[name] = { dtype: t.dtype, shape: t.shape, data: await t.data() }
  return encodeSafetensors(entries, { ...metadata, tree: JSON.stringify(references) })
}

function made({ data, shape }: SafetensorsEntry, { backend }: Placement): Tensor {
  return tensor(data, { shape, backend })
}

/** The tree of a file and its metadata. `load` makes what stands in the tree from each entry, once. */
function decodeTree(
  bytes: Uint8Array, format: string, where: string, load: (name: string, entry: SafetensorsEntry) => unknown,
): { tree: unknown; metadata: Record<string, string> } {
  const { entries, metadata } = decodeSafetensors(bytes, where)
  if (metadata.format !== format) {
    const kind = format.split(' ').slice(0, 2).join(' ')
    throw new Error(
      `${where} is not a ${kind}: its metadata says format `
        + `${JSON.stringify(metadata.format ?? null)}, expected "${format}".`,
    )
  }
  const loaded = new Map<string, unknown>()
  const build = (node: unknown): unknown => {
    if (Array.isArray(node)) return node.map(build)
    if (typeof node !== 'object' || node === null) return node
    if (!('$tensor' in node)) return Object.fromEntries(Object.entries(node).map(([name, x]) => [name, build(x)]))
    const name = String(node.$tensor)
    const entry = Object.hasOwn(entries, name) ? entries[name] : undefined
    if (!entry) throw new Error(`${where} has no tensor ${JSON.stringify(name)}, which its tree names.`)
    if (!loaded.has(name)) loaded.set(name, load(name, entry))
    return loaded.get(name)
  }
  return { tree: build(parseJson(metadata.tree, 'tree', where)), metadata }
}

/** Names the file in the message of whatever fails. */
function inFile<T>(where: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    const { message } = error as Error
    throw new Error(message.startsWith(where) ? message : `${where}: ${message}`, { cause: error })
  }
}

function parseJson(text: string | undefined, field: string, where: string): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    throw new Error(`${where} has no valid JSON in its metadata field ${JSON.stringify(field)}.`)
  }
}

/** Throws unless a tree has the parameters of a rule. */
function checkParams(rule: DataRule, tree: unknown, where: string): DataParams {
  const found = new Map<string, Tensor>()
  eachLeaf(tree, (leaf, path) => { if (leaf instanceof Tensor) found.set(path, leaf) })
  for (const [path, shape] of Object.entries(paramShapes(rule))) {
    const t = found.get(path)
    if (!t || !sameShape(t.shape, shape)) {
      throw new Error(
        `${where}: parameter ${path} is ${t ? showShape(t.shape) : 'missing'}, but its rule needs ${showShape(shape)}.`,
      )
    }
  }
  return tree as DataParams
}

/**
 * A pool as four arrays: which state each slot has, and the cells of all states one after the other, with the end of
 * each. They are tensors on their way into a file, and host arrays when they come out of one.
 */
type PackedPool<T> = { shape: readonly number[]; slots: T; ends: T; cells: T; values: T }

async function packPool(pool: Pool): Promise<PackedPool<Tensor> | []> {
  if (pool.length === 0) return []
  const slots = [...new Set(pool)]
  const states: SparseState[] = []
  for (const slot of slots) {
    states.push(slot instanceof Tensor ? packState(await slot.data(), slot.shape, slot.backend) : slot)
  }
  const { shape, dtype } = pool[0]
  let end = 0
  const ends = Uint32Array.from(states, state => (end += state.at.length))
  const cells = new Uint32Array(end)
  const c = shape.at(-1)!
  const values = hostArray(dtype, end * c)
  states.forEach(({ at, cells: rows }, i) => {
    cells.set(at, ends[i] - at.length)
    values.set(rows, (ends[i] - at.length) * c)
  })
  const order = new Map(slots.map((slot, i) => [slot, i]))
  return {
    shape,
    slots: tensor(Uint32Array.from(pool, slot => order.get(slot)!)),
    ends: tensor(ends),
    cells: tensor(cells),
    values: tensor(values, { shape: [end, c] }),
  }
}

function unpackPool(packed: PackedPool<Data> | [], where: string, { backend = defaultBackend }: Placement): Pool {
  if (Array.isArray(packed)) return []
  const { shape, slots, ends, cells, values } = packed
  const fits: (ok: boolean) => asserts ok = ok => {
    if (!ok) throw new Error(`${where}: the parts of its sample pool do not fit together.`)
  }
  fits(Array.isArray(shape) && ArrayBuffer.isView(values))
  fits(slots instanceof Uint32Array && ends instanceof Uint32Array && cells instanceof Uint32Array)
  const c = shape.at(-1)!
  fits(values.length === cells.length * c && ends.at(-1) === cells.length)
  fits(ends.every((end, i) => i === 0 || end >= ends[i - 1]))
  fits(cells.every(i => i < sizeOf(shape) / c) && slots.every(i => i < ends.length))
  const states = Array.from(ends, (end, i) => {
    const start = i === 0 ? 0 : ends[i - 1]
    const state = new SparseState(shape, backend, cells.slice(start, end), values.slice(start * c, end * c))
    return backend.readSync ? state : tensor(state.toArray(), { shape, backend })
  })
  return Array.from(slots, i => states[i])
}
