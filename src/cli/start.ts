/**
 * `cellgrad start`, which `npm start` runs: a picture learned in about two minutes.
 */
import type { ArgsDef, CommandDef } from 'citty'
import { loadConfig } from './config-file.ts'
import { startRun } from './training.ts'
import { toNumber, verbose } from './usage.ts'
import type { Command, Given } from './usage.ts'

// The published experiment 2 at its full size and with its rule, but with half the batch, shorter rollouts, a small pool
// and a quarter of the iterations: two minutes on two cores, a log10 loss of −2.7, and the pattern stays.
const short = {
  preset: 'persistent',
  padding: 8,
  iterations: 2000,
  batch: 4,
  pool: 32,
  steps: [40, 56],
  optimiser: { rate: { type: 'step', rate: 2e-3, at: [1600], factor: 0.2 } },
}

const args = {
  target: {
    type: 'positional',
    required: false,
    description: 'What to grow: an emoji, its name, or the path of a picture (default: 🦎)',
  },
  iterations: { type: 'string', valueHint: 'n', description: `Iterations of training (default: ${short.iterations})` },
  out: { type: 'string', valueHint: 'folder', description: 'Folder for what comes of it (default: out/<target>-<n>)' },
  verbose,
} satisfies ArgsDef

const definition: CommandDef = {
  meta: { name: 'start', description: 'See it work: learn a picture in about two minutes' },
  args,
  async run({ args: parsed }) {
    const given = parsed as unknown as Given
    const { target, iterations, out } = given
    const flags = {
      ...short,
      ...(target !== undefined && { target }),
      ...(iterations !== undefined && { iterations: toNumber(iterations) }),
    }
    const config = await loadConfig({ flags, command: 'cellgrad start' })
    await startRun(config, { out, verbose: Boolean(given.verbose) })
  },
}

export const start: Command = { definition }
