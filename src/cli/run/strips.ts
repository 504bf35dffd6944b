/**
 * One picture of what the models of several runs make, step by step: a row for each model, of one example.
 */
import { join } from 'node:path'
import { isGrowing, type RunConfig } from '../../experiment/tasks/values.ts'
import { filmStrip, upscale, type Image } from '../../nca/files/image.ts'
import { inStages } from '../../nca/cascade.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { rollout } from '../../nca/step.ts'
import { stripOf } from '../../node/animation.ts'
import { stripsSvg } from '../../node/charts/strips-chart.ts'
import { key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { loadRunConfig } from '../input/config-file.ts'
import { judgedBy, modelOf } from './judge.ts'
import { files } from './run-folder.ts'

/** Strips over twice the length of the longest rollouts in the training of any of the runs, as the text of an SVG file. */
export async function stripsOfRuns(runs: readonly { readonly name: string; readonly folder: string }[]): Promise<string> {
  const all = await Promise.all(runs.map(async ({ name, folder }) => (
    { name, config: await loadRunConfig({ file: join(folder, files.config), command: 'cellgrad runs' }), model: await modelOf(folder) }
  )))
  const length = Math.max(...all.map(({ config }) => config.train.steps[1]))
  const at = [...new Set([0, 1, 2, 3, 4, 6, 8].map(i => Math.round((i * length) / 4)))]
  const strips: { name: string; image: Image }[] = []
  for (const { name, config, model } of all) strips.push({ name, image: await strip(config, model, at) })
  return stripsSvg(strips, at)
}

/** The factor by which pictures are enlarged: small ones to about 128 pixels. */
const scaleOf = (height: number): number => Math.max(1, Math.round(128 / height))

async function strip(config: RunConfig, { rule, params, cascade, codec }: Model, at: readonly number[]): Promise<Image> {
  if (isGrowing(config)) {
    const size = config.data.size + 2 * config.data.padding
    return stripOf('runs', rule, params, { key: key(0), size, scale: scaleOf(size), at })
  }
  const { lesson, ids: [id] } = await judgedBy(config, false, codec)
  const states = scope(() => {
    const first = lesson.task.seeds([id], key(0))
    return [first, ...rollout(inStages(rule, cascade), params, first, key(0), { steps: at.at(-1)!, readouts: at.slice(1) })]
  })
  const images = await Promise.all(states.map(async x => lesson.show(x, [id], params)))
  const scale = scaleOf(images[0].height)
  return filmStrip(images.map(image => upscale(image, scale)), { columns: images.length, gap: 2 * scale })
}
