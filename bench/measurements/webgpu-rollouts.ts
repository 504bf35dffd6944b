/**
 * Whole rollouts on the GPU: Growing NCA compared with the autodiff libraries in JavaScript, and the work of tables 6 and 2 of
 * Spitznagel & Keuper, "A New Kind of Network?" (2026).
 */
import { writeCase, type CaseOptions } from '../lib/cases.ts'
import { gpuPeers, onGpu, plainNode } from '../lib/engines.ts'
import type { GpuContext } from '../lib/gpu.ts'
import { percent, writeTable, type Row } from '../lib/report.ts'
import { spread, takeTurns, type Round } from '../lib/rounds.ts'
import { askAlone, startServer, type Engine, type Server } from '../lib/server.ts'

type Work = Pick<CaseOptions, 'batch' | 'side' | 'start' | 'lastStd' | 'network'> & {
  /** Its name in the table. */
  readonly work: string
  readonly task: 'train' | 'forward'
  /** The number of steps, and how many of them are timed on software. */
  readonly steps: number
  readonly few: number
  readonly engines: readonly Engine[]
}

/** Table growing. */
export async function measureGrowing(context: GpuContext): Promise<void> {
  const [batch, side] = context.quick ? [2, 24] : [8, 72]
  const works = (['disc', 'full'] as const).flatMap(start => (['forward', 'train'] as const).map(task => ({
    batch, side, start, task, steps: 64, few: task === 'train' ? 2 : 8,
    work: task === 'train' ? 'training step' : 'rollout',
    engines: [...onGpu, plainNode, ...(start === 'disc' ? gpuPeers : [])],
  })))
  await measureWorks(context, works, {
    name: 'growing',
    title: `Growing NCA: batch ${batch}, ${side}×${side}×16, 48 → 128 → 16, 64 steps`,
    notes: [
      'disc: every sample starts as a disc of a quarter of the grid in radius. full: every cell is alive.',
      'A training step is the rollout, MSE of RGBA, the gradient through all steps, gradients divided by their norms, '
        + 'Adam, and drawing from a sample pool and writing back. jax-js and TensorFlow.js do the rollout, MSE and '
        + 'gradient only. Everybody reads the last state of a rollout, and the loss of a training step.',
    ],
  })
}

/** Table table6. */
export async function measureTable6(context: GpuContext): Promise<void> {
  const side = context.quick ? 16 : 64
  const works = (['train', 'forward'] as const).map(task => ({
    side, task, start: 'full' as const, network: 'conv' as const, steps: 32, few: 1,
    batch: (task === 'train' ? 16 : 64) / (context.quick ? 16 : 1),
    work: task === 'train' ? 'training step, batch 16' : 'inference, batch 64',
    engines: onGpu,
  }))
  await measureWorks(context, works, {
    name: 'table6',
    title: `The work of table 6: convolution 3×3 16 → 80, leaky ReLU, 80, leaky ReLU, 16; ${side}×${side}, 32 steps`,
    notes: [
      'The review reports, for its framework on an RTX 4090: 29.18 ms and 2,813 MB for a training step, 6.63 ms and '
        + '352 MB for inference.',
      '19,376 parameters; circular padding; leaky ReLUs of slope 0.2; every cell is alive and fires with probability 0.5.',
    ],
  })
}

/** Table table2. */
export async function measureTable2(context: GpuContext): Promise<void> {
  const { quick, gpu } = context
  const starts = gpu.software || quick ? ['wide' as const] : ['seed' as const, 'wide' as const, 'full' as const]
  const works = (quick ? [32] : [256, 512, 1024]).flatMap(side => starts.map(start => ({
    side, start, batch: 1, task: 'train' as const, steps: side / 2, few: Math.max(1, 1024 / side),
    work: `${side}×${side}, ${side / 2} steps`, lastStd: 0.001,
    engines: side > 256 ? onGpu.slice(0, 1) : onGpu, // composed of operators it would fill the memory of most GPUs
  })))
  await measureWorks(context, works, {
    name: 'table2',
    title: 'The work of table 2, training in pixel space: batch 1, 48 → 128 → 16, steps = half the side',
    notes: [
      'seed: one cell that grows. wide: a disc of a third of the grid in radius that stays. full: every cell is alive.',
      'The review reports, for its framework, a peak of 14,254 MB for 256×256, and more than 24 GB from 512×512 on.',
    ],
  })
}

type Heading = { readonly name: string; readonly title: string; readonly notes: readonly string[] }

async function measureWorks(context: GpuContext, works: readonly Work[], heading: Heading): Promise<void> {
  const { out, gpu } = context
  const rows: Row[] = []
  const rounds: unknown[] = []
  const failures: string[] = []
  for (const work of works) {
    const measured = await measure(context, work, failures)
    rows.push(...measured.rows)
    rounds.push(...measured.rounds)
  }
  await writeTable(out, {
    ...heading, adapter: gpu.name, rows, rounds,
    notes: [
      ...heading.notes,
      'Times are medians, min and max over the rounds, for all steps; where fewer were timed (steps timed), scaled. '
        + 'GPU ms: what the GPU spent in compute passes, by its timestamps. × fused: median, min and max of the ratios '
        + 'within each round.',
      'dispatches: all of them. tensors MB: the most that tensors and rollouts had at once; buffers MB: all that was '
        + 'allocated on the GPU, kept for reuse or not. All of the steps timed.',
      'GFLOP/s: products of the layers in the rows that matter (those that fire near living cells; backward, that fire '
        + 'and live), or, of other libraries, in all rows; hidden rows that are computed again count once. Of the '
        + 'peak: of fused multiply-adds on this adapter, measured before and after each round.',
      'cellgrad on the CPU is there to compare; its GFLOP/s are not of this adapter.',
      ...(gpu.software ? ['The adapter is software, which runs on the CPU: no hardware GPU has been measured here.'] : []),
      ...[...new Set(failures)].map(failure => `Not measured: ${failure}`),
    ],
  })
}

async function measure(
  context: GpuContext, work: Work, failures: string[],
): Promise<{ rows: Row[]; rounds: unknown[] }> {
  const { quick, temp, gpu, probe } = context
  const { task, steps, start } = work
  const most = quick ? 2 : gpu.software ? Math.min(steps, work.few) : steps
  const folder = writeCase(temp, work)
  const every = Math.max(1, most >> 4)
  const fractions = await askAlone(plainNode, { task: 'alive', folder, steps: most, every })
  const contenders = work.engines.map(engine => {
    const timed = Math.min(most, engine.fewSteps ?? most)
    return {
      server: forgiving(startServer(engine), failures), request: { task, folder, steps: timed }, scale: steps / timed,
    }
  })
  console.log(`  ${work.work} from ${start}: ${work.engines.map(({ name }) => name).join(' | ')}`)
  const slow = gpu.software || work.side >= 256
  const rounds = await takeTurns(contenders, quick ? 1 : slow ? 3 : 9, probe, !slow)
  contenders.forEach(({ server }) => server.stop())
  const rows = contenders.map(({ server: { engine }, request, scale }, i) => {
    const last = rounds.at(-1)!.answers[i]
    const cpu = engine === plainNode
    const gpuMs = ({ answers }: Round): number => scale * (answers[i].gpuMs ?? NaN)
    const operations = gigaflops(work, engine, Number(fractions.computed), Number(fractions.updated))
    const rate = (round: Round): number => operations / ((gpuMs(round) || round.answers[i].ms) / 1e3)
    const times = spread(rounds.map(({ answers }) => answers[i].ms))
    const ratios = spread(rounds.map(({ answers }) => answers[i].ms / answers[0].ms))
    return {
      work: work.work, start, alive: percent(Number(fractions.alive)), engine: engine.name,
      ms: times.median, 'ms min': times.min, 'ms max': times.max,
      'GPU ms': cpu ? '' : spread(rounds.map(gpuMs)).median,
      '× fused': ratios.median, '× min': ratios.min, '× max': ratios.max,
      dispatches: cpu ? '' : Number(last.dispatches),
      'tensors MB': (last.tensorMB ?? '') as number, 'buffers MB': (last.bufferMB ?? '') as number,
      'GFLOP/s': spread(rounds.map(rate)).median,
      'of the peak': cpu ? '' : percent(spread(rounds.map(round => rate(round) / round.peak)).median),
      'steps timed': request.steps, rounds: rounds.length,
    }
  })
  const raw = rounds.map(({ peak, answers }) => ({
    work: work.work, start, peak,
    ms: Object.fromEntries(answers.map(({ ms }, i) => [work.engines[i].name, ms])),
    gpuMs: Object.fromEntries(answers.map(({ gpuMs }, i) => [work.engines[i].name, (gpuMs ?? NaN) * contenders[i].scale])),
  }))
  return { rows, rounds: raw }
}

/** A server whose failures are recorded and answered with NaN: not everything fits on every GPU. */
function forgiving(server: Server, failures: string[]): Server {
  return {
    ...server,
    ask: request => server.ask(request).catch((error: Error) => {
      failures.push(error.message.split('\n')[0])
      return { ms: NaN, rssMB: NaN }
    }),
  }
}

/** Operations of the layers' products in the rows that are computed, in 10⁹. Backward takes twice as many as forward. */
function gigaflops(
  { batch, side, steps, task, network }: Work, { name }: Engine, computed: number, updated: number,
): number {
  const perRow = network === 'conv' ? 144 * 80 + 80 * 80 + 80 * 16 : 48 * 128 + 128 * 16
  const [forward, backward] = name.startsWith('cellgrad') ? [computed, updated] : [1, 1]
  return 2 * perRow * steps * batch * side ** 2 * (forward + (task === 'train' ? 2 * backward : 0)) / 1e9
}
