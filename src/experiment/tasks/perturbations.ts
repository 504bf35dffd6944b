/**
 * What befalls the automata of each task when their recovery is judged (`recover`), by the protocol of Spitznagel & Keuper (2026):
 *
 *   growing, conditional   what `train.damage` says; a conditional one is also told to become another target, if all cells are told
 *   texture                the lower half is erased
 *   trajectory             what `train.damage` says, where it is at the first of several pictures; judged at the last
 *   classification         the picture becomes another one
 *   imageToImage, video    the input becomes another one, where the rule was trained with a pool: without, it lives for one rollout
 *   denoising              nothing: it lives for one rollout
 *   latent                 what `train.damage` says, on the grid of latents; one that is told its target also becomes another
 */
import type { RecoverOptions } from '../../nca/tasks/recover.ts'
import type { RunConfig } from './values.ts'

/** A perturbation, as `recover` takes it. */
export type Perturbation = Pick<RecoverOptions, 'by' | 'damage' | 'perturb' | 'judge'>

const lowerHalf = { shape: 'halfPlane', angle: [Math.PI / 2, Math.PI / 2], offset: [0, 0] } as const

/**
 * The perturbations by which a run is judged.
 *
 * @param examples how many examples its task has; with one, none can become another
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
