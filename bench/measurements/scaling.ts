/**
 * How the time of a training step grows with the grid, the number of steps, the threads and the batch.
 */
import { writeCase } from '../lib/cases.ts'
import type { Context } from '../lib/context.ts'
import { plainNode } from '../lib/engines.ts'
import { cores } from '../lib/machine.ts'
import { panelsSvg } from '../lib/plot.ts'
import { percent, writeTable, type Row } from '../lib/report.ts'
import { spread, takeTurns } from '../lib/rounds.ts'
import { askAlone, startServer } from '../lib/server.ts'
import { writeFileAtomic } from '../../src/node/atomic-file.ts'

type Point = {
  readonly series: 'side' | 'steps' | 'threads' | 'batch'
  readonly side: number
  readonly batch: number
  readonly steps: number
  readonly threads: number
}

const base = { side: 72, batch: 8, steps: 64, threads: cores }

/** Few steps on large grids, which would take minutes; times are given per step too. */
const sides: readonly (readonly [side: number, steps: number])[] =
  [[32, 64], [64, 64], [128, 64], [256, 16], [512, 8], [1024, 4]]

const points: readonly Point[] = [
  ...sides.map(([side, steps]) => ({ ...base, series: 'side' as const, side, steps, batch: 2 })),
  ...[16, 32, 64, 128, 256, 512, 1024].map(steps => ({ ...base, series: 'steps' as const, steps })),
  ...Array.from({ length: cores }, (_, i) => ({ ...base, series: 'threads' as const, threads: i + 1 })),
  ...[1, 2, 4, 8, 16].map(batch => ({ ...base, series: 'batch' as const, batch })),
]

const quickPoints: readonly Point[] = points
  .filter(({ side, steps, batch }) => side <= 128 && steps <= 64 && batch <= 8)
  .map(point => ({ ...point, side: point.side >> 2, steps: point.steps >> 3 }))

/** Table scaling and its plot. */
export async function measureScaling({ quick, temp, out, probe }: Context): Promise<void> {
  const chosen = quick ? quickPoints : points
  const server = startServer(plainNode)
  const folderOf = ({ batch, side }: Point): string =>
    writeCase(temp, { batch, side, start: 'disc', lastStd: 0.001 })
  const contenders = chosen.map(point => ({
    server,
    request: {
      task: 'train', folder: folderOf(point), steps: point.steps,
      backend: { ...plainNode.backend, threads: point.threads },
    },
    scale: 1,
  }))
  const rounds = await takeTurns(contenders, quick ? 1 : 3, probe, false)
  server.stop()

  const alive: number[] = []
  for (const point of chosen) {
    const { steps } = point
    const answer = await askAlone(plainNode, { task: 'alive', folder: folderOf(point), steps, every: steps / 2 })
    alive.push(Number(answer.alive))
  }
  const rows = chosen.map(({ series, ...point }, i) => {
    const { median, min, max } = spread(rounds.map(({ answers }) => answers[i].ms))
    return {
      series, ...point, alive: percent(alive[i]), 'ms per training step': median, 'ms min': min, 'ms max': max,
      'ms per NCA step': median / point.steps, 'µs per cell and NCA step':
        1e3 * median / point.steps / (point.batch * point.side ** 2),
    }
  })
  await writeTable(out, {
    name: 'scaling',
    title: 'Time of a training step against grid side, steps, threads and batch',
    rows,
    notes: [
      `Engine: ${plainNode.name} as this Node runs it without flags.`,
      'Every sample starts as a disc of a quarter of the grid in radius. alive: mean over two states, the first and '
        + 'the middle one. Last weights are small, so that 1,024 steps stay finite.',
      'Large grids are timed over few steps (column steps), where the fixed part of a training step weighs more.',
      `Medians over the rounds that were counted: ${rounds.length}.`,
    ],
  })
  const panel = (series: Point['series'], label: string, column: string): Parameters<typeof panelsSvg>[0][number] => ({
    xLabel: label,
    yLabel: column,
    points: rows.filter(row => row.series === series).map(row => ({ x: row[series], y: Number((row as Row)[column]) })),
  })
  await writeFileAtomic(`${out}/cpu-scaling.svg`, await panelsSvg([
    panel('side', 'side of the grid', 'ms per NCA step'),
    panel('steps', 'steps', 'ms per training step'),
    panel('threads', 'threads', 'ms per training step'),
    panel('batch', 'batch', 'ms per training step'),
  ]))
}
