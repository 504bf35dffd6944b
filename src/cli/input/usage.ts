/**
 * What a user may type, and what is said when it cannot be understood: a line for each mistake, status 2.
 */
import { parseArgs } from 'node:util'
import type { ArgDef, ArgsDef, CommandDef } from 'citty'
import { parse } from 'yaml'
import { didYouMean, inLine } from '../../backends/options.ts'
import { withValue } from '../../experiment/flat.ts'
import type { Json, JsonObject } from '../../experiment/flat.ts'
import { WriteError } from '../../node/atomic-file.ts'

/** What went wrong, in one or more lines. They are printed one by one: a line break inside of a line is escaped. */
export class Failure extends Error {
  readonly lines: readonly string[]
  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(lines.join('\n'), options)
    this.lines = lines
  }
}

/** A command line or a configuration that cannot be understood: one mistake a line. */
export class UsageError extends Failure {
  override readonly name = 'UsageError'
  constructor(...lines: readonly string[]) {
    super(lines)
  }
}

/** The status where a file could not be written: EX_IOERR of sysexits.h. A sweep stops then, it is not the run's fault. */
export const unwritten = 74

/** Whether an error comes from a file that could not be written, or a folder that could not be made on a full disk. */
export function isUnwritten(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const isDisk = ['ENOSPC', 'EDQUOT', 'EROFS'].includes((error as NodeJS.ErrnoException).code!)
  return isDisk || error instanceof WriteError || isUnwritten(error.cause)
}

/** A command as `command-line.ts` runs it. */
export type Command = {
  readonly definition: CommandDef
  /** Flags that may stand without a value, and the value that they then have. */
  readonly implied?: Readonly<Record<string, string>>
}

/** The flag of all commands that train. */
export const verbose: ArgDef = { type: 'boolean', description: 'Describes the rule and how it is computed (default: false)' }

/** Another one. */
export const minutes: ArgDef = {
  type: 'string',
  valueHint: 'n',
  description: 'As many iterations as fit into so many minutes, with schedules to match, in the place of --iterations; '
    + 'measured once, at the beginning (default: none)',
}

/** The minutes that were given. Throws where there are iterations too. */
export function minutesOf(command: string, given: Given): number | undefined {
  if (given.minutes === undefined) return undefined
  if (given.iterations !== undefined) throw new UsageError(`${command}: --minutes does not go with --iterations`)
  return numberFlag(command, given, 'minutes', 0, { least: 0.01, most: 100_000, whole: false })
}

/** Arguments as citty hands them over: text by name, undefined where not given. */
export type Given = Readonly<Record<string, string | undefined>>

/**
 * Throws unless these arguments are flags of the command, with values, and no more positional ones than it has. citty
 * itself lets everything pass.
 */
export function checkArguments(command: string, given: readonly string[], args: ArgsDef): void {
  const flags = Object.entries(args).filter(([, arg]) => arg.type !== 'positional')
  const places = Object.keys(args).length - flags.length
  const options = Object.fromEntries(flags.map(([name, { type }]) => (
    [name, { type: type === 'boolean' ? 'boolean' : 'string' } as const]
  )))
  const { tokens } = parseArgs({ args: [...given], options, strict: false, allowPositionals: true, tokens: true })
  for (const token of tokens) {
    if (token.kind !== 'option') continue
    const option = Object.hasOwn(options, token.name) ? options[token.name] : undefined
    const refuse = (why: string): never => { throw new UsageError(`${command}: ${why}`) }
    if (!option) {
      const hint = didYouMean(token.name, Object.keys(options), '--')
      return refuse(`there is no flag ${token.rawName} (see ${command} --help)${hint}`)
    }
    const value = token.value ?? ''
    if (option.type === 'string' && (value === '' || value.startsWith('--'))) refuse(`${token.rawName} needs a value`)
    if (option.type === 'boolean' && token.value !== undefined) refuse(`${token.rawName} takes no value`)
  }
  const words = tokens.filter(token => token.kind === 'positional')
  if (words.some(({ value }) => value === '')) throw new UsageError(`${command}: an argument is empty`)
  const extra = words[places]
  if (!extra) return
  throw new UsageError(`${command}: ${JSON.stringify(extra.value)} is one argument too many; see ${command} --help`)
}

/**
 * The values of all `--set path=value`, as an object; a value is YAML.
 *
 * @throws UsageError where one is no path and value
 */
export function setValues(command: string, given: readonly string[]): JsonObject {
  const { tokens } = parseArgs({ args: [...given], options: { set: { type: 'string' } }, strict: false, allowPositionals: true, tokens: true })
  return tokens.reduce<JsonObject>((values, token) => {
    if (token.kind !== 'option' || token.name !== 'set') return values
    const [, path, text] = /^([\w.]+)=(.*)$/s.exec(token.value ?? '') ?? []
    if (path === undefined) throw new UsageError(`${command}: --set is ${JSON.stringify(token.value)}, expected path=value, like train.rate=1e-3`)
    try {
      return withValue(values, path, parse(text) as Json)
    } catch (error) {
      throw new UsageError(`${command}: --set ${path}: ${inLine((error as Error).message.split('\n')[0])}`)
    }
  }, {})
}

/** The number that a flag was given, or `otherwise` where it was not. Throws where it is not in range. */
export function numberFlag(
  command: string, given: Given, flag: string, otherwise: number,
  { least, most, whole = true }: { least: number; most: number; whole?: boolean },
): number {
  const text = given[flag]
  if (text === undefined) return otherwise
  const value = toNumber(text)
  const fits = whole ? Number.isSafeInteger : Number.isFinite
  if (typeof value === 'number' && value >= least && value <= most && fits(value)) return value
  const bound = typeof value === 'number' && value > most ? `, at most ${most}` : least === 1 ? ' > 0' : ` ≥ ${least}`
  const expected = `a ${whole ? 'whole ' : ''}number${bound}`
  throw new UsageError(`${command}: --${flag} is ${JSON.stringify(value)}, expected ${expected}`)
}

/** The text as a number, or as it is where it is none. */
export function toNumber(text: string): number | string {
  const value = Number(text)
  return text.trim() === '' || Number.isNaN(value) ? text : value
}
