/**
 * Pictures of what a run makes of its own examples (of the held-out ones, if there are any), or makes out of noise.
 */
import { join } from 'node:path'
import { isGrowing, type RunConfig } from '../../experiment/tasks/values.ts'
import { guided } from '../../nca/guidance.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { predict } from '../../nca/tasks/evaluate.ts'
import { writeFilmStrip } from '../../node/animation.ts'
import { writePng } from '../../node/pictures/png.ts'
import { key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { say } from '../terminal/output.ts'
import { judgedBy } from './judge.ts'

/** Writes pictures, named by the index of the example in the data or, of pictures out of noise, by the number of the key. */
export async function predictOwn(
  config: RunConfig, { rule, params, cascade, codec }: Model, { steps, out, guidance }: { readonly steps: number; readonly out: string; readonly guidance: number },
): Promise<void> {
  if (isGrowing(config)) {
    const { size, padding } = config.data
    const path = join(out, '0.png')
    await writeFilmStrip(path, rule, params, { key: key(0), size: size + 2 * padding, scale: 1, at: [steps] })
    return say(path)
  }
  const { lesson, ids } = await judgedBy(config, false, codec)
  if (lesson.imagine) {
    for (let i = 0; i < config.report.examples; i++) {
      const path = join(out, `${i}.png`)
      await writePng(path, await lesson.imagine(params, key(i), steps))
      say(path)
    }
    return
  }
  const runner = guidance === 1 ? rule : guided(rule, guidance)
  for (const id of ids) {
    const path = join(out, `${id}.png`)
    await writePng(path, await lesson.show(scope(() => predict(runner, lesson.task, params, { steps, cascade, examples: [id] })), [id], params))
    say(path)
  }
}
