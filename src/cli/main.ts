#!/usr/bin/env node
/**
 * The program `cellgrad`: the command line in a process that may lose its terminal or its reader.
 */
import { isatty } from 'node:tty'
import { commandLine } from './command-line.ts'
import { signals } from './terminal/interrupt.ts'
import { complain } from './terminal/output.ts'

const onTerminal = [0, 1, 2].some(stream => isatty(stream))

// Who cannot be told any more is not told. What would be lost by it is saved by whoever watches the output too.
let told = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || told) return // whoever read the output has seen enough
  told = true
  process.exitCode ??= 1
  complain(`output: cannot write (${error.message})`)
})
process.stderr.on('error', () => {})

await commandLine(process.argv.slice(2))

// Node restores the terminal when it exits, and aborts where that is gone. The signal ends it without.
if (process.exitCode === signals.SIGHUP && onTerminal) process.kill(process.pid, 'SIGHUP')
