/**
 * When data-parallel training on several processes would pay, each with a part of the batch: `npm run bench:parallel`.
 *
 * Measured here: the time to send the parameters of Growing NCA to a process and to get its gradient back, as many numbers.
 * Measured before, by `npm run bench -- --only scaling`: the time of a training step by threads and by batch. The rest is a
 * model. With C cores and P processes, each with C/P threads and a P-th of the batch b,
 *
 *   T(P) = t(b/P) · (s + (1 − s) · P/C) + P · e
 *
 * where t(n) is the time of n samples on one thread, s the serial fraction of it (Amdahl, "Validity of the single processor
 * approach", AFIPS 1967), and e the time of sending. Writes docs/results/cpu-parallel.*.
 */
import { fork } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { eachLeaf, growingRule, init, key, Tensor } from '../src/index.ts'
import { percent, writeTable } from './lib/report.ts'
import { spread } from './lib/rounds.ts'

const messages = 2000

type Scaling = { readonly series: string; readonly batch: number; readonly threads: number; readonly 'ms per training step': number }

/** Milliseconds to send as many numbers as there are parameters to another process and back: the lower quartile of many. */
async function timeOfSending(): Promise<number> {
  const params: Float32Array[] = []
  eachLeaf(init(growingRule, key(0)), leaf => { if (leaf instanceof Tensor) params.push(Float32Array.from(leaf.toArray() as Float32Array)) })
  const child = fork(fileURLToPath(import.meta.url), ['echo'], { serialization: 'advanced' })
  const times: number[] = []
  for (let i = 0; i < messages; i++) {
    const before = performance.now()
    await new Promise(resolve => {
      child.once('message', resolve)
      child.send(params)
    })
    times.push(performance.now() - before)
  }
  child.disconnect()
  return spread(times.sort((a, b) => a - b).slice(0, messages / 2)).median // other programs on the machine can only make it longer
}

async function measure(): Promise<void> {
  const { rows } = JSON.parse(readFileSync('docs/results/cpu-scaling.json', 'utf8')) as { rows: Scaling[] }
  const time = (series: string, of: (row: Scaling) => boolean): number => rows.find(row => row.series === series && of(row))!['ms per training step']
  const [one, two] = [1, 2].map(threads => time('threads', row => row.threads === threads))
  const serial = Math.max(0, (2 * two) / one - 1)
  /** The time of one thread, scaled with the batch like that of two threads. */
  const alone = (samples: number): number => one * (time('batch', row => row.batch === samples) / time('batch', row => row.batch === 8))
  const sending = await timeOfSending()
  const cases = [[2, 8, 1], [2, 8, 2], ...[8, 16].flatMap(batch => [1, 2, 4, 8].map(processes => [16, batch, processes]))]
  const model = (cores: number, batch: number, processes: number): number => (
    alone(batch / processes) * (serial + (1 - serial) * (processes / cores)) + (processes > 1 ? processes * sending : 0)
  )
  await writeTable('docs/results', {
    name: 'parallel', title: 'One run on several processes',
    rows: cases.map(([cores, batch, processes]) => ({
      cores, batch, processes, 'threads of each': cores / processes,
      'ms per training step': model(cores, batch, processes), 'beside one process': model(cores, batch, processes) / model(cores, batch, 1),
    })),
    notes: [
      'A model of measured parts (bench/data-parallel.ts): training steps of Growing NCA by threads and by batch, 72×72×16, 64 steps, a fifth of the cells alive (cpu-scaling); and the sending.',
      `Of the time of one thread, ${percent(serial)} is not shared by a second one.`,
      `Sending a process its parameters and getting its gradient, 8,336 numbers each way: ${sending.toPrecision(2)} ms, the quartile of ${messages}.`,
      'The model leaves out that cores share the bandwidth of memory, and that each process holds a history of its own.',
    ],
  })
}

if (process.argv[2] === 'echo') process.on('message', message => { process.send!(message) })
else await measure()
