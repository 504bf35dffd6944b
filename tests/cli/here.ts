// Runs the command line in the process of the tests. Its output and its files are the same as in a process of
// its own, which would take longer to load and compile the program than most commands take. Tests of the process
// itself (its signals, its flags, a GPU, a reader that is gone) use run.ts.

import type { EventEmitter } from 'node:events'
import { format } from 'node:util'
import { commandLine } from '../../src/cli/command-line.ts'
import { bundled } from '../bundled.ts'
import type { Result } from './run.ts'

/** The events to which a command listens; in a process of its own, its listeners would end with it. */
const heard: readonly (readonly [EventEmitter, string])[] = [
  ...['SIGHUP', 'SIGINT', 'SIGTERM', 'disconnect', 'exit'].map(event => [process, event] as const),
  [process.stdout, 'error'], [process.stderr, 'error'],
]

// This process has other listeners too; Node's warning about many of them says nothing about a command.
for (const [emitter] of heard) emitter.setMaxListeners(Infinity)

let last: Promise<unknown> = Promise.resolve()

/** Runs `cellgrad …args` to its end, after earlier ones have ended: they share the folder, the output and the environment. */
export function runHere(args: readonly string[], { cwd = process.cwd() }: { cwd?: string } = {}): Promise<Omit<Result, 'signal'>> {
  const result = last.then(() => command(args, cwd))
  last = result.catch(() => {})
  return result
}

async function command(args: readonly string[], cwd: string): Promise<Omit<Result, 'signal'>> {
  const { argv, env, exitCode, stdout, stderr } = process
  const before = { folder: process.cwd(), log: console.log, out: stdout.write, err: stderr.write }
  const listening = heard.map(([emitter, event]) => new Set(emitter.listeners(event)))
  let [out, err] = ['', '']
  try {
    process.chdir(cwd)
    process.argv = [process.execPath, bundled('src/cli/main.ts'), ...args]
    process.env = { ...env, NO_COLOR: '1' }
    for (const name of ['FORCE_COLOR', 'CELLGRAD_DEBUG']) delete process.env[name]
    process.exitCode = undefined
    console.log = (...words: unknown[]) => { out += `${format(...words)}\n` }
    stdout.write = taking(text => { out += text })
    stderr.write = taking(text => { err += text })
    await commandLine(args)
    return { status: Number(process.exitCode ?? 0), out, err }
  } finally {
    process.chdir(before.folder)
    Object.assign(process, { argv, env, exitCode })
    console.log = before.log
    stdout.write = before.out
    stderr.write = before.err
    for (const [i, [emitter, event]] of heard.entries()) {
      for (const listener of emitter.listeners(event)) {
        if (!listening[i].has(listener)) emitter.off(event, listener as () => void)
      }
    }
  }
}

/** A stream's `write` that passes its text to `take`. */
function taking(take: (text: string) => void): typeof process.stdout.write {
  return (chunk: string | Uint8Array, ...rest: unknown[]) => {
    take(typeof chunk === 'string' ? chunk : Buffer.from(chunk).toString())
    const done = rest.find(word => typeof word === 'function') as (() => void) | undefined
    if (done) queueMicrotask(done)
    return true
  }
}
