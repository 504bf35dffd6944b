/**
 * Muon beside Adam: how soon the cells of digits know what they are part of, by two losses, each optimiser at two rates. The trainings
 * are those of the claim `digits`, only from seeds and short, with a rate that stays the same after a warm-up.
 *
 * The claim (Jordan et al. 2024; Liu et al. 2025): with steps that have no weak directions, fewer iterations are enough.
 */
import { join } from 'node:path'
import { adam, classificationTask, examplesOf, key, muon, rollout, scope, taskTrainer, warmUp, type Optimiser } from '../src/index.ts'
import { readMnist } from '../src/node/index.ts'
import { digitsRule, earlyShares, readouts } from './lib/classify.ts'
import { fileOf, iterationsOf, writeSvg, type Context, type Row } from './lib/context.ts'
import { averaged, learn } from './lib/learn.ts'
import { grey, said } from './lib/pictures.ts'
import { linesSvg, type Point } from './lib/plot.ts'
import type { Report } from './lib/report.ts'

const side = 28, steps = [20, 31] as const, rule = digitsRule

const optimisers: Readonly<Record<string, (rate: number) => Optimiser>> = {
  Adam: rate => adam({ rate: warmUp(30, rate) }), Muon: rate => muon({ rate: warmUp(30, rate) }),
}
const losses = { mse: 'MSE', cells: 'per-cell CE' } as const
const rates = [1e-3, 2e-3]

export async function reproduceOptimisers(context: Context): Promise<Report> {
  const folder = join(context.data, 'mnist')
  const train = await readMnist(folder), test = await readMnist(folder, { train: false })
  const iterations = iterationsOf(context, 600, 3)
  const rows: Row[] = []
  const curves: { name: string; points: Point[] }[] = []
  for (const loss of Object.keys(losses) as (keyof typeof losses)[]) {
    const task = classificationTask(rule, { ...examplesOf(train.images, [side, side, 1]), labels: train.labels }, { loss })
    for (const [name, optimiserOf] of Object.entries(optimisers)) {
      for (const rate of rates) {
        const trainer = taskTrainer({ rule, task, batch: 8, steps, readouts, normalise: true, optimiser: optimiserOf(rate) })
        const learned = await learn(context, `${loss}-${name}-${rate}`, trainer, {
          iterations, target: grey(train.images.subarray(0, side * side), side),
          paint: async params => said(rule, scope(() => rollout(rule, params, task.seeds([0]), key(0), { steps: 20 })), 0),
        })
        rows.push({ 'loss': losses[loss], 'optimiser': name, rate, 'cells right, %': (await earlyShares(learned.params, test, context.quick ? 10 : 1000)).right.toFixed(1) })
        if (loss === 'cells') curves.push({ name: `${name}, ${rate}`, points: averaged(learned.losses) })
      }
    }
  }
  await writeSvg(context, 'loss', await linesSvg(curves, { title: 'Cells that learn which digit they are of', xLabel: 'iteration', yLabel: 'cross-entropy of a cell', log: true }))
  return { rows, text: numbers => `
# Muon beside Adam

How soon digits classify themselves: \`npm run reproduce -- optimisers\`. After ${iterations} iterations of 8 samples from seeds, the
share of the cells of 1,000 digits of the test set that are right over steps 20 to 30:

${numbers}

Muon gives all singular values of a step of a matrix about the same size, so that weak directions of a gradient count as much as strong
ones (Jordan et al. 2024); here rates are on the scale of Adam's (Liu et al. 2025).

![loss](${fileOf(context, 'loss', 'svg')})
` }
}
