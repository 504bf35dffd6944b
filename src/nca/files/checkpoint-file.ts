/**
 * Training states as bytes: a safetensors file of the state's tree (`tree-file.ts`). Of its sample pool only the cells that
 * are not zero are stored, packed by the same code as in memory; a state that several slots share is stored once.
 *
 *   params, optimiser, iteration, key     as in a `TrainerState`; `examples` too, where there are several, and `critic`
 *   pool.shape                            of a state, `[h,w,c]`
 *   pool.slots                            which state each slot has
 *   pool.ends, pool.cells, pool.values    the cells of all states one after the other, with the end of each
 */
import { hostArray, type Backend } from '../../backends/backend.ts'
import { scope, supersede } from '../../tensor/lifetime.ts'
import { check, checkOptions, isObject, isWhole, keysOf, type Options } from '../../backends/options.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { aBackend, defaultBackend, tensor, Tensor } from '../../tensor/tensor.ts'
import { eachLeaf, mapTree } from '../../tensor/tree.ts'
import type { DataParams } from '../rule/types.ts'
import { checkState } from '../training/check-state.ts'
import type { Pool } from '../training/pool.ts'
import { packState, SparseState } from '../training/sparse-state.ts'
import type { Trainer, TrainerState } from '../training/trainer.ts'
import { byteLimit } from './limits.ts'
import { limitKinds, type SafetensorsEntry, type SafetensorsLimits } from './safetensors.ts'
import { checkTexts, decodeTree, encodeTree, inFile, Stored, wrongValue } from './tree-file.ts'

const checkpointFormat = 'cellgrad checkpoint 1'

/** The metadata fields that the file uses itself. */
const reserved = ['format', 'tree']

/**
 * The bytes of a training checkpoint; `metadata` is kept beside it, the configuration for instance.
 *
 * @example const bytes = await encodeCheckpoint(state, { note: 'after 500 iterations' })
 */
export async function encodeCheckpoint<P>(
  state: TrainerState<P>, metadata: Readonly<Record<string, string>> = {},
): Promise<Uint8Array> {
  checkTexts('encodeCheckpoint', 'metadata', metadata, reserved)
  checkState('encodeCheckpoint: state', state)
  const pool = await packPool(state.pool)
  const { examples, ...rest } = state
  const tree = { ...rest, pool, ...(examples.some(example => example !== 0) ? { examples } : {}) }
  const bytes = await encodeTree({
    tree, metadata: { ...metadata, format: checkpointFormat }, where: 'encodeCheckpoint',
  })
  supersede(pool, null, 'was written to a checkpoint')
  return bytes
}

/**
 * How a checkpoint is read, and how large it may be: `maxBytes`, 2²⁹ by default, also limits the memory of the pool's states
 * once unpacked: of all of them on a GPU, of one at a time on the CPU.
 */
export type CheckpointOptions<P> = SafetensorsLimits & {
  /** The backend that holds the state, by default the CPU. */
  readonly backend?: Backend
  /** The trainer that will go on from it: the state is checked against its rule, optimiser, pool and examples. */
  readonly trainer?: Trainer<TrainerState<P>>
}

export const checkpointOptions: Options = keysOf<CheckpointOptions<unknown>>({
  ...limitKinds, backend: aBackend, trainer: { fits: isObject, expected: 'a trainer' },
})

/**
 * A training state from the bytes of a checkpoint, bit for bit as it was.
 *
 * @param where the file's name, for messages
 * @throws one sentence that names the file, and the place in its tree, where the bytes are not a checkpoint, where its parts
 *   fit neither each other nor the trainer, where a learned number is not finite, or where its states exceed the limit
 * @example const { state } = decodeCheckpoint(bytes, 'run.safetensors', { trainer }); train(trainer, { state, … })
 */
export function decodeCheckpoint<P = DataParams>(
  bytes: Uint8Array, where = 'input', options: CheckpointOptions<P> = {},
): { state: TrainerState<P>; metadata: Record<string, string> } {
  checkOptions('decodeCheckpoint', options, checkpointOptions)
  const { backend = defaultBackend, trainer, maxHeaderBytes } = options
  const maxBytes = byteLimit('decodeCheckpoint', { maxBytes: options.maxBytes })
  const { tree, metadata } = decodeTree(bytes, checkpointFormat, where, { maxBytes, maxHeaderBytes })
  const { format: _format, tree: _tree, ...rest } = metadata
  return inFile(where, () => scope(() => {
    if (!isObject(tree)) return check(false, where, 'its tree', tree, 'a training state') as never
    for (const part of ['params', 'optimiser', 'pool', 'iteration', 'key']) {
      check(part in tree, where, part, undefined, 'a part of a training state')
    }
    const { pool: packed, examples, ...learnt } = tree as Record<keyof TrainerState<P>, unknown>
    checkLearnt(where, learnt)
    const tensors = new Map<Stored, Tensor>()
    const { params, optimiser, critic, iteration, key, ...more } = mapTree(learnt, leaf => (
      leaf instanceof Stored ? made(leaf, backend, tensors) : leaf
    ))
    const unknown = Object.keys(more)[0]
    check(unknown === undefined, where, 'a part of the state', unknown, 'params, optimiser, pool, examples, critic, iteration and key')
    const pool = unpackPool(packed, where, backend, maxBytes)
    // Only checkpoints with several examples have `examples`; older ones were written before there could be several. The order
    // is that of the trainer, so that the same state is always written as the same bytes.
    const state = { params, optimiser, pool, ...(critic !== undefined && { critic }), examples: examples ?? pool.map(() => 0), iteration, key }
    checkState(where, state)
    trainer?.check?.(state as TrainerState<P>, where)
    return { state: state as TrainerState<P>, metadata: rest }
  }, 'decodeCheckpoint()'))
}

function made(leaf: Stored, backend: Backend, tensors: Map<Stored, Tensor>): Tensor {
  const { data, shape } = leaf.entry
  const known = tensors.get(leaf) ?? tensor(data, { shape, backend })
  tensors.set(leaf, known)
  return known
}

/**
 * Throws where training could not go on from a number: a parameter with a moment must be finite, a moment must not be NaN,
 * and the second moment, a mean of squares, must not be negative.
 */
function checkLearnt(where: string, learnt: Readonly<Record<string, unknown>>): void {
  const stored = new Map<string, SafetensorsEntry>()
  eachLeaf(learnt, (leaf, path) => { if (leaf instanceof Stored) stored.set(path, leaf.entry) })
  for (const [path, entry] of stored) {
    const [, whose, which, parameter] = /^(critic\.)?optimiser\.moments\.(\d+)\.(.*)$/.exec(path) ?? []
    if (which === undefined) continue
    const its = `${whose ?? ''}params.${parameter}`
    const own = stored.get(its)
    const wrong = (which === '1' ? wrongValue(path, entry, x => x >= 0, 'numbers ≥ 0')
      : wrongValue(path, entry, x => !Number.isNaN(x), 'numbers'))
      ?? (own && wrongValue(its, own, Number.isFinite, 'finite numbers'))
    if (wrong !== undefined) throw new Error(`${where}: ${wrong}`)
  }
}

/** A pool as arrays, see the top of this file. */
type PackedPool = { shape: readonly number[]; slots: Tensor; ends: Tensor; cells: Tensor; values: Tensor }

async function packPool(pool: Pool): Promise<PackedPool | []> {
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

function isStateShape(shape: unknown): shape is readonly number[] {
  return Array.isArray(shape) && shape.length >= 2 && shape.length <= 4 && shape.every(n => isWhole(n, 1))
}

function unpackPool(packed: unknown, where: string, backend: Backend, maxBytes: number): Pool {
  if (Array.isArray(packed) && packed.length === 0) return []
  check(isObject(packed), where, 'pool', packed, 'its parts: shape, slots, ends, cells and values')
  const { shape, ...parts } = packed as Readonly<Record<string, unknown>>
  if (!isStateShape(shape)) return check(false, where, 'pool.shape', shape, 'that of a state, like [72,72,16]') as never
  const [slots, ends, cells, values] = ['slots', 'ends', 'cells', 'values'].map(name => {
    const part = parts[name]
    check(part instanceof Stored, where, `pool.${name}`, part, 'a tensor')
    return (part as Stored).entry.data
  })

  const fits: (ok: boolean) => asserts ok = ok => {
    if (!ok) throw new Error(`${where}: the parts of its sample pool do not fit together.`)
  }
  fits(slots instanceof Uint32Array && ends instanceof Uint32Array && cells instanceof Uint32Array)
  fits(values instanceof Float32Array || values instanceof Float64Array)
  const c = shape.at(-1)!
  fits(values.length === cells.length * c && (ends.at(-1) ?? 0) === cells.length)
  fits(ends.every((end, i) => i === 0 || end >= ends[i - 1]))
  fits(cells.every(i => i < sizeOf(shape) / c) && slots.every(i => i < ends.length))
  // A backend that can be read synchronously keeps states packed and unpacks them a batch at a time; a GPU holds them all.
  const laidOut = sizeOf(shape) * values.BYTES_PER_ELEMENT * (backend.readSync ? 1 : ends.length)
  check(laidOut <= maxBytes, where, 'the size of its pool', laidOut, `at most ${maxBytes} bytes (the option maxBytes)`)
  const states = Array.from(ends, (end, i) => {
    const start = i === 0 ? 0 : ends[i - 1]
    const state = new SparseState(shape, backend, cells.slice(start, end), values.slice(start * c, end * c))
    return backend.readSync ? state : tensor(state.toArray(), { shape, backend })
  })
  return Array.from(slots, i => states[i])
}
