/**
 * A command: its name, its arguments, and what it does with them. Wrong arguments are refused in a line that names the command
 * and the flag.
 */
import { parseArgs } from 'node:util'
import type { ArgDef, ArgsDef, CommandDef } from 'citty'
import { parse } from 'yaml'
import { didYouMean, expectedOf, inLine, oneOf } from '../../backends/options.ts'
import { withValue, type Json, type JsonObject } from '../../experiment/flat.ts'
import { toNumber, UsageError } from './usage.ts'

/** A command as `command-line.ts` runs it. */
export type Command = {
  readonly definition: CommandDef
  /** Flags that may be given without a value, and the value that they then have. */
  readonly implied: Readonly<Record<string, string>>
}

/** The arguments that a command was given. */
export type Given = {
  /** The name of the command, `cellgrad train`, with which its messages begin. */
  readonly command: string
  /** Arguments and flags by name, undefined where not given. */
  readonly text: Readonly<Record<string, string | undefined>>
  /** All arguments that are not flags, in order. */
  readonly words: readonly string[]
  /** Whether a flag that takes no value was given. */
  has(flag: string): boolean
  /** The number of a flag, or `otherwise` if it was not given. Throws if it is out of range. */
  number(flag: string, otherwise: number, range: { least: number; most: number; whole?: boolean }): number
  /** The word of a flag, or `otherwise` if it was not given. Throws if it is not one of `words`. */
  oneOf<W extends string>(flag: string, words: readonly W[], otherwise: W): W
  /** The values of all `--set path=value`, as an object; a value is YAML. Throws if one is not a path and a value. */
  set(): JsonObject
  /** The values of all `--data name=value`, in the section `data`. */
  data(): JsonObject
  /** The minutes of the flag `minutes`. Throws if iterations were given too. */
  minutes(): number | undefined
  /** Ends the command with a line that begins with its name. */
  refuse(why: string): never
}

/** A flag with a value; `valueHint` says in the help what the value is. */
export const flag = (valueHint: string, description: string): ArgDef => ({ type: 'string', valueHint, description })

/** A flag without a value. */
export const toggle = (description: string): ArgDef => ({ type: 'boolean', description: `${description} (default: false)` })

/** A positional argument. If the name of the last one ends with `…`, it may be given several times. */
export const argument = (description: string, { required = false }: { required?: boolean } = {}): ArgDef => ({ type: 'positional', required, description })

/** Flags of all commands that train. */
export const verbose: ArgDef = toggle('Describes the rule and how it is computed')
export const minutes: ArgDef = flag('n', 'Trains as many iterations as fit into n minutes, with schedules to match, '
  + 'instead of --iterations; measured at the beginning, and again on the way (default: none)')

/** The command `cellgrad <name>`. */
export function command(
  name: string, description: string, args: ArgsDef, run: (given: Given) => void | Promise<void>, implied: Command['implied'] = {},
): Command {
  return {
    definition: { meta: { name, description }, args, run: ({ args: parsed, rawArgs }) => run(givenTo(`cellgrad ${name}`, parsed, rawArgs)) },
    implied,
  }
}

function givenTo(command: string, parsed: Readonly<Record<string, unknown>>, rawArgs: readonly string[]): Given {
  const text = parsed as Given['text']
  const refuse = (why: string): never => { throw new UsageError(`${command}: ${why}`) }
  const given: Given = {
    command, text, refuse, words: parsed._ as string[],
    has: flag => Boolean(parsed[flag]),
    number(flag, otherwise, { least, most, whole = true }) {
      const given = text[flag]
      if (given === undefined) return otherwise
      const value = toNumber(given)
      const fits = whole ? Number.isSafeInteger : Number.isFinite
      if (typeof value === 'number' && value >= least && value <= most && fits(value)) return value
      const bound = typeof value === 'number' && value > most ? `, at most ${most}` : least === 1 ? ' > 0' : ` ≥ ${least}`
      return refuse(`--${flag} is ${JSON.stringify(value)}, expected a ${whole ? 'whole ' : ''}number${bound}`)
    },
    oneOf<W extends string>(flag: string, words: readonly W[], otherwise: W): W {
      const word = text[flag] ?? otherwise
      const kind = oneOf(words)
      return kind.fits(word) ? word as W : refuse(`--${flag} is ${JSON.stringify(word)}, expected ${expectedOf(kind, word)}`)
    },
    set: () => valuesOf(command, rawArgs, 'set', 'path=value, like train.rate=1e-3'),
    data: () => valuesOf(command, rawArgs, 'data', 'name=value, like images=folder', 'data.'),
    minutes() {
      if (text.minutes === undefined) return undefined
      if (text.iterations !== undefined) refuse('--minutes does not go with --iterations')
      return given.number('minutes', 0, { least: 0.01, most: 100_000, whole: false })
    },
  }
  return given
}

function valuesOf(command: string, given: readonly string[], flag: string, expected: string, section = ''): JsonObject {
  const { tokens } = parseArgs({ args: [...given], options: { [flag]: { type: 'string' } }, strict: false, allowPositionals: true, tokens: true })
  return tokens.reduce<JsonObject>((values, token) => {
    if (token.kind !== 'option' || token.name !== flag) return values
    const [, path, text] = /^([\w.]+)=(.*)$/s.exec(token.value ?? '') ?? []
    if (path === undefined) throw new UsageError(`${command}: --${flag} is ${JSON.stringify(token.value)}, expected ${expected}`)
    try {
      return withValue(values, `${section}${path}`, parse(text) as Json)
    } catch (error) {
      throw new UsageError(`${command}: --${flag} ${path}: ${inLine((error as Error).message.split('\n')[0])}`)
    }
  }, {})
}

/**
 * Throws if an argument is not a flag of the command, lacks its value, or is one positional argument too many. citty itself
 * accepts everything.
 */
export function checkArguments(command: string, given: readonly string[], args: ArgsDef): void {
  const flags = Object.entries(args).filter(([, arg]) => arg.type !== 'positional')
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
  const wanted = Object.entries(args).filter(([, arg]) => arg.type === 'positional')
  const missing = wanted.slice(words.length).find(([, arg]) => arg.required)
  if (missing) throw new UsageError(`${command}: ${missing[0].replace('…', '').toUpperCase()} is missing; see ${command} --help`)
  const extra = words[wanted.length]
  if (!extra || wanted.at(-1)?.[0].endsWith('…')) return
  throw new UsageError(`${command}: ${JSON.stringify(extra.value)} is one argument too many; see ${command} --help`)
}
