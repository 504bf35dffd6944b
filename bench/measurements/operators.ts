/**
 * Single operators at the sizes of Growing NCA: the plain loops, the default backend, PyTorch.
 */
import type { Context } from '../lib/context.ts'
import { plainNode, torch } from '../lib/engines.ts'
import { writeTable } from '../lib/report.ts'
import { spread, takeTurns } from '../lib/rounds.ts'
import { startServer } from '../lib/server.ts'

/** Operators and channels; ∂x and ∂w are the two derivatives. */
export const operatorNames: readonly string[] = [
  ...['dense 48→128', 'dense 128→16', 'conv2d 3×3 16→48', 'depthwiseConv 3×3 16→48']
    .flatMap(name => [name, `${name} ∂x`, `${name} ∂w`]),
  'maxPool 3×3 16', 'add 16', 'mul 16', 'where 16', 'relu 128', 'tanh 128', 'sum 128', 'mean 128',
]

/** Table operators. */
export async function measureOperators({ quick, out, probe }: Context): Promise<void> {
  const [batch, side, ms] = quick ? [2, 24, 1] : [8, 72, 100]
  const engines = [{ ...plainNode, backend: { simd: false } }, plainNode, ...torch.slice(0, 1)]
  const servers = engines.map(startServer)
  const rows = []
  for (const name of operatorNames) {
    const request = { task: 'operator', name, batch, side, ms }
    const contenders = servers.map(server => ({ server, request, scale: 1 }))
    const rounds = await takeTurns(contenders, quick ? 1 : 3, probe, false)
    const median = (i: number): number => spread(rounds.map(({ answers }) => answers[i].ms)).median
    const ratio = (i: number): number => spread(rounds.map(({ answers }) => answers[i].ms / answers[1].ms)).median
    rows.push({
      operator: name,
      'plain loops ms': median(0),
      'default ms': median(1),
      'PyTorch ms': torch.length > 0 ? median(2) : 'PyTorch absent',
      'plain / default': ratio(0),
      'PyTorch / default': torch.length > 0 ? ratio(2) : '',
    })
  }
  servers.forEach(server => server.stop())
  await writeTable(out, {
    name: 'operators',
    title: `Single operators on [${batch},${side},${side},channels]`,
    rows,
    notes: [
      `default: ${plainNode.name} as this Node runs it without flags, ${plainNode.threads} threads. `
        + `PyTorch: ${torch[0]?.name ?? 'absent'}.`,
      'The numbers behind a name are channels. Every cell is computed: skipping dead cells is not used here.',
      'Each number is a median of three rounds, each a median of as many runs as fit into 0.1 s, at least three.',
    ],
  })
}
