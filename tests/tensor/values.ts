// Small helpers of the engine's tests.

import { expect } from 'vitest'
import { memory, tensor, type Tensor } from '../../src/index.ts'
import { defaultBackend } from '../../src/tensor/tensor.ts'

/** A float64 vector. */
export function f64(...values: number[]): Tensor {
  return tensor(new Float64Array(values))
}

/** A float64 number. */
export function scalar(value: number): Tensor {
  return tensor(value, { dtype: 'float64' })
}

export function list(x: Tensor): number[] {
  return [...x.toArray()]
}

/** Equal up to rounding, relative to the greater of 1 and the expected value. */
export function expectClose(actual: Tensor, expected: Tensor | readonly number[], within = 1e-12): void {
  const wanted = Array.isArray(expected) ? expected as number[] : list(expected as Tensor)
  const got = list(actual)
  expect(got.length).toBe(wanted.length)
  wanted.forEach((v, i) => expect(Math.abs(got[i] - v), `element ${i}: ${got[i]}, expected ${v}`).toBeLessThanOrEqual(within * Math.max(1, Math.abs(v))))
}

/** The message of what `fn` throws, with tensor numbers replaced by n. */
export function sentence(fn: () => unknown): string {
  try {
    fn()
  } catch (error) {
    return (error as Error).message.replaceAll(/#\d+/g, '#n')
  }
  throw new Error('nothing was thrown')
}

/** The number of buffers that are alive after `fn` beyond those before. */
export function buffersAfter(fn: () => unknown): number {
  const before = memory().buffers
  fn()
  return memory().buffers - before
}

/** The most bytes alive at any time during `fn`, beyond those before. */
export function peakOf(fn: () => unknown): number {
  const before = memory().bytes
  defaultBackend.resetPeak()
  fn()
  return memory().peakBytes - before
}
