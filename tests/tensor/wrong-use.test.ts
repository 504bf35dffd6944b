// The errors for wrong use of operators: what, where, got, expected.

import { inspect } from 'node:util'
import { expect, it } from 'vitest'
import * as cg from '../../src/index.ts'
import { sentence } from './values.ts'

// As JavaScript sees it: nothing has a type.
const lib = cg as unknown as Record<string, (...args: unknown[]) => never>
const { key, ones, range, tensor, zeros } = cg

/** The sentences of calls, by the call. */
function said(calls: Record<string, () => unknown>): Record<string, string> {
  return Object.fromEntries(Object.entries(calls).map(([call, fn]) => [call, sentence(fn)]))
}

it('says what is wrong with keys', () => {
  const calls = { foldIn: [0], bitsAt: [0, 0], uniformAt: [0], split: [], drawInteger: [0, 4], drawPermutation: [4], drawChoice: [4, 2], uniform: [[2]], bits: [[2]], fire: [zeros([1, 2, 2, 1]), 0.5] }
  for (const [name, args] of Object.entries(calls)) {
    for (const [k, shown] of [[0, '0'], [[1.5, 2], '[1.5, 2]'], [undefined, 'undefined'], [[0, 1, 2], '[0, 1, 2]']] as const) {
      expect(sentence(() => lib[name](k, ...args))).toBe(`${name}: the key is ${shown}, expected a key; make one with key(0).`)
    }
  }
  expect(sentence(() => lib.split(key(0), 1.5))).toMatchInlineSnapshot(`"split: n is 1.5, expected a whole number ≥ 0."`)
})

it('says what is wrong with operands', () => {
  const x = ones([3])
  const mask = ones([3], { dtype: 'uint32' })
  for (const wrong of [[1, 2, 3], undefined, null, '1', true]) expect(() => lib.add(x, wrong)).toThrow(/^add: b is .+, expected a tensor or a number\.$/)
  expect(said({
    list: () => lib.add(x, [1, 2, 3]),
    text: () => lib.mul('1', x),
    less: () => lib.less(x, null),
    where: () => lib.where(mask, x, true),
    condition: () => lib.where(true, x, x),
    fraction: () => cg.add(range(3), 0.5),
    compared: () => cg.greater(0.5, range(3)),
    negative: () => cg.add(mask, -1),
    wraps: () => cg.sub(mask, 1),
    neg: () => cg.neg(mask),
    div: () => cg.div(range(3), 2),
    square: () => lib.square(3),
    cast: () => lib.cast(x, 'float16'),
    castNothing: () => lib.cast(x),
  })).toMatchInlineSnapshot(`
    {
      "cast": "cast: dtype is "float16", expected 'float32', 'float64', 'int32' or 'uint32'; did you mean "float32"?",
      "castNothing": "cast: dtype is undefined, expected an element type, like 'int32'.",
      "compared": "greater: a is 0.5, which int32 cannot hold. Convert the tensor with cast(x, 'float32').",
      "condition": "where: the condition is true, expected a tensor.",
      "div": "div: a is int32, whose quotients are no whole numbers. Convert it with cast(x, 'float32').",
      "fraction": "add: b is 0.5, which int32 cannot hold. Convert the tensor with cast(x, 'float32').",
      "less": "less: b is null, expected a tensor or a number.",
      "list": "add: b is [1, 2, 3], expected a tensor or a number.",
      "neg": "neg: x is uint32, which holds nothing below 0. Convert it with cast(x, 'int32').",
      "negative": "add: b is -1, which uint32 cannot hold. Convert the tensor with cast(x, 'float32').",
      "square": "square: x is 3, expected a tensor.",
      "text": "mul: a is "1", expected a tensor or a number.",
      "where": "where: b is true, expected a tensor or a number.",
      "wraps": "sub: a is uint32, which holds nothing below 0. Convert it with cast(x, 'int32').",
    }
  `)
  expect([...cg.sub(1, mask).toArray()]).toEqual([0, 0, 0])
  expect([...cg.less(1, range(3)).toArray()]).toEqual([0, 0, 1])
})

it('says what is wrong with shapes and values', () => {
  expect(said({
    zeros: () => lib.zeros(3),
    fraction: () => zeros([1.5]),
    negative: () => ones([-1]),
    swapped: () => lib.full(0.5, [2, 3]),
    value: () => lib.full([2], '0'),
    type: () => cg.full([2], 0.5, { dtype: 'int32' }),
    range: () => range(-1),
    uniform: () => lib.uniform(key(0), 4),
    broadcastTo: () => lib.broadcastTo(ones([2]), 4),
    reshape: () => cg.reshape(ones([6]), [-1, 4]),
    twoUnknown: () => cg.reshape(ones([6]), [-1, -1]),
    noList: () => lib.reshape(ones([6]), 6),
  })).toMatchInlineSnapshot(`
    {
      "broadcastTo": "broadcastTo: the shape is 4, expected a list of whole numbers ≥ 0.",
      "fraction": "zeros: the shape is [1.5], expected a list of whole numbers ≥ 0.",
      "negative": "ones: the shape is [-1], expected a list of whole numbers ≥ 0.",
      "noList": "reshape: the shape is 6, expected a list of whole numbers ≥ 0.",
      "range": "range: n is -1, expected a whole number ≥ 0.",
      "reshape": "reshape: 6 elements do not divide by 4, so there is no [-1,4]; x [6].",
      "swapped": "full: the shape is 0.5, expected a list of whole numbers ≥ 0.",
      "twoUnknown": "reshape: only one size may be −1, got [-1,-1]; x [6].",
      "type": "full: the value is 0.5, expected a number that int32 can hold.",
      "uniform": "uniform: the shape is 4, expected a list of whole numbers ≥ 0.",
      "value": "full: the value is "0", expected a number.",
      "zeros": "zeros: the shape is 3, expected a list of whole numbers ≥ 0.",
    }
  `)
})

it('says what is wrong with host values', () => {
  expect(said({
    text: () => lib.tensor('abc'),
    texts: () => lib.tensor(['a']),
    booleans: () => lib.tensor([true]),
    tensors: () => lib.tensor([tensor(1)]),
    nothing: () => lib.tensor(null),
    big: () => lib.tensor(new BigInt64Array(2)),
    short: () => lib.tensor(new Int16Array(2)),
    fraction: () => tensor([1.7], { dtype: 'int32' }),
    tooGreat: () => tensor(new Float32Array([2 ** 32]), { dtype: 'uint32' }),
    shape: () => lib.tensor([1], { shape: 1 }),
  })).toMatchInlineSnapshot(`
    {
      "big": "tensor: the list is BigInt64Array, expected one of Float32Array, Float64Array, Int32Array, Uint32Array.",
      "booleans": "tensor: a value is true, expected a number or a list of numbers.",
      "fraction": "tensor: a value is 1.7, expected a number that int32 can hold.",
      "nothing": "tensor: a value is null, expected a number or a list of numbers.",
      "shape": "tensor: the shape is 1, expected a list of whole numbers ≥ 0.",
      "short": "tensor: the list is Int16Array, expected one of Float32Array, Float64Array, Int32Array, Uint32Array.",
      "tensors": "tensor: a value is a tensor [] float32, expected a number or a list of numbers.",
      "text": "tensor: a value is "abc", expected a number or a list of numbers.",
      "texts": "tensor: a value is "a", expected a number or a list of numbers.",
      "tooGreat": "tensor: a value is 4294967296, expected a number that uint32 can hold.",
    }
  `)
})

it('says what is wrong with axes, lists and indices', () => {
  const x = ones([2, 3])
  expect(said({
    sum: () => lib.sum(x, { axis: 0 }),
    softmax: () => cg.softmax(x, 2),
    mean: () => cg.mean(x, 2),
    concat: () => lib.concat(x, x),
    entry: () => lib.concat([x, 1]),
    stack: () => lib.stack(x),
    gather: () => lib.gather(x, range(2), 0),
    scatter: () => lib.scatter(x, range(2), 0, 2),
    noTensor: () => lib.argMax([1, 2]),
    sizes: () => lib.splitAxis(x, 3),
    transpose: () => lib.transpose(x, 1, 0),
    slice: () => lib.slice(x, 0, 1),
    pad: () => lib.pad(x, [1, 1]),
    scatterMask: () => lib.scatterMask([2, 2], [0, 1]),
  })).toMatchInlineSnapshot(`
    {
      "concat": "concat: the first argument is a tensor [2,3] float32, expected a list of tensors.",
      "entry": "concat: list[1] is 1, expected a tensor.",
      "gather": "gather: the list of indices is a tensor [2] int32, expected a list of numbers (takeAlong and putAlong take tensors).",
      "mean": "mean: there is no axis 2 in a tensor of rank 2.",
      "noTensor": "argMax: x is a Array, expected a tensor.",
      "pad": "pad: the list of widths is [1, 1], expected a pair [before, after] for each axis.",
      "scatter": "scatter: the list of indices is a tensor [2] int32, expected a list of numbers (takeAlong and putAlong take tensors).",
      "scatterMask": "scatterMask: the list of cells is [0, 1], expected a list of positions.",
      "sizes": "splitAxis: the list of sizes is 3, expected a list of whole numbers ≥ 0.",
      "slice": "slice: the start is 0, expected a list of one number per axis.",
      "softmax": "softmax: there is no axis 2 in a tensor of rank 2.",
      "stack": "stack: the first argument is a tensor [2,3] float32, expected a list of tensors.",
      "sum": "sum: the axis is {axis: 0}, expected a whole number.",
      "transpose": "transpose: the order is 1, expected a list of axes.",
    }
  `)
})

it('says what is wrong with layers and windows', () => {
  const x = ones([1, 4, 4, 2])
  const rows = ones([1, 4, 4])
  const kernel = ones([3, 3, 2, 2])
  expect(said({
    bias: () => cg.dense(x, ones([2, 3]), { bias: ones([3], { dtype: 'float64' }) }),
    denseRows: () => cg.dense(x, ones([2, 3]), { mask: rows }),
    denseShape: () => cg.dense(x, ones([2, 3]), { mask: ones([1, 4], { dtype: 'uint32' }) }),
    convBias: () => cg.conv2d(x, kernel, { bias: ones([2], { dtype: 'float64' }) }),
    convRows: () => cg.conv2d(x, kernel, { mask: rows }),
    depthwiseRows: () => cg.depthwiseConv(x, kernel, { mask: rows }),
    padding: () => lib.conv2d(x, kernel, { padding: 'valid' }),
    filterPadding: () => lib.filter(x, 'mean', { padding: 'same' }),
    pooling: () => lib.maxPool(x, 3, { padding: 'none' }),
    poolingBy: () => lib.maxPool(x, x),
    mode: () => lib.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], { mode: 'edge' }),
    filter: () => lib.filter(x, undefined),
    filterKernel: () => lib.filterKernel('mean', 2),
    noKernel: () => lib.conv2d(x, [1]),
    matmul: () => cg.matmul(ones([2, 3]), ones([2, 3])),
    matmulRank: () => cg.matmul(ones([2, 3]), ones([3])),
    matmulMany: () => cg.matmul(ones([4, 2, 3]), ones([3, 2])),
    matmulLead: () => cg.matmul(ones([4, 2, 3]), ones([5, 3, 2])),
    matmulType: () => cg.matmul(ones([2, 3]), ones([3, 2], { dtype: 'float64' })),
  })).toMatchInlineSnapshot(`
    {
      "bias": "dense: element types differ: x is float32, weights is float32, bias is float64. Convert one with cast(x, dtype).",
      "convBias": "conv2d: element types differ: x is float32, kernel is float32, bias is float64. Convert one with cast(x, dtype).",
      "convRows": "conv2d: the cell mask is float32, but must be uint32, 0 or 1. Comparisons make one: greater(x, 0).",
      "denseRows": "dense: the cell mask is float32, but must be uint32, 0 or 1. Comparisons make one: greater(x, 0).",
      "denseShape": "dense: the cell mask must be [1,4,4]; mask [1,4].",
      "depthwiseRows": "depthwiseConv: the cell mask is float32, but must be uint32, 0 or 1. Comparisons make one: greater(x, 0).",
      "filter": "filterKernel: a filter is undefined, expected one of identity, sobelX, sobelY, laplacian, scharrX, scharrY, gaussian, mean.",
      "filterKernel": "filterKernel: the list is "mean", expected a list of filters.",
      "filterPadding": "filter: padding is "same", expected 'zero', 'circular', 'reflect' or 'replicate'.",
      "matmul": "matmul: a has 3 columns, b has 2 rows; a [2,3], b [2,3].",
      "matmulLead": "matmul: the axes before the last two differ; a [4,2,3], b [5,3,2].",
      "matmulMany": "matmul: the axes before the last two differ; a [4,2,3], b [3,2]. One matrix for all is dense(a, b).",
      "matmulRank": "matmul: b must be [k,m] or […,k,m]; a [2,3], b [3].",
      "matmulType": "matmul: element types differ: a is float32, b is float64. Convert one with cast(x, dtype).",
      "mode": "pad: mode is "edge", expected 'zero', 'circular', 'reflect' or 'replicate'.",
      "noKernel": "conv2d: the kernel is a Array, expected a tensor.",
      "padding": "conv2d: padding is "valid", expected 'zero', 'circular', 'reflect' or 'replicate'.",
      "pooling": "maxPool: padding is "none", expected 'zero', 'circular', 'reflect' or 'replicate'.",
      "poolingBy": "maxPool: k is a tensor [1,4,4,2] float32, expected a number of cells, or two.",
    }
  `)
})

it('says that a tensor is no number', () => {
  const x = tensor(2) as unknown as number
  expect(said({ greater: () => x > 0, plus: () => x + 1, unary: () => -x })).toMatchInlineSnapshot(`
    {
      "greater": "a tensor is no number: tensor#n [] in an expression; use greater, add, …, or await x.item().",
      "plus": "a tensor is no number: tensor#n [] in an expression; use greater, add, …, or await x.item().",
      "unary": "a tensor is no number: tensor#n [] in an expression; use greater, add, …, or await x.item().",
    }
  `)
  expect(`${x}`).toBe('Tensor [] float32 cpu 2')
})

it('prints whole numbers as they are', () => {
  expect(inspect(tensor(new Uint32Array([4070200123])))).toBe('Tensor [1] uint32 cpu [4070200123]')
  expect(inspect(tensor([123456, 0.123456]))).toBe('Tensor [2] float32 cpu [123456, 0.12346]')
})
