// The shaders of three rules, as they are given to a GPU, to be read: snapshots/*.wgsl. After an intended change
// `npx vitest run tests/webgpu/snapshots.test.ts -u` writes them again, and the commit shows the difference.

import { expect, it } from 'vitest'
import { cpu, defineRule, depthwise, growingRule, mlp, recipes, zeros, type Backend, type DataRule } from '../../src/index.ts'
import { kernelsOf } from '../../src/backends/webgpu/program/kernels.ts'
import { divisions } from '../../src/backends/webgpu/program/sizes.ts'
import { arrange } from '../../src/nca/fused/arrange.ts'
import { channelCount } from '../../src/nca/rule/channels.ts'

// A CPU stands in for a GPU.
const multiples = { hidden: 4 * divisions.hardware.hiddenAtOnce, last: 4 }
const backend: Backend = { ...cpu(), runner: { ...cpu().runner!, multiples } }

const rules: Readonly<Record<string, DataRule>> = {
  growing: growingRule,
  digits: recipes.digits.rule,
  'learned-filters': defineRule({
    channels: { a: 6 }, padding: 'circular', perceive: ['identity', depthwise(2)], update: mlp([8, 8], { activation: 'tanh' }),
  }),
}

it.each(Object.entries(rules))('the shaders of %s are those in the snapshots', async (name, rule) => {
  const x = zeros([8, 32, 32, channelCount(rule.channels)], { backend })
  const { step, back } = kernelsOf(arrange(rule, x, 0).program, { uniform: 65536, storage: 2 ** 27 }, divisions.hardware)
  const text = [['one forward step', step], ['one backward step', back]] as const
  await expect(text.map(([what, { code }]) => `// ${name}: ${what}\n\n${code}`).join('\n'))
    .toMatchFileSnapshot(`./snapshots/${name}.wgsl`)
})
