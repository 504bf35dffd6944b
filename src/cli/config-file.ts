/**
 * Where a configuration comes from: defaults < preset < YAML file < flags, and what is said about a mistake in it.
 *
 *   run.yaml:7: batch is "eight", expected a whole number > 0
 */
import type { Config } from '../experiment/config/schema.ts'
import { configOf } from '../experiment/config/values.ts'
import type { Values } from '../experiment/config/values.ts'
import { UsageError } from './usage.ts'
import { readYaml } from './yaml.ts'

/** Mistakes that are told at once; whoever makes more has mistaken the file. */
const mostSaid = 20

/** Where a configuration is taken from. */
export type Sources = {
  /** Path of a YAML file. */
  file?: string
  /** Values of flags by the name of their field. */
  flags?: Values
  /** The command, for messages about flags. */
  command?: string
}

/**
 * The configuration from these sources.
 *
 * @throws UsageError with a line for each mistake, which says where it is
 */
export async function loadConfig({ file, flags = {}, command = 'cellgrad' }: Sources): Promise<Config> {
  const yaml = file === undefined ? null : await readYaml(file)
  const checked = configOf(yaml?.values ?? {}, flags)
  if ('config' in checked) return checked.config
  const { mistakes } = checked
  const said = mistakes.slice(0, mostSaid).map(({ path, unknown, key, says }) => {
    const line = yaml?.lineOf(unknown === undefined ? path : [...path, unknown])
    const flag = Object.keys(flags).find(name => name === path[0])
    const source = line !== undefined ? `${file}:${line}` : Object.keys(flags).length > 0 ? 'configuration' : file
    if (unknown !== undefined) return `${source}: ${says}`
    return `${flag ? `${command}: --${kebab(flag)}` : `${source}: ${key}`} ${says}`
  })
  const more = mistakes.length - said.length
  throw new UsageError(...said, ...(more > 0 ? [`${file}: there are ${more} more mistakes`] : []))
}

/** saveEvery → save-every */
export function kebab(name: string): string {
  return name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
}
