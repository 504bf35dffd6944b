// Printed text, and what happens if it cannot be printed: text cannot control the terminal, and losing the output loses no work.

import { execFileSync } from 'node:child_process'
import { closeSync, existsSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readCheckpoint } from '../../src/node/index.ts'
import { invocation, quoted } from '../../src/cli/input/invocation.ts'
import { printable, say, wrap } from '../../src/cli/terminal/output.ts'
import { long } from '../long.ts'
import { runHere } from './here.ts'
import { asModule, run, start, temporaryFolder, writeConfig } from './run.ts'

const folder = temporaryFolder()
const anyText = fc.string({ unit: 'binary', maxLength: 20 })
// oxlint-disable-next-line no-control-regex
const steering = /[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]/

describe('words', () => {
  it('are escaped if they would control the terminal, and otherwise unchanged', () => {
    fc.assert(fc.property(anyText, text => {
      expect(printable(text)).not.toMatch(steering)
      let written = ''
      say(text, { write: (line: string) => { written += line } })
      expect(written.slice(0, -1)).toBe(printable(text))
    }))
    expect(printable('\x1b]0;x\x07\n\x9b2J\u202e')).toBe(String.raw`\u001b]0;x\u0007\u000a\u009b2J\u202e`)
    for (const text of ['👩‍👩‍👧 👁️ é ﷽', String.raw`a\b 'c'`]) expect(printable(text)).toBe(text)
  })

  it('are wrapped between words, and none is lost', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', '🦎', '漢'), minLength: 1, maxLength: 9 })
    fc.assert(fc.property(fc.array(word, { minLength: 1, maxLength: 30 }), fc.integer({ min: 20, max: 80 }), (words, width) => {
      const lines = wrap(words.join(' '), width)
      expect(lines.join(' ')).toBe(words.join(' '))
      const columns = (line: string): number => [...line].reduce((sum, c) => sum + (c > 'z' ? 2 : 1), 0)
      for (const [i, line] of lines.entries()) {
        expect(columns(line)).toBeLessThanOrEqual(width)
        if (i > 0) expect(columns(lines[i - 1]) + 1 + columns(line.split(' ')[0])).toBeGreaterThan(width)
      }
    }))
    expect(wrap('out/a.gif  the same, but moving', 24)).toEqual(['out/a.gif  the same, but', '           moving'])
    expect(wrap('  node main.js train --resume out/a', 10)).toEqual(['  node main.js train --resume out/a'])
  })

  it('are one word to a shell', () => {
    fc.assert(fc.property(fc.string({ unit: fc.constantFrom('a', "'", '"', '\\', '$', '*', '#', '\n', '\x1b', '\x9b', 'é', '🦎', ' '), minLength: 1, maxLength: 8 }), text => {
      expect(quoted(text)).not.toMatch(steering)
      const back = execFileSync('bash', ['--norc', '-c', `printf %s ${quoted(text)}`], { env: { LC_ALL: 'C.UTF-8' } })
      expect(back.toString()).toBe(text)
    }), { numRuns: 20 })
  })

  it('that can be copied call the program as it was called', () => {
    const script = process.argv[1]
    try {
      for (const [called, again] of [
        [join(process.cwd(), 'src/cli/main.ts'), 'node --import tsx src/cli/main.ts'],
        [join(process.cwd(), 'a b/dist/cli/main.js'), "node 'a b/dist/cli/main.js'"],
        ['/home/ada/nca/node_modules/cellgrad/dist/cli/main.js', 'npx cellgrad'],
        ['/usr/local/bin/cellgrad', 'cellgrad'],
      ]) {
        process.argv[1] = called
        expect(invocation()).toBe(again)
      }
    } finally {
      process.argv[1] = script
    }
  })

  it('of a user cannot control the terminal, wherever they come from', async () => {
    const evil = '\x1b]0;x\x07\x9b2J\n.png'
    const config = await writeConfig(folder('run.yaml'), 'iterations: 1\n')
    const results = await Promise.all([
      runHere([evil]), runHere(['grow', `${evil}.safetensors`]), runHere(['train', 'fish', '--out', join(config, evil)]),
      run(['train', evil], { env: { CELLGRAD_DEBUG: '1' } }), runHere(['train', 'fish', '--config', config, '--out', folder(evil)]),
    ])
    expect(results.at(-1)).toMatchObject({ status: 0, err: '' })
    for (const { out, err } of results) expect((out + err).replaceAll('\n', '')).not.toMatch(steering)
    for (const { err } of results.slice(0, 3)) expect(err.trimEnd().split('\n')).toHaveLength(1)
  })
})

/** A run that goes on until it is stopped, with its folder. */
async function endless(name: string): Promise<string[]> {
  const config = await writeConfig(folder('endless.yaml'), 'iterations: 100000\n')
  return ['train', 'fish', '--config', config, '--save-every', '100000', '--out', folder(name)]
}

/** The iterations in a run's checkpoint, which must be those in its metrics. */
async function savedIn(name: string): Promise<number> {
  const { state: { iteration } } = await readCheckpoint(folder(name, 'checkpoint.safetensors'))
  expect((await readFile(folder(name, 'metrics.jsonl'), 'utf8')).trimEnd().split('\n')).toHaveLength(iteration)
  return iteration
}

describe('a run whose output is lost saves first', () => {
  it('when nobody reads a pipe any more', async () => {
    const { child, result } = start(await endless('pipe'))
    child.stdout!.once('data', () => child.stdout!.destroy())
    const { status, signal, err } = await result
    expect([status, signal]).toEqual([141, null])
    const iteration = await savedIn('pipe')
    const [sentence, again] = err.trimEnd().split('\n')
    expect(sentence).toBe(`Stopped and saved after iteration ${iteration} of 100000, since nobody reads the output any more. Go on with:`)
    expect(again).toMatch(/^ {2}npx cellgrad train --resume .*pipe$/)
    expect(existsSync(folder('pipe', 'growth.gif'))).toBe(true)
  })

  it.runIf(existsSync('/dev/full'))('when the disk is full', async () => {
    const full = openSync('/dev/full', 'w')
    const { result } = start(await endless('full'), { stdout: full })
    const { status, signal, err } = await result
    closeSync(full)
    expect([status, signal]).toEqual([1, null])
    const iteration = await savedIn('full')
    const [what, sentence] = err.trimEnd().split('\n')
    expect(what).toBe('output: cannot write (ENOSPC: no space left on device, write)')
    expect(sentence).toBe(`Stopped and saved after iteration ${iteration} of 100000, since the output cannot be written (ENOSPC: no space left on device, write). Go on with:`)
  })

  it.runIf(long)('when the terminal is gone', async () => {
    // Both outputs fail from the third write on, like those of a terminal that is gone.
    const vanish = asModule(`let count = 0
      for (const stream of [process.stdout, process.stderr]) {
        const write = stream._write
        stream._write = function (chunk, encoding, done) {
          if (++count < 3) return write.call(this, chunk, encoding, done)
          done(Object.assign(new Error('write EIO'), { code: 'EIO', errno: -5, syscall: 'write' }))
        }
      }`)
    const { status, signal, err } = await run(await endless('gone'), { imports: [vanish] })
    expect([status, signal, err]).toEqual([129, null, ''])
    expect(await savedIn('gone')).toBeLessThan(100000)
  })
})

it.runIf(existsSync('/dev/full'))('every command says in one sentence that it could not write', async () => {
  const full = openSync('/dev/full', 'w')
  const results = await Promise.all([['--help'], ['config'], ['grow', '--steps', '3']].map(args => start(args, { stdout: full }).result))
  closeSync(full)
  for (const result of results) expect(result).toEqual({ status: 1, signal: null, out: '', err: 'output: cannot write (ENOSPC: no space left on device, write)\n' })
})

it('grow writes its file although nobody reads its output', async () => {
  const { child, result } = start(['grow', '--steps', '30', '--size', '24', '--out', folder('grown.gif')])
  child.stdout!.once('data', () => child.stdout!.destroy())
  expect(await result).toMatchObject({ signal: null, err: '' })
  expect((await readFile(folder('grown.gif'))).subarray(0, 4).toString()).toBe('GIF8')
})
