// Judges the files from one number to another and reports each: `node child.ts SEED FROM TO FOLDER`, as run.ts calls it.

import { join } from 'node:path'
import { fileOf, judge } from './judge.ts'
import { allReaders } from './readers.ts'

const [seed, from, to] = process.argv.slice(2, 5).map(Number)
const path = join(process.argv[5], 'a-file')
const readers = await allReaders()

/** A report: about the next file, or about one that was judged. */
export type Report = { readonly i: number } & ({ readonly begun: true } | {
  readonly reader: string
  readonly accepted: boolean
  readonly wrong?: string
  readonly message: string
  readonly milliseconds: number
  readonly megabytes: number
})

const tell = (report: Report): void => { process.send!(report) }

for (let i = from; i < to; i++) {
  tell({ i, begun: true })
  const reader = readers[i % readers.length]
  const bytes = fileOf(reader, seed + i)
  const began = performance.now()
  const verdict = await judge(reader, bytes, path)
  const milliseconds = performance.now() - began
  tell({ i, reader: reader.name, ...verdict, milliseconds, megabytes: process.memoryUsage.rss() / 2 ** 20 })
  if (i % 50 === 0) await new Promise(resolve => setTimeout(resolve, 0)) // finalisers
}
process.disconnect()
