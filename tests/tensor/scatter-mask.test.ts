import { expect, it } from 'vitest'
import { scatterMask, zeros } from '../../src/index.ts'

it('scatterMask is 1 at the named cells', () => {
  const mask = scatterMask([2, 2, 3], [[0, 1, 2], [1, 0, 0], [0, 1, 2]])
  expect(mask.toString()).toBe('Tensor [2,2,3] uint32 cpu [[[0, 0, 0], [0, 0, 1]], [[1, 0, 0], [0, 0, 0]]]')
  expect(scatterMask([1, 2, 2], [], { like: zeros([1]) }).toArray()).toEqual(new Uint32Array(4))
})

it('scatterMask refuses cells that do not exist', () => {
  expect(() => scatterMask([1, 4, 4], [[0, 4, 0]])).toThrowErrorMatchingInlineSnapshot(`[Error: scatterMask: cell [0,4,0] is not in [1,4,4].]`)
  expect(() => scatterMask([1, 4, 4], [[0, 1.5, 0]])).toThrowErrorMatchingInlineSnapshot(`[Error: scatterMask: cell [0,1.5,0] is not in [1,4,4].]`)
  expect(() => scatterMask([1, 4, 4], [[1, 2]])).toThrowErrorMatchingInlineSnapshot(`[Error: scatterMask: cell [1,2] is not in [1,4,4].]`)
})
