// The parts of an inspected step are those of the step itself.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { perceive } from '../../src/nca/perceive.ts'
import { customRule } from '../../src/nca/rule/define.ts'
import { alive, inspectStep, step, update } from '../../src/nca/step.ts'
import { key } from '../../src/tensor/key.ts'
import { add } from '../../src/tensor/ops/arithmetic.ts'
import { zeros } from '../../src/tensor/ops/create.ts'
import { fire } from '../../src/tensor/ops/fire.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { scenes } from './random-rule.ts'

const bits = (t: Tensor | null): unknown => t && { shape: t.shape, values: t.toArray() }

describe('inspectStep', () => {
  it('has the result of the step, bit for bit, and the values of perceive, update and the masks', () => {
    fc.assert(fc.property(scenes, ({ rule, params, x, n }) => {
      const context = { key: key(n), t: 0, angle: 0.3 }
      const parts = inspectStep(rule, params, x, context)
      expect(bits(parts.after)).toEqual(bits(step(rule, params, x, context)))
      expect(bits(parts.perception)).toEqual(bits(perceive(rule, params, parts.state, { angle: 0.3 })))
      expect(bits(parts.change)).toEqual(bits(update(rule, params, parts.perception)))
      expect(parts.hidden.map(h => h.shape.at(-1))).toEqual(rule.update.hidden)
      expect(bits(parts.pre)).toEqual(bits(rule.living?.when === 'both' ? alive(rule, parts.state) : null))
      expect(bits(parts.post)).toEqual(bits(alive(rule, parts.candidate)))
      if (rule.fireRate < 1 && !rule.inputMask) expect(bits(parts.fires)).toEqual(bits(fire(key(n), x, rule.fireRate)))
    }))
  })

  it('refuses a rule that is code', () => {
    const rule = customRule({ channels: { a: 1 }, init: () => ({}), step: (_, x) => add(x, 1) })
    expect(() => inspectStep(rule as never, {} as never, zeros([1, 2, 2, 1]), { key: key(0), t: 0 }))
      .toThrow('inspectStep: the rule is code, and only those of defineRule have parts.')
  })
})
