/**
 * A training step of rules of every kind: fused and composed of operators, by the same engine in turns; those of the published
 * family also by PyTorch, eager and with compiled steps.
 */
import { attention, conv, defineRule, growingRule, mlp, recipes, residualConv, type DataRule } from '../../src/index.ts'
import type { Context } from '../lib/context.ts'
import { plainNode, torch } from '../lib/engines.ts'
import { writeTable, type Row } from '../lib/report.ts'
import { spread, takeTurns, type Contender, type Round } from '../lib/rounds.ts'
import { startServer } from '../lib/server.ts'

type Work = {
  /** Its name in the table. */
  readonly name: string
  readonly rule: DataRule
  readonly batch: number
  readonly size: readonly number[]
  readonly steps: number
  /** The roles that get inputs before each step. */
  readonly inputs?: readonly string[]
  /** The number of steps that are timed for composed operators, and then scaled up, since all of them would take minutes. */
  readonly composedSteps?: number
  /** Its name in python/kinds_torch.py, if it is there. */
  readonly torch?: string
}

/** Growing NCA with some fields changed, and all cells alive. */
const grown = (name: string, other: Partial<DataRule>): Work =>
  ({ name, rule: defineRule({ ...growingRule, living: null, ...other }), batch: 8, size: [72, 72], steps: 32 })

const leaky = mlp([80, 80], { activation: 'leakyRelu' })
const table6 = (name: string, other: Partial<DataRule>): Work =>
  ({ ...grown(name, { padding: 'circular', update: leaky, ...other }), batch: 4, size: [64, 64] })

export const works: readonly Work[] = [
  { ...grown('growing', {}), torch: 'growing' },
  { name: 'digits', rule: recipes.digits.rule, batch: 16, size: [28, 28], steps: 20, torch: 'digits' },
  { name: 'texture', rule: recipes.texture.rule, batch: 4, size: [128, 128], steps: 32, torch: 'texture' },
  grown('bounds', { bound: { type: 'clamp', low: -1, high: 1 } }),
  grown('noise on the state', { noise: { on: 'state', std: 0.02 } }),
  { ...grown('inputs for each step', { channels: { rgba: 4, wind: 2, hidden: 10 }, frozen: ['wind'] }), inputs: ['wind'] },
  grown('changes through tanh', { update: mlp(128, { lastActivation: 'tanh' }) }),
  {
    ...table6('convolution with leaky ReLUs', { perceive: [conv(80, { bias: true, activation: 'leakyRelu' })] }),
    batch: 16, torch: 'convolution',
  },
  table6('filters beside a convolution', {
    perceive: ['identity', 'sobelX', 'sobelY', conv(32, { bias: true, activation: 'leakyRelu' })],
  }),
  table6('residual convolution', { perceive: [residualConv(80)] }),
  table6('residual network', {
    perceive: [conv(80, { bias: true, activation: 'leakyRelu' })],
    update: mlp([80, 80], { activation: 'leakyRelu', residual: true }),
  }),
  {
    ...table6('attention', { perceive: [attention(64, { heads: 4, keys: 16 })], update: mlp(80, { activation: 'leakyRelu' }) }),
    batch: 16, composedSteps: 8, torch: 'attention',
  },
  { ...grown('line', { grid: 1, perceive: ['identity', 'sobelX', 'laplacian'] }), size: [72 * 72] },
  {
    ...grown('volume', { grid: 3, perceive: [conv(32, { bias: true, activation: 'leakyRelu' })], update: mlp(32) }),
    batch: 1, size: [32, 32, 32], steps: 16, torch: 'volume',
  },
]

/** Table rules. */
export async function measureRules({ quick, out, probe }: Context): Promise<void> {
  const rows: Row[] = []
  for (const { name, rule, batch, size, steps, composedSteps = steps, inputs = [], torch: kind } of works) {
    const work = quick ? { batch: 1, size: size.map(n => Math.max(4, n >> 2)), steps: 4 } : { batch, size, steps }
    const contenders: Contender[] = [false, true].map(composed => {
      const timed = composed && !quick ? composedSteps : work.steps
      const backend = { ...plainNode.backend, composed }
      return { server: startServer(plainNode), request: { task: 'rule', rule, ...work, steps: timed, inputs, backend }, scale: work.steps / timed }
    })
    const peers = kind ? torch.slice(0, 1).flatMap(engine => [false, true].map(compiled => ({ engine, kind, compiled }))) : []
    for (const { engine, ...request } of peers) {
      contenders.push({ server: startServer(engine), request: { task: 'kind', ...request, ...work }, scale: 1 })
    }
    console.log(`  ${name}`)
    const rounds = await takeTurns(contenders, quick ? 1 : 5, probe, !quick)
    contenders.forEach(({ server }) => server.stop())
    const median = (of: (answers: Round['answers']) => number): number => spread(rounds.map(({ answers }) => of(answers))).median
    const [fused, composed, peer, compiled] = contenders.map((_, i) => ({
      ms: median(answers => answers[i].ms), ratio: median(answers => answers[i].ms / answers[0].ms), MB: rounds.at(-1)!.answers[i].rssMB,
    }))
    const least = Math.min(...rounds.flatMap(({ answers: [own, , ...others] }) => others.map(({ ms }) => ms / own.ms)))
    rows.push({
      rule: name, batch: work.batch, size: work.size.join('×'), steps: work.steps,
      'ms fused': fused.ms, 'ms composed': composed.ms, 'composed ×': composed.ratio,
      'ms PyTorch': peer?.ms ?? '', 'PyTorch ×': peer?.ratio ?? '', 'ms compiled': compiled?.ms ?? '', 'compiled ×': compiled?.ratio ?? '',
      'least ×': peer ? least : '',
      'MB fused': fused.MB, 'MB composed': composed.MB, 'MB PyTorch': peer?.MB ?? '', 'MB compiled': compiled?.MB ?? '', rounds: rounds.length,
    })
  }
  await writeTable(out, {
    name: 'rules',
    title: 'A training step of rules of every kind, fused, composed of operators, and in PyTorch',
    rows,
    notes: [
      `Engine: ${plainNode.name}, ${plainNode.threads} threads; both ways in turns, in a process each. All cells are alive but those `
        + 'of digits without ink, four of five. A training step is a rollout from a random state, the mean of its squares, and the gradient.',
      'Attention composed of operators: the time of 8 steps, four times; its MB are those of 8 steps.',
      `${torch[0]?.name ?? 'PyTorch is absent'}: every cell computed (python/kinds_torch.py), in turns with both; compiled: torch.compile `
        + 'makes one program of a step.',
      '×: the time over that of the fused one, median of the ratios within each round; least ×: that of the round that was best for '
        + 'PyTorch, compiled or not. MB: peak resident memory of the process.',
    ],
  })
}
