// The sums that Look inside shows are right: for random rules, each sum of terms gives the number that the library has
// computed.

import fc from 'fast-check'
import {
  cast, channelNames, foldIn, inspectStep, key, mapTree, perceivedSum, perceptionNames, scope, updatedChannels, type DataParams,
  type Tensor,
} from 'cellgrad'
import { expect, it } from 'vitest'
import { cellNumbers, readParts, seenBy } from '../../studio/src/rooms/inside/cell.ts'
import type { Facts } from '../../studio/src/rooms/inside/commands.ts'
import { changeOf, digits, normOf, perceivedOf, unitOf, type Shown } from '../../studio/src/rooms/inside/terms.ts'
import { scenes } from '../nca/random-rule.ts'

const activate: Readonly<Record<string, (x: number, slope: number) => number>> = {
  relu: x => Math.max(x, 0), leakyRelu: (x, slope) => (x > 0 ? x : slope * x), tanh: Math.tanh,
  sigmoid: x => 1 / (1 + Math.exp(-x)), linear: x => x,
  silu: x => x / (1 + Math.exp(-x)), softplus: x => Math.log1p(Math.exp(x)),
  gelu: x => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
}

const total = ({ terms, bias }: Shown): number => terms.reduce((sum, { weight, value }) => sum + weight * value, bias)

it('sums give the numbers', async () => {
  await fc.assert(fc.asyncProperty(scenes, fc.nat(), async (scene, pick) => {
    const { rule, n } = scene
    const float32 = <T>(tree: T): T => mapTree(tree, leaf => cast(leaf as Tensor, 'float32'))
    const params = float32(scene.params) as DataParams, x = float32(scene.x)
    const parts = await readParts(scope(() => inspectStep(rule, params, x, { key: foldIn(key(n), 0), t: 0 })))
    const place = [pick % parts.width, Math.floor(pick / parts.width) % parts.height] as const
    const cell = cellNumbers(parts, ...place)
    const weights = Object.fromEntries(Object.entries(params.update).map(([name, t]) => [name, (t as Tensor).toArray() as Float32Array]))
    const { hidden, activation, lastActivation, residual, slope, norm } = rule.update
    const facts = {
      hidden, activation, lastActivation, residual, groups: norm?.groups ?? 1, weights, stepSize: rule.stepSize, changing: updatedChannels(rule), channels: channelNames(rule.channels),
      perception: perceptionNames(rule),
    } as unknown as Facts
    const near = (got: number, expected: number): void => {
      expect(Math.abs(got - expected)).toBeLessThanOrEqual(1e-4 * Math.max(1, Math.abs(expected)))
    }
    facts.changing.forEach((_, k) => near(rule.stepSize * activate[lastActivation](total(changeOf(facts, cell, k)), slope), cell.change[k]))
    hidden.forEach((units, i) => {
      const inputs = i === 0 ? normOf(cell.perception, 0, facts) : cell.hidden[i - 1]
      const sums = normOf(Float32Array.from({ length: units }, (_, j) => total(unitOf(facts, cell, i + 1, j))), i + 1, facts)
      sums.forEach((sum, j) => {
        const carried = residual && inputs.length === units ? inputs[j] : 0
        near(activate[activation](sum, slope) + carried, cell.hidden[i][j])
      })
    })
    for (let i = 0; i < facts.perception.length; i++) {
      const sum = await perceivedSum(rule, params, i)
      if (sum === null) continue
      const seen = seenBy(rule, parts, ...place, i, sum)
      expect(seen.value).toBe(cell.perception[i])
      near(activate[sum.activation](total(perceivedOf(facts, i, seen)), sum.slope), cell.perception[i])
    }
  }), { numRuns: 40 })
})

it.each([[0, '0'], [-0.00123, '−0.00123'], [1234.5, '1.2e3'], [-4e-7, '−4e−7'], [0.5, '0.5'], [12, '12'], [100, '100']])('%d is written %s', (x, text) => {
  expect(digits(x)).toBe(text)
})
