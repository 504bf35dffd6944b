/**
 * Which perception recovers best? Table 1 of Spitznagel & Keuper (2026), all six of its perceptions, for two emoji.
 *
 * Network, recipe and seed are the same for all; only the perception differs: Sobel filters, convolutions of 3×3 and of 5×5 cells,
 * a deformable convolution, the combination of 3×3 cells with 5×5 taps that are two cells apart, and attention. Attention alone is
 * trained for longer, three times as many iterations, since it learns more slowly.
 */
import {
  conditionalTask, eye, filmStrip, key, overWhite, publishedPerceptions, rollout, scope, tensorToImage, type DataParams,
} from '../src/index.ts'
import { fileOf, iterationsOf, writePicture, writeSvg, type Context, type Row } from './lib/context.ts'
import { characters, emojiRule, emojiTrainer, optimisers, side, targetsOf, tryOut, type Trial } from './lib/emoji.ts'
import { learn, summary, type Learned } from './lib/learn.ts'
import { judgeModel, listOf } from './lib/models.ts'
import { linesSvg } from './lib/plot.ts'
import { seedsInWords, type Report } from './lib/report.ts'

type Name = keyof typeof publishedPerceptions

/** Their recovery in the paper's table, in per cent. */
const paper = {
  sobel: { damage: 84.92, mutation: 93.64 },
  conv3: { damage: 58.74, mutation: 95.75 },
  conv5: { damage: 89.58, mutation: 98.34 },
  deformable: { damage: 96.17, mutation: 98.33 },
  combined: { damage: 98.32, mutation: 99.64 },
  attention: { damage: 85.78, mutation: 95.05 },
} as const satisfies Record<Name, { damage: number; mutation: number }>

/** A trained rule, its trial, and its file in Markdown. */
export type Result = { readonly learned: Learned; readonly trial: Trial; readonly file: string | null }

/** Iterations of a training: three times as many for attention, which learns more slowly. */
const lengthOf = (context: Context, name: Name): number => iterationsOf(context, name === 'attention' ? 3000 : 1000, 20)

type Training = { readonly name: Name; readonly pooled: boolean; readonly by: keyof typeof optimisers; readonly iterations: number }

/** Trains one rule, or goes on where it was interrupted, and tries it out. */
export async function trained(context: Context, { name, pooled, by, iterations }: Training): Promise<Result> {
  const rule = emojiRule(publishedPerceptions[name])
  const { targets, images } = await targetsOf()
  const task = conditionalTask(rule, targets)
  const trainer = emojiTrainer(rule, task, optimisers[by](iterations), pooled)
  const learned = await learn(context, `${name}-${by}${pooled ? '' : '-no-pool'}`, trainer, {
    iterations, target: images[0],
    paint: (params: DataParams) =>
      tensorToImage(scope(() => rollout(rule, params, task.seeds([0]), key(0), { steps: 40 }))),
  })
  const { measured, file } = await judgeModel(context, `${name}${pooled ? '' : '-no-pool'}`, learned, {
    rule, data: { set: 'Noto Emoji' }, grid: side, steps: [32, 48], names: { conditions: 'lizard eye' }, starts: { condition: eye(characters.length) },
  }, { measure: ({ params }) => tryOut(rule, params, targets, context.seed), shown: trial => numbersOf(trial, paper[name]) })
  return { learned, trial: measured, file }
}

/** The numbers of a trial beside those of the paper. */
export function numbersOf({ error, recovery }: Trial, paper: { damage: number; mutation: number }): Row {
  return {
    'log10 error, step 50': Math.log10(error.trained).toFixed(2),
    'step 149': Math.log10(error.before).toFixed(2),
    'step 449': Math.log10(error.final).toFixed(2),
    'recovery from damage, %': recovery.damage.toFixed(1),
    'paper, damage': paper.damage,
    'recovery from mutation, %': recovery.mutation.toFixed(1),
    'paper, mutation': paper.mutation,
  }
}

export async function reproducePerceptions(context: Context): Promise<Report> {
  const results: (Result & { name: Name })[] = []
  for (const name of Object.keys(paper) as Name[]) {
    results.push({ name, ...await trained(context, { name, pooled: true, by: 'muon', iterations: lengthOf(context, name) }) })
  }
  const rows = results.map(({ name, trial }) => ({ perception: name, ...numbersOf(trial, paper[name]) }))
  const series = results.map(({ name, trial }) => ({ name, points: trial.curves.damage }))
  await writeSvg(context, 'damage', await linesSvg(series, {
    title: 'After half of the pattern was erased at step 149', xLabel: 'step', yLabel: 'mean squared error', log: true,
  }))
  for (const { name, trial } of results) {
    await writePicture(context, name, overWhite(filmStrip(trial.pictures, { columns: 3 * characters.length, gap: 4 })))
  }
  const names = Object.keys(paper) as Name[]
  const order = (of: (name: Name) => number): string => names.toSorted((a, b) => of(b) - of(a)).join(' > ')
  const orders = (all: readonly Row[], how: 'damage' | 'mutation'): string => {
    const mean = (name: Name): number => Number.parseFloat(String(all.find(({ perception }) => perception === name)![`recovery from ${how}, %`]))
    return `${order(mean)} (paper: ${order(name => paper[name][how])})`
  }
  return { rows, text: (numbers, all) => `
# Which perception recovers best?

Table 1 of Spitznagel & Keuper (2026), "A New Kind of Network?", with all its perceptions: \`npm run reproduce -- perceptions\`.

${numbers}

By mean recovery from damage: ${orders(all, 'damage')}.

By mean recovery from mutation: ${orders(all, 'mutation')}.

${results.map(({ name, learned }) => `- ${name}: ${summary(learned)}.`).join('\n')}

What differs from the paper: two emoji (${characters.join(' ')}) of 16×16 pixels on 20×20 cells instead of five larger ones,
${lengthOf(context, 'conv3').toLocaleString('en-US')} iterations (${lengthOf(context, 'attention').toLocaleString('en-US')} for attention, which learns more slowly) of 32 to 47 steps instead of 100,000 of 64 to 95, batches of 8 and a pool of 256 instead of 10 and 1,024, Muon in the place of Adam, and the mean squared error instead
of LPIPS, for which there is no network here; convolutions are 80 channels wide, of which the paper says nothing but for the combined one. Of ${seedsInWords(context)}, eight samples each: small differences say
nothing.

${listOf(context, results)}

![error after damage](${fileOf(context, 'damage', 'svg')})

Each row: grown, just disturbed (erased above, another condition below), at step 449; both emoji.

${results.map(({ name }) => `${name}: ![${name}](${fileOf(context, name, 'png')})`).join('\n\n')}
` }
}
