/**
 * Peak memory of the training step, each engine and setting in a process of its own.
 */
import { writeCase } from '../lib/cases.ts'
import type { Context } from '../lib/context.ts'
import { plainNode, torch } from '../lib/engines.ts'
import { percent, writeTable, type Row } from '../lib/report.ts'
import { askAlone, startServer, type Answer, type Engine } from '../lib/server.ts'

/** A budget in which no rollout of this size can keep its states: everything is recomputed. */
const small = 2 ** 20

const settings: readonly (Engine & { readonly history: string })[] = [
  { ...plainNode, history: 'default' },
  { ...plainNode, history: '1 MiB', backend: { ...plainNode.backend, historyBytes: small } },
  ...torch.map(engine => ({ ...engine, history: 'everything' })),
]

/** Table memory. */
export async function measureMemory({ quick, temp, out }: Context): Promise<void> {
  const [batch, side, steps] = quick ? [2, 24, 8] : [8, 72, 64]
  const rows: Row[] = []
  for (const start of ['mixed', 'full'] as const) {
    const folder = writeCase(temp, { batch, side, start })
    const { alive } = await askAlone(plainNode, { task: 'alive', folder, steps, every: 1 })
    for (const { history, ...engine } of settings) {
      const server = startServer(engine)
      let last: Answer | undefined
      for (let i = 0; i < 3; i++) last = await server.ask({ task: 'train', folder, steps })
      server.stop()
      const { ms, rssMB, startMB = '', tensorMB = '', poolMB = '' } = last!
      rows.push({
        start, alive: percent(Number(alive)), engine: engine.name, history, 'ms per training step': ms,
        'peak RSS MB': rssMB, 'RSS at start MB': startMB as number, 'peak of tensors MB': tensorMB as number,
        'sample pool MB': poolMB as number,
      })
    }
  }
  const slot = side * side * 16 * 4 / 2 ** 20
  await writeTable(out, {
    name: 'memory',
    title: `Peak memory of a training step: batch ${batch}, ${side}×${side}×16, ${steps} steps`,
    rows,
    notes: [
      'history: how many bytes a differentiated rollout may keep for its backward pass (`historyBytes`); what it '
        + 'cannot keep it computes again. PyTorch keeps everything.',
      `The sample pool is part of it: ${batch} slots here, 1,024 in the published runs. Slots hold only cells that are `
        + `not zero; 1,024 dense ones would be ${Math.round(1024 * slot)} MB.`,
      'RSS at start: Node with the library loaded. Times are of the third step, in one run, and only indicate.',
    ],
  })
}
