/**
 * How a training step spends its time, and how memory saves time: the same step with different budgets for its history.
 */
import { writeCase, type CaseOptions } from '../lib/cases.ts'
import type { Context } from '../lib/context.ts'
import { plainNode } from '../lib/engines.ts'
import { percent, writeTable, type Row } from '../lib/report.ts'
import { spread, takeTurns, type Round } from '../lib/rounds.ts'
import { askAlone, startServer, type Answer, type Backend } from '../lib/server.ts'

/** `historyBytes`: the default, enough for everything, and so little that every step is run again. */
const budgets: readonly (readonly [name: string, budget: Backend])[] =
  [['default', {}], ['4 GiB', { historyBytes: 2 ** 32 }], ['1 MiB', { historyBytes: 2 ** 20 }]]

type Work = CaseOptions & { readonly steps: number }

/** Tables history and parts. */
export async function measureProfile(context: Context): Promise<void> {
  const { quick } = context
  const published: Work = quick
    ? { batch: 2, side: 24, start: 'mixed', steps: 8 }
    : { batch: 8, side: 72, start: 'mixed', steps: 64 }
  const [batch, side, steps] = quick ? [1, 32, 16] : [1, 256, 128]
  const large = (['seed', 'wide'] as const).map((start): Work => ({ batch, side, start, steps, lastStd: 0.001 }))
  await measureHistory(context, [published, ...large])
  await measureParts(context, published)
}

async function measureHistory(context: Context, works: readonly Work[]): Promise<void> {
  const rows: Row[] = []
  for (const work of works) {
    const { batch, side, start, steps } = work
    const folder = writeCase(context.temp, work)
    const { alive } = await askAlone(plainNode, { task: 'alive', folder, steps, every: steps / 8 })
    const rounds = await byBudget(context, { task: 'train', folder, steps }, {})
    budgets.forEach(([history], i) => {
      const { median, min, max } = spread(rounds.map(({ answers }) => answers[i].ms))
      rows.push({
        batch, grid: `${side}×${side}`, steps, start, alive: percent(Number(alive)), history,
        'ms per training step': median, 'ms min': min, 'ms max': max,
        'of the default': spread(rounds.map(({ answers }) => answers[i].ms / answers[0].ms)).median,
        'peak RSS MB': rounds.at(-1)!.answers[i].rssMB, rounds: rounds.length,
      })
    })
  }
  await writeTable(context.out, {
    name: 'history',
    title: 'What a training step keeps for its backward pass, and what that saves',
    rows,
    notes: [
      `Engine: ${plainNode.name}, ${plainNode.threads} threads. history: \`historyBytes\`. 4 GiB is more than there is `
        + 'to keep, but hidden layers get at most 1 GiB of it; with 1 MiB every step is run again.',
      'Times are medians, min and max over the rounds; of the default is the median of the ratios within each round.',
    ],
  })
}

/** The parts of a step, by the kernels that do them; what other kernels do is a part too. */
const parts: Readonly<Record<string, readonly string[]>> = {
  'matrix products': ['product', 'productTN'],
  'perception and its adjoint': [
    'perceive', 'perceiveBack', 'perceiveWeights', 'normalise', 'attend', 'attendBack', 'aim', 'deform', 'deformBack',
  ],
  'cells copied, logged, added': [
    'gather', 'put', 'erase', 'grow', 'copyPairs', 'addPairs', 'loadRows', 'storeRows', 'addRows', 'copyRows', 'zero', 'sumRows',
  ],
  'masks and fire': ['and', 'andNot', 'or', 'fill', 'dilate', 'list', 'strong', 'strongAfter', 'fire'],
}

const named = new Set(Object.values(parts).flat())

/** The milliseconds of each part of one step. */
function partsOf(answer: Answer): Record<string, number> {
  const times = Object.entries(answer.kernels as Record<string, number>)
  const sum = (of: (kernel: string) => boolean): number => times.reduce((all, [kernel, ms]) => of(kernel) ? all + ms : all, 0)
  const inKernels = Object.fromEntries(Object.entries(parts).map(([part, kernels]) => [part, sum(kernel => kernels.includes(kernel))]))
  return { ...inKernels, 'other kernels': sum(kernel => !named.has(kernel)), 'everything else': answer.ms - sum(() => true) }
}

/** Medians over rounds of the milliseconds of a step and of its parts. */
export function medians(answers: readonly Answer[]): { all: number; ms: Record<string, number> } {
  const each = answers.map(partsOf)
  const median = (values: readonly number[]): number => spread(values).median
  return {
    all: median(answers.map(({ ms }) => ms)),
    ms: Object.fromEntries(Object.keys(each[0]).map(part => [part, median(each.map(ms => ms[part]))])),
  }
}

export const shares = ({ all, ms }: ReturnType<typeof medians>): Row =>
  Object.fromEntries(Object.entries(ms).map(([part, t]) => [part, percent(t / all)]))

async function measureParts(context: Context, work: Work): Promise<void> {
  const { batch, side, steps } = work
  const folder = writeCase(context.temp, work)
  const rounds = await byBudget(context, { task: 'parts', folder, steps }, { threads: 1 })
  const times = budgets.map((_, i) => medians(rounds.map(({ answers }) => answers[i])))
  const products = times.map(({ ms }) => ms['matrix products'])
  const rows = budgets.map(([history], i): Row => {
    return {
      history, 'ms per training step': times[i].all, ...shares(times[i]),
      'products computed again': percent(1 - Math.min(...products) / products[i]), rounds: rounds.length,
    }
  })
  await writeTable(context.out, {
    name: 'parts',
    title: `Where a training step spends its time: batch ${batch}, ${side}×${side}×16, ${steps} steps, one thread`,
    rows,
    notes: [
      timedOneByOne,
      'products computed again: by how much the time in matrix products exceeds the least in this table, as a part of '
        + 'itself.',
    ],
  })
}

export const timedOneByOne: string = 'Kernels are timed one by one, which takes some percent itself. everything else: JavaScript, garbage collection, '
  + 'copies between tensors and the memory of the kernels, loss, optimiser, sample pool.'

/** Each budget in a process of its own, round by round. */
async function byBudget(
  { quick, probe }: Context, request: { task: string; folder: string; steps: number }, options: Backend,
): Promise<Round[]> {
  const contenders = budgets.map(([, budget]) => ({
    server: startServer(plainNode),
    request: { ...request, backend: { ...plainNode.backend, ...options, ...budget } },
    scale: 1,
  }))
  try {
    return await takeTurns(contenders, quick ? 1 : 7, probe, true)
  } finally {
    contenders.forEach(({ server }) => server.stop())
  }
}
