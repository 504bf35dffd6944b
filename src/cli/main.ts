#!/usr/bin/env node
/**
 * The program `cellgrad`: the command line in a process that may lose its terminal or its reader.
 */
import { isatty } from 'node:tty'
import { commandLine } from './command-line.ts'
import { signals } from './terminal/interrupt.ts'
import { complain } from './terminal/output.ts'

const onTerminal = [0, 1, 2].some(stream => isatty(stream))

// Errors of the output are handled only so far as messages go. Whatever must be saved is saved by `untilInterrupted`.
let told = false
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || told) return // the reader of the output has seen enough, as with `| head -1`
  told = true
  process.exitCode ??= 1
  complain(`output: cannot write (${error.message})`)
})
process.stderr.on('error', () => {})

await commandLine(process.argv.slice(2))

// Node restores the terminal when it exits, and aborts if the terminal is gone. A signal ends the process without that.
if (process.exitCode === signals.SIGHUP && onTerminal) process.kill(process.pid, 'SIGHUP')
