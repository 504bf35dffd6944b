// A short version of `npm run test:fuzz`.

import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../cli/run.ts'
import { fileOf, judge } from './judge.ts'
import { allReaders } from './readers.ts'

const folder = temporaryFolder()
const runs = 3 * fc.readConfigureGlobal().numRuns!

describe('a damaged file is read and can be used, or is refused in one sentence', async () => {
  it.each(await allReaders())('$name', async reader => {
    const path = join(folder(), 'a-file')
    for (const seed of reader.seeds) expect((await judge(reader, seed, path)).message).toBe('')
    await fc.assert(fc.asyncProperty(fc.nat(), async seed => {
      const { wrong, message } = await judge(reader, fileOf(reader, seed), path)
      expect([wrong, message]).toEqual([undefined, message])
    }), { numRuns: runs })
  })
})
