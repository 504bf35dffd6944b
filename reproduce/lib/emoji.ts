/**
 * Emoji for reproductions: one rule that grows several of them, and how well it recovers from damage and mutation.
 *
 * The protocol of Spitznagel & Keuper (2026), section 3: the state after step 149 loses one half, or gets the condition of
 * another target, and is measured at step 449.
 */
import {
  adam, conditionalTask, cosineDecay, defineRule, erase, fit, gather, imageToTensor, key, mean, mse, muon, padImage, recipes,
  recovery, recoveryProtocol, rgba, rollout, scope, setChannels, stack, takeRole, taskTrainer, tensor, tensorToImage,
  upscale, warmUp, type DataParams, type DataRule, type Image, type Optimiser, type Perception, type Task, type Tensor,
  type Trainer, type TrainerState,
} from '../../src/index.ts'
import { emoji } from '../../src/node/index.ts'
import { anyHalf, halfOf } from './halves.ts'
import type { Point } from './plot.ts'

export const characters = ['🦎', '👁️'] as const

/** Side of a target, and of the grid. */
const size = 16
export const side = 20

/** [k,h,w,4] */
export async function targetsOf(): Promise<{ targets: Tensor; images: Image[] }> {
  const images = await Promise.all(characters.map(async c => padImage(fit(await emoji(c), size), (side - size) / 2)))
  return { targets: scope(() => stack(images.map(image => imageToTensor(image)))), images }
}

/** A rule of 16 channels and a condition for each target, as in NCAtorch. */
export function emojiRule(perceive: readonly Perception[]): DataRule {
  const channels = { ...recipes.emoji.rule.channels, condition: characters.length }
  return defineRule({ ...recipes.emoji.rule, channels, perceive })
}

/** Adam as in NCAtorch, with a rate four times as high; and Muon, by which a third of the iterations go further. */
export const optimisers = {
  adam: (iterations: number): Optimiser => adam({ rate: warmUp(50, cosineDecay(2e-3, { length: iterations, final: 1e-4 })), beta1: 0.5, beta2: 0.95 }),
  muon: (iterations: number): Optimiser => muon({ rate: warmUp(30, cosineDecay(4e-3, { length: iterations, final: 2e-4 })) }),
} as const

/** NCAtorch's recipe, shortened: 16×16 pixels, 32 to 48 steps. */
export function emojiTrainer(rule: DataRule, task: Task, optimiser: Optimiser, pooled: boolean): Trainer<TrainerState<DataParams>> {
  return taskTrainer({
    rule, task, batch: 8, steps: [32, 48], optimiser, clip: 1,
    ...(pooled
      ? { pool: 256, write: 'fifo', ranked: 'none', reseed: 4, damaged: 2, damage: anyHalf, mutated: 2 }
      : { pool: 0 }),
  })
}

export type Trial = {
  /** Mean squared error of red, green, blue, alpha by step, of the undisturbed, the damaged, and the mutated. */
  readonly curves: Readonly<Record<'undisturbed' | 'damage' | 'mutation', readonly Point[]>>
  /** Per cent. */
  readonly recovery: Readonly<Record<'damage' | 'mutation', number>>
  readonly error: Readonly<Record<'trained' | 'before' | 'final', number>>
  /** Undisturbed, just perturbed, and at the end: a row for damage and one for mutation, for each target. */
  readonly pictures: Image[]
}

/** Four samples of every target, undisturbed, damaged and mutated. */
export async function tryOut(rule: DataRule, params: DataParams, targets: Tensor, seed: number): Promise<Trial> {
  const { perturb, judge } = recoveryProtocol
  const k = targets.shape[0]
  const own = Array.from({ length: 4 * k }, (_, i) => i % k), others = own.map(i => (i + 1) % k)
  const task = conditionalTask(rule, targets)
  const error = (x: Tensor, wanted: readonly number[]): Promise<number> =>
    scope(() => mean(mse(rgba(x), gather(targets, wanted, 0)))).item()

  /** Runs on, and records the errors. */
  async function onwards(
    x: Tensor, from: number, to: number, wanted: readonly number[],
  ): Promise<{ x: Tensor; curve: Point[] }> {
    const readouts = Array.from({ length: to - from }, (_, i) => i + 1)
      .filter(t => (from + t) % 10 === 0 || from + t === to)
    const states = rollout(rule, params, x, key(seed), { steps: to - from, from, readouts })
    const curve: Point[] = []
    for (const [i, state] of states.entries()) curve.push({ x: from + readouts[i], y: await error(state, wanted) })
    return { x: states.at(-1)!, curve }
  }
  const grown = await onwards(task.seeds(own), 0, perturb, own)
  const seeds = task.seeds(others)
  const disturbed = {
    damage: setChannels(rule, erase(grown.x, halfOf('right', side, own.length)), {
      condition: takeRole(rule, grown.x, 'condition'),
    }),
    mutation: setChannels(rule, grown.x, { condition: takeRole(rule, seeds, 'condition') }),
  }
  const after = {
    undisturbed: await onwards(grown.x, perturb, judge, own),
    damage: await onwards(disturbed.damage, perturb, judge, own),
    mutation: await onwards(disturbed.mutation, perturb, judge, others),
  }
  const before = await error(grown.x, own)
  const at = {
    damage: [await error(disturbed.damage, own), await error(after.damage.x, own)],
    mutation: [await error(disturbed.mutation, others), await error(after.mutation.x, others)],
  }
  const percent = async ([damaged, final]: number[]): Promise<number> =>
    scope(() => recovery(tensor(before), tensor(damaged), tensor(final))).item()
  const pictures: Image[] = []
  for (const how of ['damage', 'mutation'] as const) {
    for (let sample = 0; sample < k; sample++) {
      for (const x of [grown.x, disturbed[how], after[how].x]) pictures.push(upscale(await tensorToImage(x, sample), 4))
    }
  }
  return {
    curves: {
      undisturbed: [...grown.curve, ...after.undisturbed.curve],
      damage: [{ x: perturb, y: at.damage[0] }, ...after.damage.curve],
      mutation: [{ x: perturb, y: at.mutation[0] }, ...after.mutation.curve],
    },
    recovery: { damage: await percent(at.damage), mutation: await percent(at.mutation) },
    error: {
      trained: grown.curve.find(({ x }) => x === 50)!.y, before, final: after.undisturbed.curve.at(-1)!.y,
    },
    pictures,
  }
}
