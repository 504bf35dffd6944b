/**
 * `cellgrad config`: the configuration that a run would have, as YAML to edit, or the schema that it follows.
 */
import type { ArgsDef } from 'citty'
import { didYouMean } from '../../backends/options.ts'
import { bundledExperiments } from '../../node/assets.ts'
import { experimentFile, loadRunConfig } from '../input/config-file.ts'
import { runSchema, runYaml } from '../../experiment/tasks/values.ts'
import { argument, command, flag, toggle, type Command } from '../input/command.ts'

const args: ArgsDef = {
  experiment: argument('An experiment, a .yaml or .json file or a bundled one: digits, texture, emoji, learned-filters, brain (default: the growing of a picture)'),
  preset: flag('name', 'growing, persistent or regenerating (default: growing)'),
  config: flag('file.yaml', 'Values that replace those of the preset (default: none)'),
  set: flag('key=value', 'A value that overrides all others, by its path: train.rate=1e-3; may be given several times (default: none)'),
  schema: toggle('Print the JSON Schema of the configuration instead'),
}

export const config: Command = command('config', 'Print the configuration of a training run as YAML', args, async given => {
  const { preset, experiment, config: values } = given.text
  if (given.has('schema')) return console.log(JSON.stringify(runSchema, null, 2))
  const flags = preset === undefined ? {} : { preset }
  const named = experiment === undefined ? undefined : await experimentFile(experiment)
  if (experiment !== undefined && named === undefined) return given.refuse(`${JSON.stringify(experiment)} is no .yaml or .json file, and no bundled experiment${didYouMean(experiment, (await bundledExperiments()).map(({ name }) => name))}`)
  if (named !== undefined && values !== undefined) return given.refuse(`${experiment} does not go with --config, which names a file too`)
  const made = await loadRunConfig({ file: named ?? values, flags, set: given.set(), command: given.command })
  process.stdout.write(runYaml(made))
})
