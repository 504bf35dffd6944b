/**
 * Reading at given indices, and its adjoint, adding up at given indices.
 *
 * Along one axis, with all other positions fixed, for a list of indices j and for a whole tensor of them:
 *
 *   gather      out_k = x_{j(k)}                       takeAlong   out_k = x_{j(k)}, with its own list j for every line
 *   scatter     out_m = Σ_{k: j(k) = m} x_k            putAlong    out_m = Σ_{k: j(k) = m} x_k
 *
 * The two of a pair are adjoint, ⟨gather x, g⟩ = Σ_k x_{j(k)} g_k = ⟨x, scatter g⟩, so each is the other's derivative
 * and the set is closed. Where indices repeat, the sum runs in the order of k: results do not depend on scheduling.
 *
 * Indices known to the host are checked before anything runs. Those in tensors are checked where they are used: the CPU
 * throws at once, a GPU when a result that depends on them is next read.
 */
import { longSum } from '../../backends/wgsl/long-sum.ts'
import { defineOp, refuse, type Op } from '../op.ts'
import { check, isWhole } from '../../backends/options.ts'
import { sameShape, sizeOf, type Shape } from '../shape.ts'
import { tensor, type Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { axisOf, linesAlong, withSize } from './lines.ts'

/** gather: inputs x and indices int32 [k], already checked on the host. */
export const gatherOp: Op<{ axis: number }> = defineOp<{ axis: number }>({
  name: 'gather',
  infer: ([x, index], { axis }) => ({ shape: withSize(x.shape, axis, index.shape[0]), dtype: x.dtype }),
  cpu: ([x, index], out, { inputs: [{ shape }], attrs: { axis } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    let at = 0
    for (let o = 0; o < outer; o++) {
      for (const j of index) {
        const from = (o * n + j) * inner
        for (let i = 0; i < inner; i++) out[at++] = x[from + i]
      }
    }
  },
  wgsl: ({ inputs: [{ shape }, { shape: [count] }], out, attrs: { axis } }) => ({
    inputs: ['x', 'index'],
    threads: sizeOf(out.shape),
    u32: { ...sizesAlong(shape, axis), count },
    source: `
      fn main(i: u32) {
        let o = i / u.inner / u.count;
        let k = i / u.inner % u.count;
        out[i] = x[(o * u.n + u32(index[k])) * u.inner + i % u.inner];
      }`,
  }),
  vjp: [
    {
      uses: [1],
      grad: (g, { inputs: [x, index], attrs: { axis } }) => apply(scatterOp, [g, index], { axis, size: x.shape[axis] }),
    },
    null,
  ],
})

/** scatter: inputs x and indices int32 [k], k the entries of x along the axis; the output has `size` entries there. */
export const scatterOp: Op<{ axis: number; size: number }> = defineOp<{ axis: number; size: number }>({
  name: 'scatter',
  infer: ([x], { axis, size }) => ({ shape: withSize(x.shape, axis, size), dtype: x.dtype }),
  cpu: ([x, index], out, { out: { shape }, attrs: { axis } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    const total = out instanceof Float32Array ? new Float64Array(out.length) : out.fill(0)
    let at = 0
    for (let o = 0; o < outer; o++) {
      for (const j of index) {
        const to = (o * n + j) * inner
        for (let i = 0; i < inner; i++) total[to + i] += x[at++]
      }
    }
    if (total !== out) out.set(total)
  },
  wgsl: ({ inputs: [{ shape }], out, attrs: { axis, size } }) => ({
    inputs: ['x', 'index'],
    threads: sizeOf(out.shape),
    u32: { ...sizesAlong(shape, axis), size },
    source: collect('index[k]', shape[axis]),
  }),
  vjp: [
    { uses: [1], grad: (g, { inputs: [, index], attrs: { axis } }) => apply(gatherOp, [g, index], { axis }) },
    null,
  ],
})

/** takeAlong: inputs x and indices int32, of the shape of x except at the axis. */
export const takeAlongOp: Op<{ axis: number }> = defineOp<{ axis: number }>({
  name: 'takeAlong',
  infer: ([x, index], { axis }) => {
    if (index.dtype !== 'int32') refuse('takeAlong', `indices are ${index.dtype}, but must be int32`)
    if (!sameShape(withSize(x.shape, axis, 0), withSize(index.shape, axis, 0))) {
      refuse('takeAlong', `shapes differ outside of axis ${axis}`, { x, indices: index })
    }
    return { shape: index.shape, dtype: x.dtype }
  },
  cpu: ([x, index], out, { inputs: [{ shape }, { shape: indexShape }], attrs: { axis } }) => {
    const { n } = linesAlong(shape, axis)
    const { outer, n: count, inner } = linesAlong(indexShape, axis)
    let at = 0
    for (let o = 0; o < outer; o++) {
      for (let k = 0; k < count; k++) {
        for (let i = 0; i < inner; i++, at++) out[at] = x[(o * n + inside('takeAlong', index[at], n)) * inner + i]
      }
    }
  },
  wgsl: ({ inputs: [{ shape }], out, attrs: { axis } }) => ({
    inputs: ['x', 'index'],
    threads: sizeOf(out.shape),
    u32: { ...sizesAlong(shape, axis), count: out.shape[axis] },
    indices: true,
    source: `
      fn main(i: u32) {
        let o = i / u.inner / u.count;
        out[i] = x[(o * u.n + inside(index[i], u.n)) * u.inner + i % u.inner];
      }`,
  }),
  vjp: [
    { uses: [1], grad: (g, { inputs: [x, index], attrs: { axis } }) => putAlong(g, index, axis, x.shape[axis]) },
    null,
  ],
})

/** putAlong: inputs x and indices int32 of its shape; the output has `size` entries along the axis. */
export const putAlongOp: Op<{ axis: number; size: number }> = defineOp<{ axis: number; size: number }>({
  name: 'putAlong',
  infer: ([x, index], { axis, size }) => {
    if (index.dtype !== 'int32') refuse('putAlong', `indices are ${index.dtype}, but must be int32`)
    if (!sameShape(x.shape, index.shape)) refuse('putAlong', 'every value needs an index', { x, indices: index })
    return { shape: withSize(x.shape, axis, size), dtype: x.dtype }
  },
  cpu: ([x, index], out, { inputs: [{ shape }], attrs: { axis, size } }) => {
    const { outer, n, inner } = linesAlong(shape, axis)
    const total = out instanceof Float32Array ? new Float64Array(out.length) : out.fill(0)
    let at = 0
    for (let o = 0; o < outer; o++) {
      for (let k = 0; k < n; k++) {
        for (let i = 0; i < inner; i++, at++) {
          total[(o * size + inside('putAlong', index[at], size)) * inner + i] += x[at]
        }
      }
    }
    if (total !== out) out.set(total)
  },
  wgsl: ({ inputs: [{ shape }], out, attrs: { axis, size } }) => ({
    inputs: ['x', 'index'],
    threads: sizeOf(out.shape),
    u32: { ...sizesAlong(shape, axis), size },
    indices: true,
    source: collect('index[at]', shape[axis], 'if (m == 0) { _ = inside(index[at], u.size); }'),
  }),
  vjp: [{ uses: [1], grad: (g, { inputs: [, index], attrs: { axis } }) => takeAlong(g, index, axis) }, null],
})

/** WGSL in which each entry of the output collects, in order, the entries k of its line whose index is its own. */
function collect(index: string, n: number, check = ''): string {
  return `${longSum('T', 1, n)}
    fn main(i: u32) {
      let o = i / u.inner / u.size;
      let m = i32(i / u.inner % u.size);
      var total: Part;
      for (var k = 0u; k < u.n; k++) {
        let at = (o * u.n + k) * u.inner + i % u.inner;
        ${check}
        if (${index} == m) {
          total.parts[0] += x[at];
          carry(&total);
        }
      }
      complete(&total);
      out[i] = total.parts[0];
    }`
}

/** The lines along an axis as uniforms. */
function sizesAlong(shape: Shape, axis: number): { n: number; inner: number } {
  const { n, inner } = linesAlong(shape, axis)
  return { n, inner }
}

/** The index, if it is below n. */
function inside(op: string, index: number, n: number): number {
  if (!(index >= 0 && index < n)) refuse(op, `index ${index} is outside of an axis of size ${n}`)
  return index
}

function checkIndices(op: string, indices: unknown): void {
  const expected = 'a list of numbers (takeAlong and putAlong take tensors)'
  check(Array.isArray(indices) || ArrayBuffer.isView(indices), op, 'the list of indices', indices, expected)
}

/** Indices from the host as a tensor on the backend of x; each must be a whole number below n. */
function indexTensor(op: string, indices: readonly number[], n: number, x: Tensor): Tensor {
  for (const index of indices) {
    if (!Number.isInteger(index)) refuse(op, `index ${index} is not a whole number`, { x })
    inside(op, index, n)
  }
  return tensor(Int32Array.from(indices), { backend: x.backend })
}

/**
 * The entries of x at these indices of one axis, in this order; indices may repeat.
 *
 * @param indices whole numbers from 0 to the size of the axis − 1
 * @returns the shape of x with `indices.length` at the axis
 * @throws for an index outside of the axis
 * @example gather(x, [3, 0, 0], 0)      // samples 3, 0 and 0 of a batch
 */
export function gather(x: Tensor, indices: readonly number[], axis: number): Tensor {
  const along = axisOf('gather', x, axis)
  checkIndices('gather', indices)
  return apply(gatherOp, [x, indexTensor('gather', indices, x.shape[along], x)], { axis: along })
}

/**
 * Zeros with the entries of x added at these indices of one axis; the adjoint of `gather`. Entries with the same index are summed.
 *
 * @param indices one whole number below `size` for each entry of x along the axis
 * @returns the shape of x with `size` at the axis
 * @throws for an index outside of the axis, and where their number does not fit
 * @example scatter(tensor([1, 2, 3]), [4, 0, 4], 0, 5)   // [2, 0, 0, 0, 4]
 */
export function scatter(x: Tensor, indices: readonly number[], axis: number, size: number): Tensor {
  const along = axisOf('scatter', x, axis)
  check(isWhole(size), 'scatter', 'the size', size, 'a whole number ≥ 0')
  checkIndices('scatter', indices)
  if (indices.length !== x.shape[along]) {
    refuse('scatter', `${indices.length} indices for an axis of size ${x.shape[along]}`, { x })
  }
  return apply(scatterOp, [x, indexTensor('scatter', indices, size, x)], { axis: along, size })
}

/**
 * The entries at given indices along an axis, with separate indices for every line. With the indices of `argSort` it sorts.
 * NumPy's `take_along_axis`.
 *
 * @param indices int32, of the shape of x except at the axis, where the size may be any
 * @returns the shape of `indices`
 * @throws for other types or shapes, and for an index outside of the axis (on a GPU when a result is next read)
 * @example takeAlong(y, argSort(x), -1)    // y in the order of x
 */
export function takeAlong(x: Tensor, indices: Tensor, axis: number): Tensor {
  return apply(takeAlongOp, [x, indices], { axis: axisOf('takeAlong', x, axis) })
}

/**
 * Zeros with the entries of x added at given indices along an axis, with separate indices for every line; the adjoint of
 * `takeAlong`.
 *
 * @param indices int32, of the shape of x, from 0 to `size` − 1
 * @returns the shape of x with `size` at the axis
 * @throws as `takeAlong` does
 * @example putAlong(ones([n, 1]), labels, 1, 10)     // labels [n,1] → one row of zeros and a one for each
 */
export function putAlong(x: Tensor, indices: Tensor, axis: number, size: number): Tensor {
  check(isWhole(size), 'putAlong', 'the size', size, 'a whole number ≥ 0')
  return apply(putAlongOp, [x, indices], { axis: axisOf('putAlong', x, axis), size })
}
