/**
 * Digits of MNIST that grow from one coloured cell: A.5 and figure 18 (a) to (c) of Spitznagel & Keuper (2026). One rule grows
 * all ten; the colour of the seed says which. It is trained with the mean squared error, with the mean of |x − y| (L1), and with
 * L1 and a critic (WGAN-GP).
 *
 * The claim: a reader can read all of them; without the critic a digit looks the same every time, with it they vary.
 */
import { l1, mse } from '../src/index.ts'
import type { Context } from './lib/context.ts'
import { critic, growDigits, samples, side, small, type Way } from './lib/grown-digits.ts'
import { seedsInWords, type Report } from './lib/report.ts'

const plain = { told: 'seed', critic: null, dropped: 0, scales: [1] } as const

const ways: Readonly<Record<string, Way>> = {
  mse: { ...plain, name: 'MSE', loss: mse },
  l1: { ...plain, name: 'L1', loss: l1 },
  critic: { ...plain, name: 'L1 + critic', loss: l1, critic },
}

export async function reproduceGrowingMnist(context: Context): Promise<Report> {
  const { rows, training, pictures, models, readable, count } = await growDigits(context, ways)
  return { rows, text: numbers => `
# Digits that grow from a coloured cell

A.5 and figure 18 (a) to (c) of Spitznagel & Keuper (2026), "A New Kind of Network?": \`npm run reproduce -- growing-mnist\`. One
rule grows all ten digits of MNIST from one cell, whose colour says which.

${numbers}

A digit is read right where a network that was trained on real digits says what the colour stood for (paper: 100 %); of real
digits that it had not seen it reads ${readable.toFixed(1)} %. There are ${samples} samples of each digit, which differ in nothing but in which cells fire. Some
die before they have grown. The variance is that of each pixel over those that live, on average over all pixels and digits.

${training}

What differs from the paper: digits of ${small}×${small} pixels on ${side}×${side} cells, ${count.toLocaleString('en-US')} of them; ${seedsInWords(context)}.

${models}

Each row a digit: ${samples} samples, and the standard deviation of each pixel over those that live, white where it is 0.5, the most that there can be.

${pictures}
` }
}
