/**
 * The training step and the forward rollout of Growing NCA compared with other engines, and the fraction of the machine's
 * peak that the training step reaches.
 *
 * The work: batch 8, 72×72 cells of 16 channels, 48 → 128 → 16, fire rate 0.5, 64 steps. One training step is the
 * rollout, the mean squared error of RGBA, its gradient through all steps, each gradient divided by its norm, Adam.
 */
import { writeCase, type Start } from '../lib/cases.ts'
import type { Context } from '../lib/context.ts'
import { peers, plainNode, torch, torchKeepingMemory, variants } from '../lib/engines.ts'
import { barsSvg } from '../lib/plot.ts'
import { percent, writeTable, type Row } from '../lib/report.ts'
import { spread, takeTurns, type Contender, type Round } from '../lib/rounds.ts'
import { askAlone, startServer, type Answer, type Engine } from '../lib/server.ts'
import { writeFileAtomic } from '../../src/node/atomic-file.ts'

type Work = { readonly batch: number; readonly side: number; readonly steps: number }

/** The fractions of cells that live and are computed, and the numbers of each engine round by round. */
type Measured = {
  readonly start: Start
  readonly fractions: Fractions
  readonly contenders: readonly Contender[]
  readonly rounds: readonly Round[]
}

type Fractions = { readonly alive: number; readonly computed: number; readonly updated: number }

const size = ({ quick }: Context): Work =>
  quick ? { batch: 2, side: 24, steps: 8 } : { batch: 8, side: 72, steps: 64 }

/** Tables train and flops. */
export async function measureTraining(context: Context): Promise<void> {
  const rows: Row[] = []
  const flops: Row[] = []
  const rounds: unknown[] = []
  for (const start of ['mixed', 'full'] as const) {
    const { steps, ...sizes } = size(context)
    const folder = writeCase(context.temp, { ...sizes, start, masks: steps })
    const engines = [...torch, ...variants, ...(start === 'mixed' ? peers : [])]
    const differences = await compareGradients(engines, folder, steps)
    const measured = await measure(context, 'train', start, folder, engines)
    const timed = timeRows(measured, 'ms per training step')
    rows.push(...timed.map((row, i) => ({ ...row, ...differences[i] })))
    flops.push(...flopRows(measured, size(context)))
    rounds.push(...rawRounds(measured))
  }
  const { batch, side, steps } = size(context)
  await writeTable(context.out, {
    name: 'train',
    title: `One training step of Growing NCA: batch ${batch}, ${side}×${side}×16, 48 → 128 → 16, ${steps} steps`,
    rows,
    notes: [
      ...commonNotes(steps),
      'A training step is the rollout, MSE of RGBA, the gradient through all steps, gradients divided by their norms, '
        + 'and Adam. cellgrad\'s also draws the batch from its sample pool and writes it back (`growingTrainer`); '
        + 'jax-js and TensorFlow.js compute loss and gradients only.',
      'difference of loss, of gradients: from PyTorch channels-last under the same masks, relative, for gradients '
        + 'the largest difference in a tensor over the largest entry of that tensor, the worst of four tensors.',
    ],
    rounds,
  })
  await writeFileAtomic(`${context.out}/cpu-train.svg`, await barsSvg(
    rows.filter(row => row.start === 'mixed')
      .map(row => ({ name: String(row.engine), value: Number(row['vs PyTorch']) })),
    `times as fast as PyTorch, ${rows[0].alive} of the cells alive`,
  ))
  await writeTable(context.out, {
    name: 'flops',
    title: 'Arithmetic of the training step, and the machine\'s peak',
    rows: flops,
    notes: [
      'rows: cells whose network is evaluated, as a part of all cells. Forward, a cell matters if it fires within one '
        + 'cell of a living one, backward if it fires and lives. Other engines evaluate every cell.',
      'Counted are the two matrix products of a row, 2·(48·128 + 128·16) operations forward and twice as many '
        + 'backward; hidden rows that are recomputed count once.',
      'peak: 128-bit fused multiply-adds on all cores at once, measured before and after each round (probe.c). Without '
        + 'relaxed SIMD, WASM has no fused multiply-add. PyTorch uses wider vectors, where the machine has them.',
    ],
  })
}

/** Table forward. */
export async function measureForward(context: Context): Promise<void> {
  const rows: Row[] = []
  const rounds: unknown[] = []
  const { batch, side, steps } = size(context)
  for (const start of ['mixed', 'full'] as const) {
    const folder = writeCase(context.temp, { batch, side, start })
    const engines = [...torchKeepingMemory, ...variants, ...(start === 'mixed' ? peers : [])]
    const measured = await measure(context, 'forward', start, folder, engines)
    rows.push(...timeRows(measured, 'ms per rollout'))
    rounds.push(...rawRounds(measured))
  }
  await writeTable(context.out, {
    name: 'forward',
    title: `A rollout without gradients: batch ${batch}, ${side}×${side}×16, 48 → 128 → 16, ${steps} steps`,
    rows,
    notes: [
      ...commonNotes(steps),
      'PyTorch runs without gradients and with malloc told to keep freed memory, which is its fastest setting here.',
    ],
    rounds,
  })
}

function commonNotes(steps: number): string[] {
  return [
    'mixed: half of the batch starts as single seeds, half as discs a third of the grid in radius. full: every cell is '
      + 'alive. alive: mean over the states of the rollout.',
    'Times are medians, min and max over the rounds; vs PyTorch is how many times as fast as PyTorch channels-last, '
      + 'the median, min and max of the ratios within each round. busy cores: CPU time over wall-clock time.',
    `steps timed: engines that take minutes are timed over fewer steps and scaled to ${steps}. Peak RSS is that `
      + 'of the whole process, for the steps timed.',
  ]
}

async function measure(
  context: Context, task: 'train' | 'forward', start: Start, folder: string, engines: readonly Engine[],
): Promise<Measured> {
  const { steps } = size(context)
  const fractions = await askAlone(plainNode, { task: 'alive', folder, steps, every: 1 }) as Answer & Fractions
  const contenders = engines.map(engine => {
    const fewer = Math.min(steps, engine.fewSteps ?? steps)
    return { server: startServer(engine), request: { task, folder, steps: fewer }, scale: steps / fewer }
  })
  try {
    const rounds = await takeTurns(contenders, context.quick ? 1 : 7, context.probe, true)
    return { start, fractions, contenders, rounds }
  } finally {
    contenders.forEach(({ server }) => server.stop())
  }
}

function timeRows({ start, fractions, contenders, rounds }: Measured, what: string): Row[] {
  return contenders.map(({ server: { engine }, request }, i) => {
    const times = spread(rounds.map(({ answers }) => answers[i].ms))
    const ratios = spread(rounds.map(({ answers }) => answers[0].ms / answers[i].ms))
    const last = rounds.at(-1)!.answers[i]
    return {
      start,
      alive: percent(fractions.alive),
      engine: engine.name,
      [what]: times.median,
      'ms min': times.min,
      'ms max': times.max,
      ...(torch.length > 0
        ? { 'vs PyTorch': ratios.median, 'vs min': ratios.min, 'vs max': ratios.max }
        : { 'vs PyTorch': 'PyTorch absent' }),
      'peak RSS MB': last.rssMB,
      threads: engine.threads,
      'busy cores': last.busyCores ?? NaN,
      'steps timed': Number(request.steps),
      rounds: rounds.length,
    }
  })
}

/** The measurements, round by round. */
function rawRounds({ start, contenders, rounds }: Measured): unknown[] {
  return rounds.map(({ peak, answers }) => ({
    start, peak, ms: Object.fromEntries(answers.map(({ ms }, i) => [contenders[i].server.engine.name, ms])),
  }))
}

/** Operations of the two matrix products of one row, forward. */
const flopsPerRow = 2 * (48 * 128 + 128 * 16)

function flopRows({ start, fractions, contenders, rounds }: Measured, { batch, side, steps }: Work): Row[] {
  return contenders.map(({ server: { engine } }, i) => {
    const skips = engine.name.startsWith('cellgrad')
    const forward = skips ? fractions.computed : 1
    const backward = skips ? fractions.updated : 1
    const gigaflops = steps * batch * side * side * flopsPerRow * (forward + 2 * backward) / 1e9
    const rate = (round: Round): number => gigaflops / (round.answers[i].ms / 1e3)
    return {
      start,
      engine: engine.name,
      'rows forward': percent(forward),
      'rows backward': percent(backward),
      'GFLOP per training step': gigaflops,
      'GFLOP/s': spread(rounds.map(rate)).median,
      'peak GFLOP/s': spread(rounds.map(round => round.peak)).median,
      'of the peak': spread(rounds.map(round => rate(round) / round.peak)).median,
    }
  })
}

/** The differences of each engine's loss and gradients from those of PyTorch, with the same masks. */
async function compareGradients(engines: readonly Engine[], folder: string, all: number): Promise<Row[]> {
  const rows: Row[] = []
  for (const engine of engines) {
    if (torch.length === 0) {
      rows.push({ 'difference of loss': 'PyTorch absent', 'of gradients': '' })
      continue
    }
    const steps = Math.min(all, engine.fewSteps ?? all)
    const [expected, got] = [
      await askAlone(torch[0], { task: 'gradients', folder, steps }),
      await askAlone(engine, { task: 'gradients', folder, steps }),
    ] as (Answer & { loss: number; grads: Record<string, number[]> })[]
    const gradients = Object.entries(expected.grads).map(([name, values]) => {
      const largest = values.reduce((most, v) => Math.max(most, Math.abs(v)), 0)
      return values.reduce((most, v, i) => Math.max(most, Math.abs(v - got.grads[name][i])), 0) / largest
    })
    rows.push({
      'difference of loss': Math.abs(got.loss / expected.loss - 1),
      'of gradients': Math.max(...gradients),
    })
  }
  return rows
}
