// Random rules of the whole vocabulary, with states in which cells live and die.

import fc from 'fast-check'
import { record } from '../../src/backends/fields.ts'
import { mlpTable } from '../../src/nca/mlp.ts'
import type { PartKind } from '../../src/nca/perceptions/kind.ts'
import { kinds } from '../../src/nca/perceptions/kinds.ts'
import { channelCount, updatedChannels } from '../../src/nca/rule/channels.ts'
import { defineRule } from '../../src/nca/rule/define.ts'
import { init, perceptionSize } from '../../src/nca/rule/parameters.ts'
import type { DataParams, DataRule, Perception } from '../../src/nca/rule/types.ts'
import { filterNames } from '../../src/tensor/filters.ts'
import { foldIn, key } from '../../src/tensor/key.ts'
import { add } from '../../src/tensor/ops/arithmetic.ts'
import { paddings } from '../../src/backends/window.ts'
import { normal, uniform } from '../../src/tensor/ops/random.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { mapTree } from '../../src/tensor/tree.ts'
import { randomOf } from '../random-data.ts'
import { partsOf } from './perception-families.ts'

const few = fc.integer({ min: 1, max: 3 })
// States are 3 cells wide, which can be mirrored by 2.
const learned = kinds.map(kind => partsOf(kind as PartKind<object>, 2))
const parts = fc.oneof(
  { arbitrary: fc.constantFrom(...filterNames), weight: 2 * kinds.length },
  fc.record({ name: fc.constantFrom(...filterNames), factor: fc.constantFrom(16, 0.5, 0) }),
  ...learned.map((arbitrary, i) => ({ arbitrary, weight: kinds[i].windowSum ? kinds.length : 1 })),
) as fc.Arbitrary<Perception>

/** Rules of 1 to 9 channels in three roles, some of them empty and some frozen. */
export const rules: fc.Arbitrary<DataRule> = fc.record({
  channels: fc.record({ seen: few, goal: fc.nat(3), hidden: fc.nat(3) }),
  frozen: fc.constantFrom([], [], ['goal'], ['goal', 'hidden'], ['hidden'], ['seen']),
  perceive: fc.array(parts, { minLength: 1, maxLength: 4 }),
  update: randomOf(record(mlpTable)),
  stepSize: fc.constantFrom(1, 1, 0.5),
  noise: fc.constantFrom(null, null, { on: 'state', std: 0.02 } as const, { on: 'change', std: 0.1 } as const),
  bound: fc.constantFrom(null, null, { type: 'tanh' } as const, { type: 'clamp', low: -0.5, high: 1 } as const),
  inputMask: fc.constantFrom(null, null, { channel: 0, above: 0.05 }),
  fireRate: fc.constantFrom(0.5, 0.5, 1),
  padding: fc.constantFrom(...paddings),
  lives: fc.option(fc.nat(), { freq: 6 }),
})
  .filter(({ channels, frozen }) => updatedChannels({ channels, frozen }).length > 0)
  .map(({ lives, ...rest }) => {
    const updated = updatedChannels(rest)
    const when = lives !== null && lives % 3 === 0 ? 'after' : 'both'
    const living = lives === null ? null : { channel: updated[lives % updated.length], above: 0.1, when } as const
    const { norm } = rest.update
    const whole = norm && perceptionSize(rest) % norm.groups !== 0 ? { ...norm, groups: 1 } : norm
    return defineRule({ ...rest, update: { ...rest.update, norm: whole }, living })
  })

export type Scene = { rule: DataRule; params: DataParams; x: Tensor; n: number }

/** A rule, a state `[b,h,w,c]` with living and dead regions, and parameters under which both change; float64. */
export const scenes: fc.Arbitrary<Scene> = fc.record({
  rule: rules,
  b: fc.integer({ min: 1, max: 2 }),
  h: fc.integer({ min: 3, max: 9 }),
  w: fc.integer({ min: 3, max: 9 }),
  n: fc.nat(2 ** 31),
}).map(({ rule, b, h, w, n }) => {
  const k = key(n)
  let i = 0
  const params = mapTree(init(rule, foldIn(k, 0), { dtype: 'float64' }), leaf => {
    const p = leaf as Tensor
    return add(p, normal(foldIn(foldIn(k, 1), i++), p.shape, { like: p, std: 1 }))
  })
  const x = uniform(foldIn(k, 2), [b, h, w, channelCount(rule.channels)], { low: -1, high: 0.12, dtype: 'float64' })
  return { rule, params, x, n }
})
