/**
 * `cellgrad train`: a rule learns to grow a picture.
 */
import { existsSync } from 'node:fs'
import type { ArgsDef, CommandDef } from 'citty'
import { kebab, loadConfig } from './config-file.ts'
import { defaultOf, describe } from './config.ts'
import type { Config } from './config.ts'
import { createRun, openRun } from './run-folder.ts'
import { runTraining } from './training.ts'
import { toNumber, UsageError } from './usage.ts'
import type { Command, Given } from './usage.ts'

// Fields of the configuration that are flags too; the others are for a YAML file.
const fields = ['preset', 'size', 'padding', 'iterations', 'batch', 'seed', 'backend', 'saveEvery'] as const satisfies (keyof Config)[]
const words = ['preset', 'target', 'backend']
// What may change when a run goes on: the rest would make it another run.
const changeable = ['iterations', 'saveEvery']

const args: ArgsDef = {
  target: { type: 'positional', required: false, description: `${describe(['target']).description} (default: ${defaultOf('target')})` },
  ...Object.fromEntries(fields.map(name => [kebab(name), {
    type: 'string', valueHint: words.includes(name) ? 'name' : 'n', description: `${describe([name]).description} (default: ${defaultOf(name)})`,
  }])),
  config: { type: 'string', valueHint: 'file.yaml', description: 'More values, in the place of those of the preset; flags come last. See cellgrad config (default: none)' },
  out: { type: 'string', valueHint: 'folder', description: 'Folder for what comes of it (default: out/<target>-<n>)' },
  resume: { type: 'string', valueHint: 'folder', description: 'Go on with the run in this folder; only --iterations and --save-every may change (default: none)' },
}

const definition: CommandDef = {
  meta: { name: 'train', description: 'Train a neural cellular automaton to grow a picture' },
  args,
  async run({ args: parsed }) {
    const given = parsed as unknown as Given
    const flags = Object.fromEntries(['target', ...fields].flatMap(name => {
      const text = given[kebab(name)]
      return text === undefined ? [] : [[name, words.includes(name) ? text : toNumber(text)]]
    }))
    const { config: file, out, resume } = given
    if (resume !== undefined) {
      const other = [...Object.keys(flags).filter(name => !changeable.includes(name)), ...(file === undefined ? [] : ['config']), ...(out === undefined ? [] : ['out'])]
      if (other.length > 0) {
        throw new UsageError(`cellgrad train: ${other[0] === 'target' ? 'a target' : `--${kebab(other[0])}`} does not go with --resume, which goes on with the run as it is`)
      }
      if (!existsSync(resume)) throw new Error(`train: there is no folder ${resume}`)
      return runTraining(await openRun(resume, flags))
    }
    const config = await loadConfig({ file, flags, command: 'cellgrad train' })
    return runTraining(await createRun(config, out))
  },
}

export const train: Command = { definition }
