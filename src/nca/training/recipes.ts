/**
 * Published automata: rules with everything that their training needs except a task. Each names its paper and has its numbers.
 *
 * `presets.ts` has the three experiments of Growing NCA. Give a recipe to `taskTrainer`, together with a task:
 *
 *   const trainer = taskTrainer({ ...recipes.digits, task: classificationTask(recipes.digits.rule, images) })
 *
 * Where a paper leaves a number open, the choice is marked as ours.
 */
import { mlp } from '../mlp.ts'
import { adam } from './optimiser.ts'
import { attention } from '../perceptions/attention.ts'
import { conv } from '../perceptions/conv.ts'
import { deformable } from '../perceptions/deformable.ts'
import { depthwise } from '../perceptions/depthwise.ts'
import { defineRule } from '../rule/define.ts'
import type { DataRule, Perception } from '../rule/types.ts'
import { cosineDecay, exponentialDecay, stepDecay, warmUp } from './schedule.ts'
import type { TrainerOptions } from './trainer-options.ts'

/** The options of a trainer except the task, and how long the paper trains. */
export type Recipe = Omit<TrainerOptions, 'task'> & { readonly iterations: number }

/**
 * Randazzo, Mordvintsev, Niklasson, Levin & Greydanus, "Self-classifying MNIST Digits" (Distill 2020): 22,499
 * parameters. A quarter of each batch is reseeded, a quarter gets another digit.
 */
const digits: Recipe = {
  rule: defineRule({
    channels: { image: 1, hidden: 9, classes: 10 }, frozen: ['image'], inputMask: { channel: 0, above: 0.1 },
    perceive: [conv(80, { bias: true, activation: 'relu' })], update: mlp(80), fireRate: 0.5,
    noise: { on: 'change', std: 0.02 },
  }),
  batch: 16, steps: [20, 21], pool: 160, ranked: 'none', reseed: 4, mutated: 4, normalise: true,
  optimiser: adam({ rate: stepDecay(1e-3, { at: [30_000, 70_000], factor: 0.1 }) }),
  iterations: 100_000,
}

/**
 * Niklasson, Mordvintsev, Randazzo & Levin, "Self-Organising Textures" (Distill 2021): 5,856 parameters. (The paper draws
 * a fresh seed every eighth iteration; here the worst sample of each batch is reseeded.)
 */
const texture: Recipe = {
  rule: defineRule({
    channels: { rgb: 3, hidden: 9 }, padding: 'circular', fireRate: 0.5,
    perceive: [
      'identity', { name: 'sobelX', factor: 8 }, { name: 'sobelY', factor: 8 }, { name: 'laplacian', factor: 16 },
    ],
    update: mlp(96, { init: 'torch', lastBias: false }),
  }),
  batch: 4, steps: [32, 96], pool: 256, reseed: 1, normalise: true,
  optimiser: adam({ rate: stepDecay(1e-3, { at: [1000, 2000], factor: 0.3 }) }),
  iterations: 5000,
}

/**
 * The conditional emoji of NCAtorch (Spitznagel & Keuper, "A New Kind of Network?", 2026) with its 3×3 convolution, for
 * five targets. The paper gives the steps; widths, batch and optimiser are those of its framework's configuration, the size of the
 * pool is that of Growing NCA, and the numbers of damaged and mutated samples are ours.
 */
const emoji: Recipe = {
  rule: defineRule({
    channels: { rgba: 4, hidden: 12, condition: 5 }, frozen: ['condition'], padding: 'circular', fireRate: 0.5,
    perceive: [conv(80, { bias: true, activation: 'leakyRelu' })],
    update: mlp(80, { activation: 'leakyRelu', lastStd: 1e-3 }), living: { channel: 3, above: 0.1 },
  }),
  batch: 10, steps: [64, 96], pool: 1024, write: 'fifo', ranked: 'none', reseed: 5, damaged: 2, mutated: 2, clip: 1,
  optimiser: adam({ rate: warmUp(1000, cosineDecay(5e-4, { length: 99_000 })), beta1: 0.5, beta2: 0.95 }),
  iterations: 100_000,
}

/**
 * Growing in NCALab (the framework of MECLab at TU Darmstadt): learned filters beside the state itself, a last layer without
 * bias, and a learning rate that falls in every iteration. Batch, steps and pool are those of Growing NCA.
 */
const learnedFilters: Recipe = {
  rule: defineRule({
    channels: { rgba: 4, hidden: 12 }, perceive: ['identity', depthwise(2)], update: mlp(128, { lastBias: false }),
    fireRate: 0.5, living: { channel: 3, above: 0.1 },
  }),
  batch: 8, steps: [64, 96], pool: 1024, reseed: 1, normalise: true,
  optimiser: adam({ rate: exponentialDecay(1.6e-3, { factor: 0.9999 }), beta1: 0.9, beta2: 0.99 }),
  iterations: 8000,
}

const leaky = { bias: true, activation: 'leakyRelu' } as const

/**
 * The perceptions that Spitznagel & Keuper (2026) compare in table 1, for the field `perceive` of a rule. The combined one is
 * NCAtorch's: a convolution beside one whose taps are two cells apart. The width of the others, 80 as that of the first, is ours.
 */
export const publishedPerceptions: Readonly<Record<
  'sobel' | 'conv3' | 'conv5' | 'deformable' | 'combined' | 'attention', readonly Perception[]
>> = Object.freeze({
  sobel: ['identity', 'sobelX', 'sobelY'],
  conv3: [conv(80, leaky)],
  conv5: [conv(80, { ...leaky, size: 5 })],
  deformable: [deformable(80)],
  combined: [conv(40, leaky), conv(40, { ...leaky, size: 5, dilation: 2 })],
  attention: ['identity', attention(80, { heads: 4 })],
})

/** The recipes by name. */
export const recipes: Readonly<Record<'digits' | 'texture' | 'emoji' | 'learnedFilters', Recipe & { rule: DataRule }>> =
  Object.freeze({ digits, texture, emoji, learnedFilters })
