/**
 * `cellgrad start`, which `npm start` runs: a small picture, learned in a few minutes on any computer.
 */
import type { ArgsDef, CommandDef } from 'citty'
import { loadConfig } from './config-file.ts'
import { createRun } from './run-folder.ts'
import { runTraining } from './training.ts'
import { toNumber } from './usage.ts'
import type { Command, Given } from './usage.ts'

// The published experiment 2 in small: few cells, short rollouts, a small batch and rule, and a rate that is a little
// higher. In three minutes on a laptop this reaches a log10 loss of −2.9, which is sharp, and the pattern stays.
const small = {
  preset: 'persistent',
  size: 16,
  padding: 4,
  iterations: 800,
  batch: 2,
  pool: 16,
  steps: [32, 48],
  rule: { hiddenChannels: 8, hiddenUnits: 64 },
  optimiser: { rate: 3e-3 },
}

const args = {
  target: {
    type: 'positional',
    required: false,
    description: 'What to grow: an emoji, its name, or the path of a PNG file (default: 🦎)',
  },
  iterations: { type: 'string', valueHint: 'n', description: `Iterations of training (default: ${small.iterations})` },
  out: { type: 'string', valueHint: 'folder', description: 'Folder for what comes of it (default: out/<target>-<n>)' },
} satisfies ArgsDef

const definition: CommandDef = {
  meta: { name: 'start', description: 'See it work: train a small picture in a few minutes' },
  args,
  async run({ args: parsed }) {
    const { target, iterations, out } = parsed as unknown as Given
    const flags = {
      ...small,
      ...(target !== undefined && { target }),
      ...(iterations !== undefined && { iterations: toNumber(iterations) }),
    }
    await runTraining(await createRun(await loadConfig({ flags, command: 'cellgrad start' }), out))
  },
}

export const start: Command = { definition }
