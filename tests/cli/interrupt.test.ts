import { spawn } from 'node:child_process'
import { expect, it } from 'vitest'

const program = `
import { untilInterrupted } from ${JSON.stringify(new URL('../../src/cli/terminal/interrupt.ts', import.meta.url).href)}
const { signal } = untilInterrupted(() => console.log('said'))
signal.addEventListener('abort', () => console.log(signal.reason.name))
setInterval(() => {}, 1000)
console.log('ready')
`

it.each(['SIGHUP', 'SIGINT', 'SIGTERM'] as const)('the first %s is caught, the second ends the process', async name => {
  const child = spawn(process.execPath, ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', program])
  let out = ''
  const ended = new Promise(resolve => { child.on('close', (_, signal) => resolve(signal)) })
  child.stderr.on('data', (data: Buffer) => { out += data.toString() })
  child.stdout.on('data', (data: Buffer) => {
    out += data.toString()
    // Each answer triggers the next signal.
    if (out.endsWith('ready\n') || out.endsWith(`${name}\n`)) child.kill(name)
  })
  expect(await ended).toBe(name)
  expect(out).toBe(`ready\nsaid\n${name}\n`)
})
