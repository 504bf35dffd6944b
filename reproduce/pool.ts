/**
 * What is the sample pool good for? Table 5 of Spitznagel & Keuper (2026): a convolution of 3×3 cells, trained without and
 * with a pool of its own older states, some of them damaged or mutated. The claim: without the pool the pattern falls apart once
 * it is perturbed, and recovery is negative; with the pool it is positive.
 *
 * By Adam, as published, the pattern decays without a pool even if nothing perturbs it. By Muon it decays less, so that the two
 * trainings show what a pool is good for beyond that.
 */
import { filmStrip, overWhite } from '../src/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context } from './lib/context.ts'
import { characters, type optimisers } from './lib/emoji.ts'
import { summary } from './lib/learn.ts'
import { listOf } from './lib/models.ts'
import { linesSvg } from './lib/plot.ts'
import type { Report } from './lib/report.ts'
import { numbersOf, trained, type Result } from './perceptions.ts'

const paper = { without: { damage: -196.18, mutation: -125.05 }, with: { damage: 58.74, mutation: 95.75 } } as const

const names = ['without', 'with'] as const

type Both = Readonly<Record<typeof names[number], Result>>

async function both(context: Context, by: keyof typeof optimisers, wanted: number): Promise<Both> {
  const training = { name: 'conv3', by, iterations: iterationsOf(context, wanted, 20) } as const
  return { without: await trained(context, { ...training, pooled: false }), with: await trained(context, { ...training, pooled: true }) }
}

export async function reproducePool(context: Context): Promise<Report> {
  // The model by Muon with a pool is that of the claim `perceptions`, so only those by Adam are written to files.
  const byAdam = await both(context, 'adam', 3000), byMuon = await both({ ...context, models: null }, 'muon', 1000)
  const rows = Object.entries({ Adam: byAdam, Muon: byMuon }).flatMap(([optimiser, results]) =>
    names.map(name => ({ optimiser, pool: name, ...numbersOf(results[name].trial, paper[name]) })))
  const curve = (name: typeof names[number], how: 'undisturbed' | 'damage' | 'mutation') =>
    ({ name: `${how}, ${name} pool`, points: byAdam[name].trial.curves[how] })
  const series = [
    curve('without', 'undisturbed'), curve('without', 'damage'), curve('without', 'mutation'),
    curve('with', 'undisturbed'), curve('with', 'damage'), curve('with', 'mutation'),
  ]
  await writeSvg(context, 'error', await linesSvg(series, {
    title: 'Error by step, disturbed at 149', xLabel: 'step', yLabel: 'mean squared error', log: true,
    events: [{ x: 149, text: 'damage, mutation' }],
  }))
  for (const name of names) {
    const strip = filmStrip(byAdam[name].trial.pictures, { columns: 3 * characters.length, gap: 4 })
    await writePicture(context, name, overWhite(strip))
  }
  return { rows, text: numbers => `
# What is the sample pool good for?

Table 5 of Spitznagel & Keuper (2026), "A New Kind of Network?": recovery with a 3×3 convolution, without and with a pool:
\`npm run reproduce -- pool\`.

${numbers}

${names.map(name => `- by Adam, ${name} pool: ${summary(byAdam[name].learned)}.`).join('\n')}
${names.map(name => `- by Muon, ${name} pool: ${summary(byMuon[name].learned)}.`).join('\n')}

Recovery is 100 (m_final − m_damaged) / (m_before − m_damaged) of the mean squared error: where a pattern decays anyway, the
final state is worse than the damaged one, and recovery is negative. What differs from the paper is said in
[reproduce-perceptions.md](reproduce-perceptions.md); only that Adam, the paper's optimiser, has more iterations here than Muon, and a
rate four times as high as in the paper.

${listOf(context, Object.values(byAdam))}

By Adam, seed ${context.seed}:

![error by step](${fileOf(context, 'error', 'svg')})

Each row: grown, just disturbed (erased above, another condition below), at step 449; both emoji.

${names.map(name => `${name} pool: ![${name}](${fileOf(context, name, 'png')})`).join('\n\n')}
` }
}
