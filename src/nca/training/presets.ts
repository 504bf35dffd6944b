/**
 * The three experiments of Growing Neural Cellular Automata (Mordvintsev, Randazzo, Niklasson & Levin, Distill 2020),
 * with every constant of the published notebook.
 *
 *   growing        the rule learns to reach the target from the seed
 *   persistent     … and to stay there: with a sample pool
 *   regenerating   … and to repair it: with the pool and damage
 */
import { publishedCircles } from './damage.ts'
import type { GrowingOptions } from '../tasks/growing.ts'
import { adam } from './optimiser.ts'
import { mlp } from '../mlp.ts'
import { defineRule } from '../rule/define.ts'
import type { DataRule } from '../rule/types.ts'
import { stepDecay } from './schedule.ts'

/** 16 channels, Sobel perception, 128 hidden units, 8,336 parameters. */
export const growingRule: DataRule = defineRule({
  channels: { rgba: 4, hidden: 12 },
  perceive: ['identity', 'sobelX', 'sobelY'],
  update: mlp(128),
  fireRate: 0.5,
  living: { channel: 3, above: 0.1 },
})

type Published = 'batch' | 'steps' | 'pool' | 'reseed' | 'damaged' | 'damage' | 'optimiser' | 'normalise' | 'warmUp'

/** A preset: everything that a trainer needs except its target, and the other settings of the published runs. */
export type Preset = Required<Pick<GrowingOptions, 'rule' | Published>> & {
  /** Side of the target image, and empty cells around it on each side: the grid is size + 2·padding wide. */
  readonly size: number
  readonly padding: number
  readonly iterations: number
}

const growing: Preset = Object.freeze({
  rule: growingRule,
  size: 40,
  padding: 16,
  iterations: 8001,
  batch: 8,
  steps: [64, 96] as const,
  pool: 0,
  reseed: 1,
  damaged: 0,
  damage: publishedCircles,
  // Keras' PiecewiseConstantDecay([2000], …) of the notebook has the first rate up to and including iteration 2000.
  optimiser: adam({ rate: stepDecay(2e-3, { at: [2001], factor: 0.1 }) }),
  normalise: true,
  warmUp: null,
})

/** The published experiments by name. */
export const presets: Readonly<Record<'growing' | 'persistent' | 'regenerating', Preset>> = Object.freeze({
  growing,
  persistent: Object.freeze({ ...growing, pool: 1024 }),
  regenerating: Object.freeze({ ...growing, pool: 1024, damaged: 3 }),
})
