/**
 * `cellgrad studio`: serves the page Studio on this machine, and opens it in the browser.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { ArgsDef } from 'citty'
import { studioFolder } from '../../node/assets.ts'
import { servePage } from '../../node/page-server.ts'
import { say } from '../terminal/output.ts'
import { servedRuns } from '../run/served-runs.ts'
import { argument, command, flag, toggle, type Command } from '../input/command.ts'

const args: ArgsDef = {
  folder: argument('Shows the runs in it, and in folders below, while they train (default: out, if there is one)'),
  port: flag('n', 'Port of the address (default: any free one)'),
  print: toggle('Only prints the address, and opens no browser'),
}

export const studio: Command = command('studio', 'Open Studio: see automata grow, hurt them, train them, in a page on this machine', args, async given => {
  const { folder = 'out' } = given.text
  if (given.text.folder !== undefined && !existsSync(folder)) given.refuse(`there is no folder ${folder}`)
  const port = given.number('port', 0, { least: 0, most: 65535 })
  if (!existsSync(join(studioFolder, 'index.html'))) {
    throw new Error(`studio: the page has not been built, expected it in ${studioFolder}; in a clone, npm run build makes it`)
  }
  const { address } = await servePage(studioFolder, port, existsSync(folder) ? servedRuns(folder) : undefined).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EADDRINUSE' && cause.code !== 'EACCES') throw cause
    throw new Error(`studio: cannot use port ${port} (${cause.code === 'EACCES' ? 'it needs more rights' : 'it is taken'})`, { cause })
  })
  say(`Studio: ${address}`)
  say('It runs until Ctrl-C.')
  if (!given.has('print')) openBrowser(address)
})

/** Opens an address in the system's browser. If that fails, nothing is lost: the address has been printed. */
function openBrowser(address: string): void {
  const [program, ...rest] = {
    darwin: ['open'], win32: ['cmd', '/c', 'start', ''],
  }[process.platform as string] ?? ['xdg-open']
  const child = spawn(program, [...rest, address], { stdio: 'ignore', detached: true })
  child.on('error', () => {})
  child.unref()
}
