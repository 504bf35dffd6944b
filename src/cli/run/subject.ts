/**
 * What a run is about, as far as training, saving and showing it have to know: growing.ts and lesson.ts make it.
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
  /** What it should come to. */
  readonly target: Image
  /** What is trained before the rule, in the folder of the run: the subject with it, or null where that was interrupted. */
  first?(): Promise<Subject | null>
  /** The autoencoder in whose latents the rule lives, where it does. */
  readonly codec?: Codec
  /** Cells of a state, by which the size of a pool is known. */
  readonly cells: number
  /** `Growing 🦎 on 72×72 cells` */
  readonly title: string
  /** What is to be known of the numbers and of the pictures of its progress. */
  readonly hints: readonly string[]
  readonly validation?: Validation<DataParams>
  /** What a validation said, by the name of its metric. */
  inWords?(value: number): string
  /** What it comes to by now. */
  preview(params: DataParams): Promise<Image>
  /** Writes the pictures of the run. */
  draw(params: DataParams, metrics: readonly Metric[]): Promise<void>
  /** The files and folders that it learns from. */
  readonly data: readonly string[]
  /** The files of the run, and what they are. */
  readonly written: readonly (readonly [what: string, file: string])[]
  /** What is to be known of its model. */
  readonly provenance: Readonly<Record<string, string>>
  /** What to do with it: words, and a command of this program. */
  readonly next: readonly [words: string, command: string]
}

/** The files that runs of all subjects leave. */
export const writtenByAll: Subject['written'] = [
  ['how good it is', files.report],
  ['the loss over the iterations', files.chart],
  ['every iteration in numbers', files.metrics],
  ['what was asked for', files.config],
  ['where and with what it was trained', files.about],
  ['where training can go on', files.checkpoint],
]

/** Writes the loss curve of a run, if it has a loss yet. */
export async function drawLoss(path: string, metrics: readonly Metric[], title: string): Promise<void> {
  if (metrics.length === 0) return // stopped before its first iteration
  await writeFileAtomic(path, await lossCurveSvg({
    iterations: metrics.map(({ iteration }) => iteration), losses: metrics.map(({ loss }) => loss), title,
  }))
}
