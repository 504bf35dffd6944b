// Numbers of a caller in the text of a shader: every number arrives unchanged.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import {
  apply, cpu, defineOp, defineRule, key, mlp, rollout, scope, tensor, type Backend, type Tensor,
} from '../../src/index.ts'
import { withFunctions } from '../../src/backends/wgsl/functions.ts'
import { literal, wholeLiteral } from '../../src/backends/wgsl/literal.ts'
import { long } from '../long.ts'
import { sharedGpu } from './gpu.ts'

const gpu = await sharedGpu()

const special = [0, -0, NaN, Infinity, -Infinity, 1e39, -1e39, 3.4e38, 1e21, -1e21, 1e-7, 1e-40, -1e-45, 2 ** 31, 0.1]

it('every float32 has a literal of the same bits', async () => {
  const numbers = fc.array(fc.oneof(fc.constantFrom(...special), fc.float()), { minLength: 40, maxLength: 40 })
  await fc.assert(fc.asyncProperty(numbers, async xs => {
    const written = (x: Tensor): Tensor => apply(defineOp<null>({
      name: 'written', infer: ([{ shape }]) => ({ shape, dtype: 'uint32' }), cpu: () => {}, vjp: null,
      wgsl: () => ({
        inputs: ['x'], threads: 1,
        source: `fn main(i: u32) { ${
          xs.map((v, k) => `out[${k}] = bitcast<u32>(${literal(v)});`).join(' ')} }`,
      }),
    }), [x], null)
    const bits = await scope(() => written(tensor(xs, { backend: gpu }))).data()
    const wanted = new Uint32Array(Float32Array.from(xs).buffer)
    expect([...bits].map((b, i) => (Number.isNaN(xs[i]) ? wanted[i] : b))).toEqual([...wanted])
  }), { numRuns: 5 })
})

it('whole numbers are written in digits, and nothing else is accepted as one', () => {
  fc.assert(fc.property(fc.nat(), n => { expect(Number(wholeLiteral(n))).toBe(n) }))
  for (const x of [-1, 0.5, NaN, Infinity, 2 ** 31, 1e21]) expect(() => wholeLiteral(x)).toThrow('no whole number')
})

it('a shader includes the functions that it calls, and prefers its own', () => {
  expect(withFunctions('fn main() { out[0] = greatest(x[0], 1); }')).toMatch(/fn greatest.*fn order.*fn main/s)
  expect(withFunctions('fn order(x: f32) -> f32 { return x; } fn main() { out[0] = order(x[0]); }')).toMatch(/^fn order/)
  expect(() => withFunctions('fn order(x: f32) -> f32 { return x; } fn main() { out[0] = greatest(x[0], 1); }'))
    .toThrow('a shader defines order, which other functions that it calls need')
})

it('thresholds of a fused rule may be any numbers: as on the CPU', async () => {
  const run = (above: number, masked: number, backend: Backend): Tensor => scope(() => {
    const rule = defineRule({
      channels: { a: 2 }, perceive: ['identity'], update: mlp(2, { activation: 'relu' }), fireRate: 1,
      living: { channel: 0, above }, inputMask: { channel: 1, above: masked },
    })
    const on = { backend }
    const update = {
      w1: tensor([[1, -1], [0.5, 1]], on), b1: tensor([-1, 0], on), w2: tensor([[1, -1], [2, 1]], on), b2: tensor([0, 1], on),
    }
    const x = tensor([0, 1, -1, 2, 3, 4, -5, -6, 0.5, -0, 2 ** 20, -7], { shape: [1, 2, 3, 2], ...on })
    return rollout(rule, { update }, x, key(0), { steps: 2 })
  })
  // Each pair is a text of its own, which takes seconds to compile.
  for (const [above, masked] of [[-1e39, -1e-45], [1e-40, -1e39], [-0, 1e21]].slice(0, long ? 3 : 1)) {
    expect(await run(above, masked, gpu).data(), `${above}, ${masked}`).toEqual(run(above, masked, cpu()).toArray())
  }
})
