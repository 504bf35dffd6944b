/**
 * `cellgrad train`: a rule learns to grow a picture.
 */
import type { ArgDef, ArgsDef, CommandDef } from 'citty'
import { kebab, loadConfig } from './config-file.ts'
import { defaultOf, describe } from './config.ts'
import type { Config } from './config.ts'
import { resumeRun, startRun } from './training.ts'
import { toNumber, UsageError, verbose } from './usage.ts'
import type { Command, Given } from './usage.ts'

// Fields of the configuration that are flags too; the others are for a YAML file.
const fields = [
  'preset', 'size', 'padding', 'iterations', 'batch', 'seed', 'backend', 'threads', 'saveEvery',
] as const satisfies (keyof Config)[]
const words = ['preset', 'target', 'backend']
// What may change when a run goes on: the rest would make it another run.
const changeable = ['iterations', 'backend', 'threads', 'saveEvery']

const flag = (valueHint: string, description: string): ArgDef => ({ type: 'string', valueHint, description })
const about = (name: keyof Config): string => `${describe([name]).description} (default: ${defaultOf(name)})`

const args: ArgsDef = {
  target: { type: 'positional', required: false, description: about('target') },
  ...Object.fromEntries(fields.map(name => [kebab(name), flag(words.includes(name) ? 'name' : 'n', about(name))])),
  config: flag(
    'file.yaml',
    'Values that replace those of the preset; flags replace both. See cellgrad config (default: none)',
  ),
  out: flag('folder', 'Folder for what comes of it (default: out/<target>-<n>)'),
  resume: flag(
    'folder',
    'Go on with the run in this folder, maybe with other --iterations, --backend, --threads, --save-every '
      + '(default: none)',
  ),
  verbose,
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
      const [other] = Object.keys({ ...flags, ...(file && { config: file }), ...(out && { out }) })
        .filter(name => !changeable.includes(name))
      if (other !== undefined) {
        const what = other === 'target' ? 'a target' : `--${kebab(other)}`
        throw new UsageError(`cellgrad train: ${what} does not go with --resume, which goes on with the run as it is`)
      }
      return resumeRun(resume, flags, { verbose: Boolean(given.verbose) })
    }
    const config = await loadConfig({ file, flags, command: 'cellgrad train' })
    await startRun(config, { out, verbose: Boolean(given.verbose) })
  },
}

export const train: Command = { definition }
