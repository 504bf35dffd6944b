/**
 * `cellgrad start`, which `npm start` runs: a picture learned in about two minutes.
 */
import type { ArgsDef } from 'citty'
import { loadConfig } from '../input/config-file.ts'
import { say } from '../terminal/output.ts'
import { startRun } from '../run/begin.ts'
import { argument, command, flag, minutes, verbose, type Command } from '../input/command.ts'
import { toNumber } from '../input/usage.ts'

// Experiment 2 of Growing NCA with its full size and its rule, but half the batch, shorter rollouts, a small pool
// and a quarter of the iterations: two minutes on two cores, an error of 0.002, and the pattern persists.
const short = {
  preset: 'persistent',
  padding: 8,
  iterations: 2000,
  batch: 4,
  pool: 32,
  steps: [40, 56],
  optimiser: { rate: { type: 'step', rate: 2e-3, at: [1600], factor: 0.2 } },
}

const args: ArgsDef = {
  target: argument('What to grow: an emoji, its name, or the path of a picture (default: 🦎)'),
  iterations: flag('n', `Iterations of training (default: ${short.iterations})`),
  minutes,
  out: flag('folder', 'Folder for the results (default: out/<target>-<n>)'),
  verbose,
}

export const start: Command = command('start', 'See it work: learn a picture in about two minutes', args, async given => {
  const { target, iterations, out } = given.text
  const flags = {
    ...short,
    ...(target !== undefined && { target }),
    ...(iterations !== undefined && { iterations: toNumber(iterations) }),
  }
  const time = given.minutes()
  const config = await loadConfig({ flags, command: given.command })
  say(
    'A rule learns to grow a picture from one cell. At first there is that cell, then a blur, then a likeness that '
      + 'sharpens; the error ends near 0.002. '
      + (time || iterations ? '' : 'That takes about two minutes on two cores (--minutes 1 takes one). ')
      + 'Ctrl-C stops and saves what there is.',
  )
  await startRun(config, { out, minutes: time, verbose: given.has('verbose') })
})
