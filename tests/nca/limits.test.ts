// Every number of a rule has a bound that is checked before anything is allocated: a description of some hundred bytes
// costs neither memory nor time, whatever it contains.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  attention, conv, customRule, defineRule, deformable, depthwise, growingRule, init, key, mlp, paramShapes,
  residualConv, rollout, seed, type DataRule,
} from '../../src/index.ts'
import { configOf } from '../../src/experiment/config/values.ts'
import { most } from '../../src/nca/rule/limits.ts'
import { sentence } from '../tensor/values.ts'

const whole = {
  type: 'data', grid: 2, channels: { rgba: 4, hidden: 12 }, stepSize: 1, fireRate: 0.5, living: null, inputMask: null,
  noise: null, bound: null, padding: 'zero', frozen: [],
  perceive: ['identity', depthwise(2), conv(8), residualConv(8), attention(8, { heads: 2, feedForward: 4 }), deformable(4)],
  update: mlp([16, 8]),
}

/** The paths of all numbers in a tree that count something. */
function counts(tree: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof tree === 'number') return Number.isInteger(tree) ? [path] : []
  if (typeof tree !== 'object' || tree === null) return []
  return Object.entries(tree).flatMap(([name, x]) => counts(x, [...path, name]))
}

const paths = counts(whole).filter(([first]) => !['grid', 'stepSize'].includes(first)).filter(path => path.at(-1) !== 'lastStd')

function withNumber(tree: unknown, [name, ...rest]: readonly string[], n: number): unknown {
  if (name === undefined) return n
  const copy = structuredClone(tree) as Record<string, unknown>
  copy[name] = withNumber(copy[name], rest, n)
  return copy
}

describe('the numbers of a rule', () => {
  it('are refused by name if they are out of bounds', () => {
    expect(paths.length).toBeGreaterThan(15)
    const far = fc.oneof(fc.integer({ min: 100_000, max: 2 ** 31 }), fc.constantFrom(1e9, 2 ** 32, 2 ** 53 - 1))
    fc.assert(fc.property(fc.constantFrom(...paths), far, (path, n) => {
      const said = sentence(() => defineRule(withNumber(whole, path, n) as DataRule))
      expect(said).toMatch(new RegExp(`^rule: .*${path.filter(name => !/^\d+$/.test(name)).at(-1)}(\\[\\d+\\])? is .*, expected |^rule: the number of `))
    }))
  })

  it('give shapes that can be listed if they are within bounds', () => {
    const near = fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 70_000 }))
    fc.assert(fc.property(fc.array(fc.tuple(fc.constantFrom(...paths), near), { maxLength: 4 }), changes => {
      const given = changes.reduce<unknown>((tree, [path, n]) => withNumber(tree, path, n), whole)
      let rule: DataRule
      try {
        rule = defineRule(given as DataRule)
      } catch (error) {
        expect((error as Error).message).toMatch(/^rule: .*, expected .*\.$/)
        return
      }
      const weights = Object.values(paramShapes(rule)).map(shape => shape.reduce((a, b) => a * b, 1))
      expect(weights.reduce((a, b) => a + b)).toBeLessThanOrEqual(most.parameters)
    }))
  })

  it('are bounded together, too', () => {
    const rule = (more: object): string => sentence(() => defineRule({ ...growingRule, ...more }))
    expect([
      rule({ channels: { rgba: 4, hidden: 4000, more: 4000 } }),
      rule({ perceive: new Array(257).fill('identity') }),
      rule({ update: mlp([60_000, 60_000]) }),
      sentence(() => mlp(new Array<number>(257).fill(1))),
      sentence(() => conv(8, { dilation: 1e9 })),
      sentence(() => conv(8, { size: 127, dilation: 2 })),
      sentence(() => depthwise(1, { size: 129 })),
      sentence(() => customRule({ channels: { a: 1e9 }, init: () => ({}), step: (_, x) => x })),
      sentence(() => seed(growingRule, { height: 100_000, width: 100_000 })),
      sentence(() => rollout(growingRule, init(growingRule, key(0)), seed(growingRule, { height: 3, width: 3 }), key(0), { steps: 1e9 })),
    ]).toMatchInlineSnapshot(`
      [
        "rule: the number of channels is 8004, expected at most 4096.",
        "rule: perceive is ["identity", "identity", "identity", "identity", "identity", "identity", …], expected a list of 1 to 256 parts, filters like 'sobelX' or learned ones like conv(80).",
        "rule: the number of its parameters is 3603960016, expected at most 67108864.",
        "mlp: hidden is [1, 1, 1, 1, 1, 1, …], expected a whole number from 1 to 65536, or a list of 1 to 256 layers.",
        "conv: dilation is 1000000000, expected at most 63, for a window of at most 127 cells.",
        "conv: dilation is 2, expected at most 1, for a window of at most 127 cells.",
        "depthwise: size is 129, expected an odd number from 1 to 127, or a list of 1 to 3 odd numbers, one for each axis.",
        "customRule: channels.a is 1000000000, expected a whole number from 0 to 4096.",
        "seed: the size of 1 × 100000 × 100000 cells of 16 channels is 160000000000, expected at most 1073741824.",
        "rollout: steps is 1000000000, expected a whole number from 0 to 1000000.",
      ]
    `)
  })

  it('have the same bounds in a YAML file', () => {
    const issue = (rule: object): string => {
      const result = configOf({ rule })
      return 'mistakes' in result ? result.mistakes.map(({ key, expected }) => `${key}: ${expected}`).join(', ') : 'accepted'
    }
    expect([
      issue({ channels: { rgba: 4, hidden: 10_000_000 } }), issue({ update: { hidden: 10_000_000 } }), issue({ update: { hidden: [8, 1e9] } }),
      issue({ perceive: [{ type: 'conv', outputs: 1e9 }] }), issue({ perceive: [{ type: 'conv', outputs: 8, dilation: 1e9 }] }),
      issue({ perceive: [{ type: 'depthwise', filters: 2, size: 1001 }] }), issue({ perceive: new Array(257).fill('identity') }),
    ]).toMatchInlineSnapshot(`
      [
        "rule.channels.hidden: a whole number from 0 to 4096",
        "rule.update.hidden: a whole number from 1 to 65536, or a list of 1 to 256 layers",
        "rule.update.hidden[1]: a whole number from 1 to 65536",
        "rule.perceive[0].outputs: a whole number from 1 to 65536",
        "rule.perceive[0].dilation: at most 63, for a window of at most 127 cells",
        "rule.perceive[0].size: an odd number from 1 to 127, or a list of 1 to 3 odd numbers, one for each axis",
        "rule.perceive: a list of 1 to 256 parts, filters like 'sobelX' or learned ones like conv(80)",
      ]
    `)
  })
})
