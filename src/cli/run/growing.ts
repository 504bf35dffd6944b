/**
 * Runs that grow a picture: their progress display and their files.
 */
import { join } from 'node:path'
import { tensorToImage } from '../../nca/files/image-tensor.ts'
import { padImage, type Image } from '../../nca/files/image.ts'
import type { Backend } from '../../backends/backend.ts'
import type { Config } from '../../experiment/config/schema.ts'
import { trainerOf } from '../../experiment/config/trainer.ts'
import type { DataParams, DataRule } from '../../nca/rule/types.ts'
import { seed } from '../../nca/state.ts'
import { rollout } from '../../nca/step.ts'
import { key } from '../../tensor/key.ts'
import { scope, supersede } from '../../tensor/lifetime.ts'
import { saveGif, writeFilmStrip } from '../../node/animation.ts'
import { quoted } from '../input/invocation.ts'
import type { Metric } from './metrics.ts'
import { goodLikeness } from '../terminal/progress.ts'
import { files, type Run } from './run-folder.ts'
import { isLive } from '../terminal/screen.ts'
import { drawLoss, writtenByAll, type Subject } from './subject.ts'

/** Growing as a subject of a run; `params` are those of a model from which it begins, if there is one. */
export function growing(run: Run & { readonly config: Config }, backend: Backend, params?: DataParams): Subject {
  const { folder, config } = run
  const { rule, data } = config
  const target = padImage(run.target, data.padding)
  const { width, height } = target
  return {
    trainer: trainerOf(config, run.target, { backend }, params),
    target,
    cells: width * height,
    title: `Growing ${data.target} on ${width}×${height} cells`,
    hints: [
      `The error is the mean square of the difference from the target: a good likeness is below ${goodLikeness}.`,
      ...(isLive(process.stdout) ? ['Left: what it should grow. Right: what it grows now.'] : []),
    ],
    preview: params => grown(rule, params, config, target),
    draw: (params, metrics) => draw(run, rule, params, metrics),
    data: [join(folder, files.target)],
    written: [
      ['the trained rule', files.model],
      ['what it grows, over time', files.growth],
      ['the same, animated', files.animation],
      ['how it responds to damage', files.regeneration],
      ['what it should grow', files.target],
      ...writtenByAll,
    ],
    provenance: { target: data.target, preset: config.preset, grid: String(data.size + 2 * data.padding) },
    next: ['Play it', `grow ${quoted(join(folder, files.model))}`],
  }
}

/** The pattern after a rollout as long as those of the training. */
async function grown(rule: DataRule, params: DataParams, { train }: Config, { width, height }: Image): Promise<Image> {
  const steps = Math.round((train.steps[0] + train.steps[1]) / 2)
  const x = scope(() => rollout(rule, params, seed(rule, { height, width, like: params.update.w1 }), key(0), { steps }))
  const image = await tensorToImage(x)
  supersede(x, null, 'was drawn')
  return image
}

/** Writes the pictures of a run. Growth is shown over twice the length of a rollout, to see whether the pattern persists. */
async function draw(run: Run & { readonly config: Config }, rule: DataRule, params: DataParams, metrics: readonly Metric[]): Promise<void> {
  const { folder, config: { data, train, preset }, name } = run
  const size = data.size + 2 * data.padding
  const length = train.steps[1]
  const scaleTo = (pixels: number): number => Math.max(1, Math.round(pixels / size))
  const still = { key: key(0), size, scale: scaleTo(128), columns: 8 }
  const moving = { key: key(0), size, scale: scaleTo(256), every: 2 }
  const at = Array.from({ length: 16 }, (_, i) => Math.round(((i + 1) * length) / 8))
  await writeFilmStrip(join(folder, files.growth), rule, params, { ...still, at })
  await saveGif(join(folder, files.animation), rule, params, { ...moving, steps: 2 * length })
  await saveGif(join(folder, files.regeneration), rule, params, { ...moving, steps: 3 * length, damageAt: length })
  await drawLoss(join(folder, files.chart), metrics, `${name} ${data.size}×${data.size}, ${preset}`)
}
