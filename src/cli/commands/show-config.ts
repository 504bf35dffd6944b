/**
 * `cellgrad config`: the configuration that a run would have, as YAML to edit, or the schema that it follows.
 */
import type { ArgsDef, CommandDef } from 'citty'
import { loadRunConfig } from '../input/config-file.ts'
import { runSchema, runYaml } from '../../experiment/tasks/values.ts'
import type { Command } from '../input/usage.ts'

const args = {
  preset: { type: 'string', valueHint: 'name', description: 'growing, persistent or regenerating (default: growing)' },
  config: {
    type: 'string',
    valueHint: 'file.yaml',
    description: 'Values to use in the place of those of the preset (default: none)',
  },
  schema: { type: 'boolean', description: 'Print the JSON Schema of the configuration instead (default: false)' },
} satisfies ArgsDef

const definition: CommandDef = {
  meta: { name: 'config', description: 'Print the configuration of a training run as YAML' },
  args,
  async run({ args: { preset, config, schema } }) {
    if (schema) return console.log(JSON.stringify(runSchema, null, 2))
    const flags = preset === undefined ? {} : { preset }
    const file = config as string | undefined
    const made = await loadRunConfig({ file, flags, command: 'cellgrad config' })
    process.stdout.write(runYaml(made))
  },
}

export const config: Command = { definition }
