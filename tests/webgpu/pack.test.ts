// The GPU tests that a machine without packages runs from one file: bench/gpu/vitest.mjs has all of Vitest that they use.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { bundle } from '../../scripts/gpu-bundle.ts'
import { temporaryFolder } from '../cli/run.ts'

const folder = temporaryFolder()

it('bundles the GPU tests with a stand-in for Vitest that has every function they use', async () => {
  const { inputs } = await bundle('tests', join(folder(), 'tests.mjs')) // fails where a name is not exported
  const standIn = await import(new URL('../../bench/gpu/vitest.mjs', import.meta.url).href)
  const sources = Object.keys(inputs).filter(path => path.startsWith('tests/')).map(path => readFileSync(path, 'utf8'))
  expect(sources.length).toBeGreaterThan(5)
  const asked = (pattern: RegExp): string[] => [...new Set(sources.flatMap(text => [...text.matchAll(pattern)].map(([, name]) => name)))]
  expect(Object.keys(standIn.it)).toEqual(expect.arrayContaining(asked(/\bit\.(\w+)/g)))
  expect(Object.keys(standIn.expect(1))).toEqual(expect.arrayContaining(asked(/\.(to(?:Be|Equal|Match|Throw|Have|Contain|Strict)\w*)\(/g)))
})
