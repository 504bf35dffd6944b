/**
 * The subject of a run: everything that training, saving and showing it need to know about its task. growing.ts and lesson.ts
 * make it.
 */
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { lossCurveSvg } from '../../node/charts/chart.ts'
import type { Image } from '../../nca/files/image.ts'
import type { Codec } from '../../nca/latent/autoencoder.ts'
import type { DataParams } from '../../nca/rule/types.ts'
import type { Trainer, TrainerState } from '../../nca/training/trainer.ts'
import type { Validation } from '../../nca/training/validation.ts'
import type { Metric } from './metrics.ts'
import { files } from './run-folder.ts'

export type Subject = {
  readonly trainer: Trainer<TrainerState<DataParams>>
  /** A picture of the targets. */
  readonly target: Image
  /** Trains what is needed before the rule, in the folder of the run: returns the subject with it, or null if interrupted. */
  first?(): Promise<Subject | null>
  /** The autoencoder in whose latents the rule lives, if it does. */
  readonly codec?: Codec
  /** The cells of a state, from which the size of a pool follows. */
  readonly cells: number
  /** `Growing 🦎 on 72×72 cells` */
  readonly title: string
  /** Explanations of the numbers and the pictures of its progress. */
  readonly hints: readonly string[]
  readonly validation?: Validation<DataParams>
  /** The result of a validation in words, with the name of its metric. */
  inWords?(value: number): string
  /** A picture of what the rule makes with these parameters. */
  preview(params: DataParams): Promise<Image>
  /** Writes the pictures of the run. */
  draw(params: DataParams, metrics: readonly Metric[]): Promise<void>
  /** The files and folders that it learns from. */
  readonly data: readonly string[]
  /** The files of the run, with a description of each. */
  readonly written: readonly (readonly [what: string, file: string])[]
  /** The provenance in its model file. */
  readonly provenance: Readonly<Record<string, string>>
  /** What to do next with the run: words, and a command of this program. */
  readonly next: readonly [words: string, command: string]
}

/** The files that runs of all subjects write. */
export const writtenByAll: Subject['written'] = [
  ['how good it is', files.report],
  ['the loss over the iterations', files.chart],
  ['every iteration in numbers', files.metrics],
  ['its configuration', files.config],
  ['where and with what it was trained', files.about],
  ['the checkpoint, from which training can go on', files.checkpoint],
]

/** Writes the loss curve of a run, if it has a loss yet. */
export async function drawLoss(path: string, metrics: readonly Metric[], title: string): Promise<void> {
  if (metrics.length === 0) return // stopped before its first iteration
  await writeFileAtomic(path, await lossCurveSvg({
    iterations: metrics.map(({ iteration }) => iteration), losses: metrics.map(({ loss }) => loss), title,
  }))
}
