/**
 * Data sets for tasks with many examples: they stay on the host, and only the examples of a batch are copied to the
 * backend.
 */
import { hostArray, type Data } from '../../backends/backend.ts'
import { check, isObject, isWhole } from '../../backends/options.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { place, tensor, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { channelCount } from '../rule/channels.ts'
import type { Channels } from '../rule/types.ts'
import { setChannels } from '../state.ts'

/** n arrays of one shape: `of(i)` are the numbers of the i-th, row by row. */
export type Examples = {
  readonly n: number
  readonly shape: readonly number[]
  readonly of: (i: number) => ArrayLike<number>
}

/**
 * Examples stored one after the other in one array.
 *
 * @param shape of each
 * @throws where the data are not a whole number of such arrays
 * @example examplesOf(images, [28, 28, 1])
 */
export function examplesOf(data: Data | Uint8Array, shape: readonly number[]): Examples {
  check(ArrayBuffer.isView(data), 'examplesOf', 'data', data, 'a typed array')
  check(Array.isArray(shape), 'examplesOf', 'shape', shape, 'the sizes of each example, like [28, 28, 1]')
  const size = shape.reduce((a, b) => a * b, 1)
  const n = data.length / size
  check(isWhole(n), 'examplesOf', 'the length of data', data.length, `a multiple of ${size}, ${shape.join('×')}`)
  return { n, shape, of: i => data.subarray(i * size, (i + 1) * size) }
}

/** Throws unless these are examples of so many axes. */
export function checkExamples(where: string, name: string, examples: Examples, rank: number): void {
  check(isObject(examples), where, name, examples, 'examples; make them with examplesOf(data, shape)')
  const { of, shape, n } = examples
  check(isWhole(n, 1), where, `${name}.n`, n, 'a whole number > 0')
  check(typeof of === 'function', where, `${name}.of`, of, 'a function; make one with examplesOf(data, shape)')
  const fits = Array.isArray(shape) && shape.length === rank && shape.every(size => isWhole(size, 1))
  check(fits, where, `${name}.shape`, shape, `${rank} whole numbers > 0`)
}

/** Some of the examples as a tensor `[ids.length, …shape]`. */
export function pick({ of, shape }: Examples, ids: readonly number[], placement: Placement): Tensor {
  const size = shape.reduce((a, b) => a * b, 1)
  const { dtype, backend } = place(placement, 'pick')
  const values: Data = hostArray(dtype, ids.length * size)
  ids.forEach((id, i) => values.set(of(id), i * size))
  return tensor(values, { shape: [ids.length, ...shape], backend })
}

/** States that are zero except for an input `[n,h,w,m]` in a role. */
export function statesOf(rule: { channels: Channels }, role: string, input: Tensor): Tensor {
  const empty = zeros([...input.shape.slice(0, -1), channelCount(rule.channels)], { like: input })
  return setChannels(rule, empty, { [role]: input })
}

/**
 * Some of the examples, in this order, with their labels if they have any. Nothing is copied.
 *
 * @throws where there is no such example
 * @example const { train, test } = splitExamples(key(0), images.n, 0.2)
 * const task = classificationTask(rule, subset(images, train))
 */
export function subset<E extends Examples & { readonly labels?: ArrayLike<number> }>(examples: E, ids: readonly number[]): E {
  const { n, of, labels } = examples
  const fits = Array.isArray(ids) && ids.length > 0 && ids.every(id => isWhole(id) && id < n)
  check(fits, 'subset', 'ids', ids, `a list of whole numbers from 0 to ${n - 1}`)
  return { ...examples, n: ids.length, of: (i: number) => of(ids[i]), ...(labels && { labels: ids.map(id => labels[id]) }) }
}
