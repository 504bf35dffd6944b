// The README's script is examples/grow.ts, word for word, and it runs.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'

const run = promisify(execFile)

it('shows the script of examples/grow.ts in the README', async () => {
  const [readme, script] = await Promise.all([readFile('README.md', 'utf8'), readFile('examples/grow.ts', 'utf8')])
  const shown = /```ts\n(import[^]*?)```/.exec(readme)?.[1]
  expect(shown).toBe(script)
})

it('trains with it', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'cellgrad-'))
  try {
    const tsx = resolve('node_modules/tsx/dist/cli.mjs')
    const { stdout } = await run(process.execPath, [tsx, '--tsconfig', resolve('tsconfig.json'), resolve('examples/grow.ts'), '41'], { cwd: folder })
    const losses = stdout.trim().split('\n').map(line => Number(line.split(' ')[1]))
    expect(losses).toHaveLength(3)
    expect(losses[2]).toBeLessThan(losses[0] - 0.3)
    expect((await readFile(join(folder, 'lizard.gif'))).subarray(0, 6).toString()).toBe('GIF89a')
  } finally {
    await rm(folder, { recursive: true })
  }
})
