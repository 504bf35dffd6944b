/**
 * `cellgrad config`: the configuration that a run would have, as YAML to edit, or the schema that it follows.
 */
import type { ArgsDef } from 'citty'
import { loadRunConfig } from '../input/config-file.ts'
import { runSchema, runYaml } from '../../experiment/tasks/values.ts'
import { command, flag, toggle, type Command } from '../input/command.ts'

const args: ArgsDef = {
  preset: flag('name', 'growing, persistent or regenerating (default: growing)'),
  config: flag('file.yaml', 'Values to use in the place of those of the preset (default: none)'),
  schema: toggle('Print the JSON Schema of the configuration instead'),
}

export const config: Command = command('config', 'Print the configuration of a training run as YAML', args, async given => {
  const { preset, config: file } = given.text
  if (given.has('schema')) return console.log(JSON.stringify(runSchema, null, 2))
  const flags = preset === undefined ? {} : { preset }
  const made = await loadRunConfig({ file, flags, command: given.command })
  process.stdout.write(runYaml(made))
})
