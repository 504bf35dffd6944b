/**
 * The pictures of a training run: what it grows by now, and, when it ends, the files in its folder.
 */
import { join } from 'node:path'
import { tensorToImage } from '../nca/files/image-tensor.ts'
import type { Image } from '../nca/files/image.ts'
import type { DataParams, DataRule } from '../nca/rule/types.ts'
import { seed } from '../nca/state.ts'
import { rollout } from '../nca/step.ts'
import { key } from '../tensor/key.ts'
import { scope, supersede } from '../tensor/lifetime.ts'
import { saveGif, writeFilmStrip } from '../node/animation.ts'
import { writeFileAtomic } from '../node/atomic-file.ts'
import { lossCurveSvg } from '../node/chart.ts'
import type { Config } from '../experiment/config/schema.ts'
import type { Metric } from './metrics.ts'
import { files } from './run-folder.ts'
import type { Run } from './run-folder.ts'

/** The pattern after a rollout as long as those of the training. */
export async function grown(
  rule: DataRule, params: DataParams, config: Config, { width, height }: Image,
): Promise<Image> {
  const steps = Math.round((config.steps[0] + config.steps[1]) / 2)
  const x = scope(() => rollout(rule, params, seed(rule, { height, width, like: params.update.w1 }), key(0), { steps }))
  const image = await tensorToImage(x)
  supersede(x, null, 'was drawn')
  return image
}

/** Writes the pictures of a run. Growth is shown over twice the length of a rollout: what holds, what does not. */
export async function draw(run: Run, rule: DataRule, params: DataParams, metrics: readonly Metric[]): Promise<void> {
  const { folder, config, name } = run
  const size = config.size + 2 * config.padding
  const length = config.steps[1]
  const scaleTo = (pixels: number): number => Math.max(1, Math.round(pixels / size))
  const still = { key: key(0), size, scale: scaleTo(128), columns: 8 }
  const moving = { key: key(0), size, scale: scaleTo(256), every: 2 }
  const at = Array.from({ length: 16 }, (_, i) => Math.round(((i + 1) * length) / 8))
  await writeFilmStrip(join(folder, files.growth), rule, params, { ...still, at })
  await saveGif(join(folder, files.animation), rule, params, { ...moving, steps: 2 * length })
  await saveGif(join(folder, files.regeneration), rule, params, { ...moving, steps: 3 * length, damageAt: length })
  if (metrics.length === 0) return // stopped before its first iteration: there is no loss yet
  await writeFileAtomic(join(folder, files.chart), await lossCurveSvg({
    iterations: metrics.map(({ iteration }) => iteration),
    losses: metrics.map(({ loss }) => loss),
    title: `${name} ${config.size}×${config.size}, ${config.preset}`,
  }))
}
