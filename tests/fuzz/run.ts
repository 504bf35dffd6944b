// npm run test:fuzz -- [files] [seed]
//
// Tries every reader of files on damaged ones: 20,000 of them by default, from a seed that is printed and may be given.
// They are read in a separate process, which is watched: a file that takes longer than the limit, ends the process, or
// makes it larger than the limit is reported by its number, and the walk continues after it. The exit status is 1 if
// anything was wrong. To repeat a file, run `npm run test:fuzz -- 1 SEED` with the printed SEED.

import { fork } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Report } from './child.ts'

const limits = { seconds: 10, megabytes: 1024, heap: 512 }

const [count = 20_000, seed = Date.now() % 1e9] = process.argv.slice(2).map(Number)
console.log(`${count} files from seed ${seed}`)

type Tally = { files: number; accepted: number; slowest: number; wrong: number }
const tallies = new Map<string, Tally>()
let wrong = 0
let largest = 0

function complain(i: number, what: string, reader = ''): void {
  wrong++
  if (wrong <= 200) console.log(`  seed ${seed + i} ${reader}: ${what}`)
}

function tallied({ i, reader, accepted, wrong: why, message, milliseconds, megabytes }: Extract<Report, { reader: string }>): void {
  const tally = tallies.get(reader) ?? { files: 0, accepted: 0, slowest: 0, wrong: 0 }
  tallies.set(reader, tally)
  tally.files++
  tally.accepted += +accepted
  tally.slowest = Math.max(tally.slowest, milliseconds)
  largest = Math.max(largest, megabytes)
  const heavy = megabytes > limits.megabytes ? `${Math.round(megabytes)} MB` : undefined
  if (why === undefined && heavy === undefined) return
  tally.wrong++
  complain(i, `${why ?? heavy}: ${JSON.stringify(message.slice(0, 300))}`, reader)
}

/** Walks on from a number until the child ends. Returns the number from which the next child should begin. */
function walk(from: number, folder: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = fork(new URL('child.ts', import.meta.url), [seed, from, count, folder].map(String), {
      execArgv: ['--import', import.meta.resolve('tsx'), `--max-old-space-size=${limits.heap}`], stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    let next = from
    let errors = ''
    let why = ''
    const stop = (reason: string): void => { why = reason; child.kill('SIGKILL') }
    let timer = setTimeout(stop, 60_000, 'the start takes longer than a minute')
    child.stderr!.on('data', (text: Buffer) => { errors += text.toString() })
    child.on('message', (report: Report) => {
      clearTimeout(timer)
      next = report.i + 1
      if (!('begun' in report)) tallied(report)
      timer = setTimeout(stop, limits.seconds * 1000, `longer than ${limits.seconds} s`)
    })
    child.on('error', reject)
    child.on('close', (status, signal) => {
      clearTimeout(timer)
      if (next === from && status !== 0) return reject(new Error(`the child does not start: ${why}${errors}`))
      if (status !== 0) complain(next - 1, why || `the process ended (${signal ?? status}): ${errors.trim().split('\n').at(-1)}`)
      resolve(next)
    })
  })
}

const folder = await mkdtemp(join(tmpdir(), 'cellgrad-fuzz-'))
const began = performance.now()
try {
  for (let at = 0; at < count;) at = await walk(at, folder)
} finally {
  await rm(folder, { recursive: true, force: true })
}
console.log(`\n| reader | files | accepted | refused | slowest | wrong |\n| --- | --- | --- | --- | --- | --- |`)
for (const [name, { files, accepted, slowest, wrong: bad }] of tallies) {
  console.log(`| ${name} | ${files} | ${accepted} | ${files - accepted} | ${Math.round(slowest)} ms | ${bad} |`)
}
console.log(`\n${count} files in ${Math.round((performance.now() - began) / 1000)} s; the process took at most ${Math.round(largest)} MB; ${wrong} wrong`)
process.exitCode = wrong > 0 ? 1 : 0
