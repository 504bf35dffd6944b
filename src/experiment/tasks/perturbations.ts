/**
 * The perturbations with which recovery is measured (`recover`) for each task, by the protocol of Spitznagel & Keuper (2026):
 *
 *   growing, conditional   damage as in `train.damage`; with a condition in all cells, also another condition
 *   texture                the lower half is erased
 *   trajectory             damage as in `train.damage`, at the first of several pictures; measured at the last
 *   classification         another picture
 *   imageToImage, video    another input, if the rule was trained with a pool: without one, it is made for a single rollout
 *   denoising              none: the rule is made for a single rollout
 *   latent                 damage as in `train.damage`, on the grid of latents; with a condition, also another condition
 */
import type { RecoverOptions } from '../../nca/tasks/recover.ts'
import type { RunConfig } from './values.ts'

/** A perturbation, as options of `recover`. */
export type Perturbation = Pick<RecoverOptions, 'by' | 'damage' | 'perturb' | 'judge'>

const lowerHalf = { shape: 'halfPlane', angle: [Math.PI / 2, Math.PI / 2], offset: [0, 0] } as const

/**
 * The perturbations with which the recovery of a run is measured.
 *
 * @param examples how many examples its task has; with a single one, there is no other to become
 * @example perturbationsOf({ ...config, task: 'texture' }, 1)   // [{ by: 'damage', damage: { shape: 'halfPlane', … } }]
 */
export function perturbationsOf(config: RunConfig, examples: number): readonly Perturbation[] {
  const damage: Perturbation = { by: 'damage', damage: config.train.damage }
  const mutation: readonly Perturbation[] = examples > 1 ? [{ by: 'mutation' }] : []
  switch (config.task) {
    case 'growing': return [damage]
    case 'conditional': return config.data.cells === 'all' ? [damage, ...mutation] : [damage]
    case 'texture': return [{ by: 'damage', damage: lowerHalf }]
    case 'trajectory': {
      const { readouts } = config.train
      return [Array.isArray(readouts) && readouts.length > 1 ? { ...damage, perturb: readouts[0], judge: readouts.at(-1) } : damage]
    }
    case 'classification': return mutation
    case 'imageToImage': case 'video': return config.train.pool > 0 ? mutation : []
    case 'denoising': return []
    case 'latent': return config.data.from === null ? [damage, ...mutation] : [damage]
  }
}
