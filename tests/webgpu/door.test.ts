// Wrong arguments of a step, a rollout or a scan are refused by name, in the same sentence whether it would
// run fused or composed, on the CPU or on a GPU.

import fc from 'fast-check'
import { afterAll, expect, it } from 'vitest'
import {
  cpu, defineRule, grad, init, key, mlp, rollout, scan, scope, step, sum, zeros, type Backend, type DataParams,
  type DType, type Tensor,
} from '../../src/index.ts'
import { sentence } from '../tensor/values.ts'
import { openPoisoned } from './gpu.ts'

const gpu = await openPoisoned()
afterAll(() => gpu.close())

/** Each way to run a rollout: fused and composed, on the CPU and on a GPU. */
const paths: Record<string, Backend> = {
  fused: cpu({ threads: 1 }),
  composed: cpu({ simd: false }),
  'fused on a GPU': gpu,
  'composed on a GPU': Object.create(gpu, { runner: { value: undefined } }) as Backend,
}

const steps = 4
const rule = defineRule({ channels: { a: 2 }, perceive: ['identity', 'sobelX'], update: mlp(3) })

/** Options, each with a function that makes it on a backend. */
type Bad = { readonly name: string; readonly make: (backend: Backend) => unknown }

const nothing = fc.constantFrom(null, '1', {}, true, NaN, Infinity, -Infinity)
const fraction = fc.double({ min: 0.01, max: 99, noNaN: true }).filter(x => !Number.isInteger(x))
const below = (least: number): fc.Arbitrary<number> => fc.integer({ max: least - 1 })
const counts = fc.oneof(nothing, fraction, below(0))
const lengths = fc.oneof(nothing, fraction, below(1), fc.constantFrom(Math.sqrt(50), 'AUTO'))
const values = (name: string, arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Bad> =>
  arbitrary.map(value => ({ name, make: () => value }))

const shapes = fc.constantFrom([5, 5], [1, 5], [2, 5, 5], [1, 5, 5, 1], [])
/** A list of masks of which one does not fit. */
const masks: fc.Arbitrary<Bad> = fc.record({
  at: fc.nat(steps - 1),
  wrong: fc.oneof(
    shapes.map(shape => ({ shape, dtype: 'uint32' as DType })),
    fc.constantFrom<DType>('float32', 'int32').map(dtype => ({ shape: [1, 5, 5], dtype })),
    fc.constantFrom(undefined, 1, [[1]]).map(value => ({ value })),
  ),
}).map(({ at, wrong }) => ({
  name: 'masks',
  make: backend => Array.from({ length: steps }, (_, t) => {
    if (t === at && 'value' in wrong) return wrong.value
    const { shape, dtype } = t === at && 'shape' in wrong ? wrong : { shape: [1, 5, 5], dtype: 'uint32' as DType }
    return zeros(shape, { dtype, backend })
  }),
}))

const bad: fc.Arbitrary<Bad> = fc.oneof(
  values('steps', fc.oneof(counts, fc.integer({ min: 1_000_001 }), fc.constant(undefined))),
  values('checkpoint', lengths),
  values('from', fc.oneof(counts, fc.constant(2 ** 32 - steps + 1))),
  values('angle', nothing),
  values('inputs', fc.oneof(nothing, fc.constantFrom([], 3))),
  values('readouts', fc.oneof(nothing, fc.oneof(nothing, fraction, below(1), fc.integer({ min: steps + 1 })).map(n => [1, n]))),
  values('masks', fc.oneof(nothing, fc.constantFrom([], 3))),
  values('stepz', fc.integer()),
  masks,
)

it('refuses wrong options of a rollout, on all paths alike, differentiated or not', () => {
  fc.assert(fc.property(bad, fc.boolean(), ({ name, make }, differentiated) => {
    const said = Object.values(paths).map(backend => scope(() => {
      const params = init(rule, key(0), { backend })
      const run = (p: DataParams): Tensor =>
        sum(rollout(rule, p, zeros([1, 5, 5, 2], { backend }), key(1), { steps, [name]: make(backend) }))
      return sentence(() => (differentiated ? grad(run)(params) : run(params)))
    }))
    expect(said[0], name).toMatch(new RegExp(`^rollout: .*${name}.* (is .*, expected|did you mean) .*[.?]$`))
    expect(new Set(said)).toEqual(new Set([said[0]]))
  }))
})

it('refuses masks of another backend, and states and parameters that do not fit, on all paths alike', () => {
  const wrong: Record<string, { shape?: number[]; dtype?: DType; params?: (p: DataParams) => unknown }> = {
    rank: { shape: [5, 5, 2] },
    channels: { shape: [1, 5, 5, 3] },
    float64: { dtype: 'float64' },
    int32: { dtype: 'int32' },
    misspelt: { params: ({ update: { b2, ...update } }) => ({ update: { ...update, B2: b2 } }) },
    extra: { params: ({ update }) => ({ update: { ...update, note: 'x' } }) },
    shape: { params: ({ update }) => ({ update: { ...update, w2: update.w1 } }) },
  }
  for (const [name, { shape = [1, 5, 5, 2], dtype = 'float32', params = (p: DataParams) => p }] of Object.entries(wrong)) {
    const said = Object.values(paths).filter(({ dtypes }) => dtypes.includes(dtype)).map(backend => scope(() => {
      const given = params(init(rule, key(0), { backend })) as DataParams
      return sentence(() => rollout(rule, given, zeros(shape, { backend, dtype }), key(1), { steps }))
    }))
    expect(said[0], name).toMatch(/^rollout: /)
    expect(new Set(said), name).toEqual(new Set([said[0]]))
  }
  const elsewhere = Array.from({ length: steps }, () => zeros([1, 5, 5], { dtype: 'uint32', backend: cpu({ threads: 1 }) }))
  for (const backend of Object.values(paths)) {
    scope(() => {
      const run = (): unknown =>
        rollout(rule, init(rule, key(0), { backend }), zeros([1, 5, 5, 2], { backend }), key(1), { steps, masks: elsewhere })
      expect(run).toThrow(`rollout: masks[0] is on cpu, but the state is on another backend, ${backend.name}.`)
    })
  }
})

it('refuses wrong inputs', () => {
  const x = zeros([1, 5, 5, 2])
  const run = (): unknown => rollout(rule, init(rule, key(0)), x, key(1), { steps, inputs: () => undefined as never })
  expect(run).toThrow('setChannels: values is undefined, expected tensors by role.')
})

it('refuses the same for a step and a scan', () => {
  const x = zeros([1, 5, 5, 2])
  const params = init(rule, key(0))
  const said = (context: object): string => sentence(() => step(rule, params, x, { key: key(0), t: 0, ...context }))
  fc.assert(fc.property(lengths, nothing, counts, shapes, (checkpoint, angle, t, shape) => {
    const loop = (): unknown => scan((now: Tensor) => [now, 0] as const, x, 3, { checkpoint: checkpoint as number })
    expect(sentence(loop)).toMatch(/^scan: checkpoint is .*, expected /)
    expect(said({ angle })).toMatch(/^step: angle is .*, expected /)
    expect(said({ t })).toMatch(/^step: t is .*, expected /)
    expect(said({ mask: zeros(shape, { dtype: 'uint32' }) })).toMatch(/^step: mask is .*, expected a tensor \[1,5,5\] uint32\.$/)
    expect(said({ mask: zeros([1, 5, 5]) })).toMatch(/^step: mask is .* float32, expected /)
  }))
})
