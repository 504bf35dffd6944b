/**
 * Training in pixel space, as in table 2 of Spitznagel & Keuper, "A New Kind of Network?" (2026): one sample, a large
 * grid, as many steps as information needs to cross half of it. Each training step runs in a process of its own.
 */
import { writeCase } from '../lib/cases.ts'
import type { Context } from '../lib/context.ts'
import { plainNode } from '../lib/engines.ts'
import { percent, writeTable, type Row } from '../lib/report.ts'
import { spread } from '../lib/rounds.ts'
import { askAlone, startServer } from '../lib/server.ts'

/** Peak memory in MB that the review reports for its framework. */
const published: Readonly<Record<number, string>> = { 256: '14,254', 512: '> 24 GB', 1024: '> 24 GB' }

const ample = { ...plainNode, backend: { ...plainNode.backend, historyBytes: 192 * 2 ** 20 } }

/** Table pixel. */
export async function measurePixelSpace({ quick, temp, out }: Context): Promise<void> {
  const rows: Row[] = []
  for (const side of quick ? [32] : [256, 512, 1024]) {
    const steps = side / 2
    for (const start of ['seed', 'wide'] as const) {
      const folder = writeCase(temp, { batch: 1, side, start, lastStd: 0.001 })
      const { alive } = await askAlone(plainNode, { task: 'alive', folder, steps, every: steps / 16 })
      const settings = side > 256 ? { default: plainNode } : { default: plainNode, '192 MiB': ample }
      for (const [history, engine] of Object.entries(settings)) {
        const server = startServer(engine)
        const times: number[] = []
        let rssMB = 0
        for (let i = 0; i < Math.max(1, 1024 / side - 1); i++) {
          const answer = await server.ask({ task: 'train', folder, steps })
          times.push(answer.ms)
          rssMB = answer.rssMB
          console.log(`  ${side}×${side} ${start}, history ${history}: ${answer.ms.toFixed()} ms`)
        }
        server.stop()
        const { median, min, max } = spread(times)
        rows.push({
          grid: `${side}×${side}`, steps, start, alive: percent(Number(alive)), history,
          's per training step': median / 1e3, 's min': min / 1e3, 's max': max / 1e3, runs: times.length,
          'peak RSS MB': rssMB, 'published peak MB': published[side] ?? '',
        })
      }
    }
  }
  await writeTable(out, {
    name: 'pixel',
    title: 'Training in pixel space: batch 1, 16 channels, 48 → 128 → 16, steps = half the side',
    rows,
    notes: [
      `Engine: ${plainNode.name} as this Node runs it without flags, ${plainNode.threads} threads. history: bytes that a rollout may keep `
        + 'for its backward pass (`historyBytes`; the default is 32 MiB for one sample); the rest is computed again.',
      'seed: one cell that grows by weights set to do so. wide: a disc of a third of the grid in radius that stays. '
        + 'alive: mean over 16 states of the rollout.',
      'published: peak memory that table 2 of the review reports for its framework, for which 24 GB were not enough '
        + 'from 512² on.',
    ],
  })
}
