// What rules predict for cells, and which predictions are wrong, computed by hand.

import { expect, it } from 'vitest'
import { mapOf, toldOutput, wrongClasses, wrongOutput, wrongValues } from '../../src/experiment/tasks/told.ts'
import { tensor } from '../../src/index.ts'
import { list } from '../tensor/values.ts'

it('classes except the background count, and are wrong where most runs predict another; masks by ½; values by the mean error', () => {
  const scores = tensor([[[[5, 1, 2], [0, 3, 1], [0, 1, 9]]]])
  expect(list(toldOutput('classes', scores))).toEqual([0, 0, 1, 0, 0, 1])
  expect(list(toldOutput('bce', tensor([[[[0], [Infinity]]]])))).toEqual([0.5, 1])
  expect(list(toldOutput('mse', scores))).toEqual(list(scores))

  // Shares of the runs: mostly background, mostly 1, mostly 2; wanted are the background, 2 and 2.
  const shares = tensor([[[[0.2, 0.2], [0.6, 0.4], [0, 0.8]]]])
  expect(list(wrongOutput('classes')(shares, tensor([[[[1, 0, 0], [0, 0, 1], [0, 0, 1]]]])))).toEqual([0, 1, 0])
  expect(list(wrongOutput('dice')(tensor([[[[0.9], [0.4], [0.6]]]]), tensor([[[[1], [1], [0]]]])))).toEqual([0, 1, 1])
  expect(list(wrongValues(tensor([[[[0, 0], [1, 0], [0, 4]]]]), tensor([[[[0, 0], [0, 0], [0, 0]]]])))).toEqual([0, 0, 1])
  // The second cell predicts nothing, so it does not count.
  expect(list(wrongClasses(tensor([[[[0.7, 0.3], [0, 0], [0.1, 0.9]]]]), tensor([[[0]]], { dtype: 'int32' })))).toEqual([0, -1, 1])
  expect(list(mapOf(tensor([[[[0, 0.5], [0.25, 0]]]])))).toEqual([0.5, 0.25])
})
