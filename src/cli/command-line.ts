/**
 * The command line: finds the command that was typed, checks its arguments and runs it. Its errors become lines on the terminal
 * and the exit status of the process. The code of a command is loaded only when it runs.
 */
import { inspect, stripVTControlCharacters } from 'node:util'
import { renderUsage, runCommand, type CommandDef } from 'citty'
import { version } from '../node/assets.ts'
import { didYouMean } from '../backends/options.ts'
import { complain, widthOf, wrap } from './terminal/output.ts'
import { checkArguments, type Command } from './input/command.ts'
import { Failure, isUnwritten, unwritten, UsageError } from './input/usage.ts'

const commands: Record<string, () => Promise<Command>> = {
  grow: async () => (await import('./commands/grow.ts')).grow,
  train: async () => (await import('./commands/train.ts')).train,
  runs: async () => (await import('./commands/runs.ts')).runs,
  sweep: async () => (await import('./sweep/sweep.ts')).sweep,
  worker: async () => (await import('./sweep/worker.ts')).worker,
  evaluate: async () => (await import('./commands/evaluate.ts')).evaluate,
  predict: async () => (await import('./commands/predict.ts')).predict,
  start: async () => (await import('./commands/start.ts')).start,
  config: async () => (await import('./commands/show-config.ts')).config,
  export: async () => (await import('./commands/export.ts')).exportModel,
  data: async () => (await import('./commands/data.ts')).data,
  studio: async () => (await import('./commands/studio.ts')).studio,
}

const cellgrad: CommandDef = {
  meta: { name: 'cellgrad', version, description: 'Neural cellular automata: grow trained ones, train your own' },
  subCommands: Object.fromEntries(Object.entries(commands).map(([name, load]) => (
    [name, async () => (await load()).definition]
  ))),
}

async function run([name, ...rest]: readonly string[]): Promise<void> {
  if (name === undefined || name === '--help' || name === '-h') return help(cellgrad)
  if (name === '--version' || name === '-v') return console.log(version)
  if (!Object.hasOwn(commands, name)) {
    const what = name.startsWith('-') ? 'flag' : 'command'
    const hint = didYouMean(name, Object.keys(commands))
    throw new UsageError(`cellgrad: there is no ${what} ${name} (see cellgrad --help)${hint}`)
  }
  const { definition, implied } = await commands[name]()
  if (rest.includes('--help') || rest.includes('-h')) return help(definition, cellgrad)
  const given = rest.map((word, i) => {
    const value = Object.entries(implied).find(([flag]) => word === `--${flag}`)?.[1]
    return value === undefined || /^\d+$/.test(rest[i + 1] ?? '') ? word : `${word}=${value}`
  })
  const args = typeof definition.args === 'function' ? await definition.args() : await definition.args
  checkArguments(`cellgrad ${name}`, given, args ?? {})
  await runCommand(definition, { rawArgs: given })
}

async function help(command: CommandDef, parent?: CommandDef): Promise<void> {
  const text = await renderUsage(command, parent)
  const plain = process.stdout.isTTY ? text : stripVTControlCharacters(text)
  console.log(plain.split('\n').flatMap(line => wrap(line.trimEnd(), widthOf(process.stdout))).join('\n'))
}

/** Runs `cellgrad …args`. An error is printed, by default one line for each mistake, and sets `process.exitCode`. */
export async function commandLine(args: readonly string[]): Promise<void> {
  try {
    await run(args)
  } catch (error) {
    const failure = error as Error
    const lines = failure instanceof Failure ? failure.lines : [failure.message]
    for (const line of process.env.CELLGRAD_DEBUG ? inspect(failure).split('\n') : lines) complain(line)
    process.exitCode = failure instanceof UsageError ? 2 : isUnwritten(failure) ? unwritten : 1
  }
}
