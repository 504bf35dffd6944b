/**
 * What bounds a training step of each kind of rule that is measured beside PyTorch: the time in each part of it, how near matrix
 * products come to the machine's peak, and what the memory is used for.
 */
import type { Context } from '../lib/context.ts'
import { plainNode } from '../lib/engines.ts'
import { writeTable, type Row } from '../lib/report.ts'
import { spread, takeTurns } from '../lib/rounds.ts'
import { startServer } from '../lib/server.ts'
import { medians, shares, timedOneByOne } from './profile.ts'
import { works } from './rules.ts'

/** Table kinds. */
export async function measureKinds({ quick, out, probe }: Context): Promise<void> {
  const rows: Row[] = []
  for (const { name, rule, batch, size, steps, torch } of works) {
    if (!torch) continue
    console.log(`  ${name}`)
    const work = quick ? { batch: 1, size: size.map(n => n >> 1), steps: 4 } : { batch, size, steps }
    const server = startServer(plainNode)
    const request = { task: 'parts', rule, ...work, inputs: [], backend: { ...plainNode.backend, threads: 1 } }
    const rounds = await takeTurns([{ server, request, scale: 1 }], quick ? 1 : 5, probe, true)
    server.stop()
    const answers = rounds.map(({ answers: [answer] }) => answer)
    const times = medians(answers), last = answers.at(-1)!
    const perSecond = Number(last.products) / times.ms['matrix products'] / 1e6
    const peak = spread(rounds.map(round => round.peak)).median / plainNode.threads
    rows.push({
      'rule': name, 'batch': work.batch, 'size': work.size.join('×'), 'steps': work.steps, 'ms per training step': times.all,
      ...shares(times), 'GFLOP/s in products': perSecond, 'peak GFLOP/s': peak, 'peak RSS MB': last.rssMB,
      'RSS at start MB': Number(last.startMB), 'memory of kernels MB': Number(last.kernelMB), 'tensors MB': Number(last.tensorMB),
      'rounds': rounds.length,
    })
  }
  await writeTable(out, {
    name: 'kinds',
    title: 'Where a training step of rules of six kinds spends its time and its memory, one thread',
    rows,
    notes: [
      `${timedOneByOne} other kernels: activations, norms, inputs, bounds and noise.`,
      'GFLOP/s in products: operations in matrix products, those that are computed again among them, over the time in them. peak: '
        + '128-bit fused multiply-adds of one core while all are busy (probe.c).',
      'RSS at start: Node with the library loaded. The memory of the kernels is what they have reserved, for weights, states and hidden '
        + 'layers; not all of it is used. The rest is that of JavaScript, and what else is kept for the backward pass.',
    ],
  })
}
