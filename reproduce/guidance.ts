/**
 * Guidance of growing digits: an experiment like figure 18 (d) of Spitznagel & Keuper (2026, A.5). A rule is trained with a
 * critic, with the condition dropped in a fifth of the samples, and then guided with several scales.
 *
 * The claim: guided digits vary more, and can still be read.
 */
import { l1 } from '../src/index.ts'
import type { Context } from './lib/context.ts'
import { critic, growDigits, samples, side, small, type Way } from './lib/grown-digits.ts'
import { seedsInWords, type Report } from './lib/report.ts'

const ways: Readonly<Record<string, Way>> = {
  told: { name: 'L1 + critic, always told', told: 'cells', loss: l1, critic, dropped: 0, scales: [1, 1.5, 2] },
  guided: { name: 'L1 + critic, told in 80 %', told: 'cells', loss: l1, critic, dropped: 0.2, scales: [0, 1, 1.5, 2, 4] },
}

export async function reproduceGuidance(context: Context): Promise<Report> {
  const { rows, training, pictures, models, readable, count } = await growDigits(context, ways)
  const [plain, ...stronger] = rows.filter(row => row['learnt by'] === ways.guided.name && Number(row.scale) >= 1)
    .map(row => ({ scale: row.scale, read: row['read right, %'], variance: Number(row['variance of pixels']) }))
  const effects = stronger.map(({ scale, read, variance }) => `at ${scale}, ${(variance / plain.variance).toFixed(1)} times the variance, and ${read} % read`)
  const told = rows.find(row => row['learnt by'] === ways.told.name && row.scale === 1.5)!
  return { rows, text: numbers => `
# Grown digits, and how strongly they are told what to be

Figure 18 (d) of Spitznagel & Keuper (2026), "A New Kind of Network?", in kind: \`npm run reproduce -- guidance\`. One rule grows
all ten digits of MNIST from one cell, by classifier-free guidance (Ho & Salimans 2022).

${numbers}

A digit is read right where a network that was trained on real digits says what the rule was told; of real digits that it had not
seen it reads ${readable.toFixed(1)} %. There are ${samples} samples of each digit, which differ in nothing but in which cells
fire. The variance is that of each pixel over those that live, on average over all pixels and digits. At scale 0 the rule is told nothing, so that a tenth would be read right by
chance; at scale 1 it is the rule itself; beyond, it does more of what it does because of what it is told. In a rule that acts on its own results step after step, that adds
up. Beside scale 1, where ${plain.read} % are read: ${effects.join('; ')}. The rule that was always told what to be,
guided with a scale of 1.5 although it has never learnt what to do without that, has a variance of ${told['variance of pixels']}, and ${told['read right, %']} % are read.

${training}

What differs from the paper: digits of ${small}×${small} pixels on ${side}×${side} cells, ${count.toLocaleString('en-US')} of them; what to grow is told to all cells, in
channels that never change, and not by the colour of the seed, since guidance needs both answers of the same cells; ${seedsInWords(context)}.

${models}

Each row a digit: ${samples} samples, and the standard deviation of each pixel over those that live, white where it is 0.5, the most that there can be.

${pictures}
` }
}
