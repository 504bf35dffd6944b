import { inspect } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  add, cpu, dense, grad, greater, memory, mul, ones, reshape, scope, sum, tensor, to, where, zeros, type Data,
  type Tensor,
} from '../../src/index.ts'
import { buffersAfter, f64, list, sentence } from './values.ts'

describe('tensor', () => {
  it('is made of nested lists, flat lists or typed arrays', () => {
    const nested = tensor([[1, 2, 3], [4, 5, 6]])
    expect([nested.shape, nested.dtype, list(nested)]).toEqual([[2, 3], 'float32', [1, 2, 3, 4, 5, 6]])
    expect(tensor(5).shape).toEqual([])
    expect(tensor([]).shape).toEqual([0])
    expect(tensor([[], []]).shape).toEqual([2, 0])
    expect(tensor([1, 2, 3, 4], { shape: [2, 2] }).shape).toEqual([2, 2])
    expect(tensor(new Int32Array([1, -2])).dtype).toBe('int32')
    expect(tensor(new Float64Array(6), { shape: [1, 2, 3] }).dtype).toBe('float64')
    expect(tensor([2 ** 32 - 1], { dtype: 'uint32' }).toArray()).toEqual(new Uint32Array([2 ** 32 - 1]))
    expect(tensor(new Float32Array([1]), { like: f64(0) }).dtype).toBe('float64')
    expect(tensor([1], { like: f64(0), dtype: 'int32' }).dtype).toBe('int32')
  })

  it('holds copies: what it was made from and what was read from it may change', async () => {
    const source = new Float64Array([1, 2])
    const x = tensor(source)
    source[0] = 9
    x.toArray()[1] = 9
    ;(await x.data())[1] = 9
    expect(list(x)).toEqual([1, 2])
    expect(Object.isFrozen(x.shape)).toBe(true)
  })

  it('round-trips every value that its type has', async () => {
    const arrays = fc.oneof(fc.float64Array(), fc.float32Array(), fc.int32Array(), fc.uint32Array()) as fc.Arbitrary<Data>
    await fc.assert(fc.asyncProperty(arrays, async data => {
      const x = tensor(data)
      expect(x.toArray()).toEqual(data)
      expect(await x.data()).toEqual(data)
    }))
  })

  it('is read as one number if it has one element', async () => {
    expect(await tensor([[7]]).item()).toBe(7)
    await expect(tensor([1, 2]).item()).rejects.toThrow(/^item: tensor#\d+ \[2\] has 2 elements, not one\.$/)
  })

  it('says what is wrong', () => {
    expect(sentence(() => tensor([[1, 2], [3]]))).toMatchInlineSnapshot(
      `"tensor: ragged list; expected every part to have the shape of the first, [2,2]."`,
    )
    expect(sentence(() => tensor([1, [2]]))).toMatchInlineSnapshot(
      `"tensor: ragged list; expected every part to have the shape of the first, [2]."`,
    )
    expect(sentence(() => tensor([1, 2, 3], { shape: [2, 2] }))).toMatchInlineSnapshot(
      `"tensor: 3 values do not fill the shape [2,2] (4)."`,
    )
    expect(sentence(() => reshape(ones([6]), [-1, 4]))).toMatchInlineSnapshot(
      `"reshape: 6 elements do not divide by 4, so there is no [-1,4]; x [6]."`,
    )
    expect(sentence(() => reshape(ones([6]), [5]))).toMatchInlineSnapshot(`"reshape: [6] has 6 elements, [5] has 5."`)
    const single = { ...cpu(), name: 'small', dtypes: ['float32'] as const }
    expect(sentence(() => tensor([1], { backend: single, dtype: 'float64' }))).toMatchInlineSnapshot(
      `"tensor: small has no float64; it has float32."`,
    )
  })
})

describe('mixing', () => {
  it('backends is refused, by operators of any number of inputs', () => {
    const other = cpu()
    const [here, there] = [ones([2]), ones([2], { backend: other })]
    expect(sentence(() => add(here, there))).toMatchInlineSnapshot(
      `"add: inputs are on different backends: full#n [2] on cpu, full#n [2] on cpu. Move one with await to(backend, x)."`,
    )
    expect(sentence(() => where(greater(there, 0), here, 1))).toMatchInlineSnapshot(
      `"where: inputs are on different backends: greater#n [2] on cpu, full#n [2] on cpu. Move one with await to(backend, x)."`,
    )
    expect(sentence(() => grad((x: Tensor) => sum(mul(x, there)))(here))).toMatchInlineSnapshot(
      `"mul: inputs are on different backends: full#n [2] on cpu, full#n [2] on cpu. Move one with await to(backend, x)."`,
    )
    expect(list(add(there, 1))).toEqual([2, 2])
    expect(add(there, 1).backend).toBe(other)
  })

  it('element types is refused', () => {
    expect(sentence(() => add(ones([2]), f64(1, 2)))).toMatchInlineSnapshot(
      `"add: element types differ: a is float32, b is float64. Convert one with cast(x, dtype)."`,
    )
    expect(sentence(() => dense(ones([1, 2]), ones([2, 3], { dtype: 'float64' })))).toMatchInlineSnapshot(
      `"dense: element types differ: x is float32, weights is float64. Convert one with cast(x, dtype)."`,
    )
    expect(sentence(() => where(ones([1]), ones([1]), f64(1)))).toMatchInlineSnapshot(
      `"where: element types differ: a is float32, b is float64. Convert one with cast(x, dtype)."`,
    )
  })
})

describe('printing', () => {
  it('shows shape, type, backend and the first values', () => {
    expect(inspect(tensor([[1, 2.5], [-3, 1 / 3]]))).toMatchInlineSnapshot(
      `"Tensor [2,2] float32 cpu [[1, 2.5], [-3, 0.33333]]"`,
    )
    expect(inspect(tensor(NaN))).toMatchInlineSnapshot(`"Tensor [] float32 cpu NaN"`)
    expect(inspect({ w: zeros([0]) })).toMatchInlineSnapshot(`"{ w: Tensor [0] float32 cpu [] }"`)
    expect(`${tensor(new Int32Array(8))}`).toMatchInlineSnapshot(`"Tensor [8] int32 cpu [0, 0, 0, 0, 0, 0, …]"`)
    expect(inspect(zeros([8, 7, 1]))).toContain('…], …]')
    expect(tensor([1]).name()).toMatch(/^tensor#\d+ \[1\]$/)
  })

  it('works inside transforms and after a release', () => {
    const shown: string[] = []
    grad((x: Tensor) => { shown.push(inspect(mul(x, 2))); return sum(x) })(f64(1, 2))
    expect(shown).toEqual(['Tensor [2] float64 cpu [2, 4]'])
    let gone!: Tensor
    scope(() => { gone = ones([3]) })
    expect(inspect(gone).replaceAll(/#\d+/g, '#n')).toMatchInlineSnapshot(
      `"Tensor [3] float32 cpu (full#n [3] was released when scope() returned; return it to keep it)"`,
    )
  })
})

describe('to', () => {
  it('copies tensors to another backend and leaves the rest of the tree as it is', async () => {
    const other = cpu()
    const params = { w: f64(1, 2), b: [ones([1], { backend: other })], name: 'rule', none: null }
    const moved = await to(other, params)
    expect(moved).toMatchObject({ name: 'rule', none: null })
    expect([moved.w.backend, moved.w.dtype, list(moved.w)]).toEqual([other, 'float64', [1, 2]])
    expect(moved.b[0]).toBe(params.b[0])
    expect(list(params.w)).toEqual([1, 2])
    expect(list(add(moved.w, moved.w))).toEqual([2, 4])
    expect(memory(other).buffers).toBeGreaterThan(0)
  })

  it('refuses a type that the other backend lacks', async () => {
    const single = { ...cpu(), name: 'small', dtypes: ['float32'] as const }
    await expect(to(single, f64(1))).rejects.toThrow('tensor: small has no float64; it has float32.')
  })
})

describe('memory', () => {
  it('counts live buffers and bytes, their peak, and pooled bytes', () => {
    const backend = cpu()
    scope(() => {
      ones([100], { backend })
      expect(memory(backend)).toMatchObject({ buffers: 1, bytes: 400, pooledBytes: 0 })
    })
    expect(memory(backend)).toEqual({ buffers: 0, bytes: 0, peakBytes: 400, pooledBytes: 400 })
    backend.resetPeak()
    expect(memory(backend).peakBytes).toBe(0)
    scope(() => { ones([100], { backend }) })
    expect(memory(backend)).toMatchObject({ bytes: 0, pooledBytes: 400 })
    backend.trim()
    expect(memory(backend).pooledBytes).toBe(0)
  })

  it('keeps at most as many bytes as the pool may hold', () => {
    const backend = cpu({ poolBytes: 500 })
    scope(() => { ones([100], { backend }); ones([100], { backend }) })
    expect(memory(backend).pooledBytes).toBe(400)
  })

  it('is shared by views', () => {
    const x = f64(1, 2, 3, 4)
    expect(buffersAfter(() => reshape(x, [2, 2]))).toBe(0)
  })
})
