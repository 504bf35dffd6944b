/**
 * A state without its empty cells.
 *
 * Most cells of a grid are dead, and the living mask makes all channels of a dead cell zero. So a state `[h,w,c]` is stored
 * as its n cells that are not all zero:
 *
 *   at     [n]     their indices y·w + x, ascending
 *   cells  [n,c]   their channels
 *
 * A cell is empty if all its bits are 0, and bits are copied, so that −0 and every NaN come back as they were.
 *
 * n depends on the values, so packing reads them on the host and is not differentiable: this is for states that wait between
 * two iterations, see `pool.ts`. The arrays are owned by JavaScript's garbage collector and not by a backend, which keeps
 * freed memory for the next array of exactly the same size: hardly any two states have the same n.
 */
import { dtypeOf, hostArray, sizeOf, type Backend, type Data, type DType, type Kernel } from '../../backends/backend.ts'
import { refuse } from '../../tensor/op.ts'
import { sameShape, showShape, type Shape } from '../../tensor/shape.ts'
import { Storage, valuesOf, wrap, type Tensor } from '../../tensor/tensor.ts'

/** A state `[h,w,c]` of which only the cells that are not zero are stored. Immutable, and a leaf in trees. */
export class SparseState {
  readonly shape: Shape
  /** The backend that it came from, and goes back to. */
  readonly backend: Backend
  readonly at: Uint32Array
  readonly cells: Data

  constructor(shape: Shape, backend: Backend, at: Uint32Array, cells: Data) {
    this.shape = shape
    this.backend = backend
    this.at = at
    this.cells = cells
  }

  get dtype(): DType {
    return dtypeOf(this.cells)
  }

  /** All values `[h,w,c]`, row-major, as a new typed array. */
  toArray(): Data {
    const data = hostArray(this.dtype, sizeOf(this.shape))
    copyCells(this, data, 0)
    return data
  }
}

/** The cells that are not zero in the values of a state `[h,w,c]`. */
export function packState(data: Data, shape: Shape, backend: Backend): SparseState {
  const c = shape.at(-1)!
  const at = occupied(data, sizeOf(shape) / c)
  const cells = hostArray(dtypeOf(data), at.length * c)
  eachRun(at, (k, cell, length) => cells.set(data.subarray(cell * c, (cell + length) * c), k * c))
  return new SparseState(shape, backend, at, cells)
}

/** The states of a batch `[b,h,w,c]`, which is read synchronously. */
export function packBatch(batch: Tensor): SparseState[] {
  const [b, ...shape] = batch.shape
  const data = valuesOf(batch)
  const size = sizeOf(shape)
  return Array.from({ length: b }, (_, i) => packState(data.subarray(i * size, (i + 1) * size), shape, batch.backend))
}

/**
 * States of one shape and type as a batch `[b,h,w,c]` on their backend. The inverse of `packBatch`, bit for bit.
 *
 * @param op the calling function, for messages
 * @throws where shapes or types differ
 */
export function unpackBatch(op: string, states: readonly SparseState[]): Tensor {
  const [{ shape, dtype, backend }] = states
  for (const state of states) {
    if (sameShape(state.shape, shape) && state.dtype === dtype) continue
    refuse(op, `states differ: ${dtype} ${showShape(shape)} and ${state.dtype} ${showShape(state.shape)}`)
  }
  const out = { shape: [states.length, ...shape], dtype }
  const memory = backend.alloc(out)
  backend.run(unpack, { inputs: [], out, attrs: states, scalars: [] }, [], memory)
  return wrap(out, backend, op, new Storage(backend, memory))
}

/** The kernel that writes the cells of states straight into a batch, so that the batch is never copied as a whole. */
const unpack: Kernel<readonly SparseState[]> = {
  name: 'unpack',
  cpu(_, out, { attrs: states }) {
    out.fill(0)
    states.forEach((state, i) => copyCells(state, out, i * sizeOf(state.shape)))
  },
}

/** Writes the cells of a state into zeros, where the state's values begin at `offset`. */
function copyCells({ shape, at, cells }: SparseState, out: Data, offset: number): void {
  const c = shape.at(-1)!
  eachRun(at, (k, cell, length) => out.set(cells.subarray(k * c, (k + length) * c), offset + cell * c))
}

/** The indices of the cells with any bit set, in the values of `count` cells. */
function occupied(data: Data, count: number): Uint32Array {
  const words = new Uint32Array(data.buffer, data.byteOffset, data.byteLength / 4)
  const perCell = words.length / count
  const found = new Uint32Array(count)
  let n = 0
  for (let i = 0; i < count; i++) {
    const end = (i + 1) * perCell
    let j = i * perCell
    while (j < end && words[j] === 0) j++
    if (j < end) found[n++] = i
  }
  return found.slice(0, n)
}

/** Calls `copy` for each run of consecutive cells: `at[k]` is `cell`, and the next `length` − 1 entries follow without a gap. */
function eachRun(at: Uint32Array, copy: (k: number, cell: number, length: number) => void): void {
  for (let k = 0, length = 0; k < at.length; k += length) {
    length = 1
    while (at[k + length] === at[k] + length) length++
    copy(k, at[k], length)
  }
}
