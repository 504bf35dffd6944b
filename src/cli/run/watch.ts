/**
 * Watchers of a run besides the terminal: TensorBoard, and a module of the user's own.
 */import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { flatten, word, type Json } from '../../experiment/flat.ts'
import type { Image } from '../../nca/files/image.ts'
import type { IterationMetrics, Progress } from '../../nca/training/train.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { eachLeaf } from '../../tensor/tree.ts'
import { encodePng } from '../../node/pictures/png.ts'
import { openTensorboard } from '../../node/tensorboard.ts'
import { outputsOf } from '../../experiment/tasks/experiment.ts'
import { isGrowing, runYaml, type RunConfig } from '../../experiment/tasks/values.ts'
import { say } from '../terminal/output.ts'
import { files, type Run } from './run-folder.ts'
import { UsageError } from '../input/usage.ts'

/** Functions that are called during a run. */
export type Watcher = {
  /** After each iteration. */
  iteration(metrics: IterationMetrics): Promise<void>
  /** At each checkpoint, with the parameters, the last gradient and a picture. */
  saved(progress: Progress<{ readonly iteration: number; readonly params: unknown }>, picture: () => Promise<Image>): Promise<void>
  /** When the run has reached its end. */
  end(): Promise<void>
  close(): Promise<void>
}

/** The function that the module of `--on-metrics` exports; it is called after every iteration. */
export type OnMetrics = (metrics: IterationMetrics, run: { folder: string; config: unknown }) => void | Promise<void>

/** Loads the function from a module; throws a UsageError if there is none. */
export async function loadOnMetrics(command: string, file: string): Promise<OnMetrics> {
  const refuse = (why: string): never => { throw new UsageError(`${command}: --on-metrics ${file}: ${why}`) }
  if (!existsSync(file)) refuse('there is no such file')
  const { onMetrics } = await import(pathToFileURL(resolve(file)).href).catch((cause: Error) => refuse(cause.message)) as { onMetrics?: unknown }
  return typeof onMetrics === 'function' ? onMetrics as OnMetrics : refuse('it exports no function onMetrics')
}

/** The tag of a task's pictures: what they show. */
function pictured(config: RunConfig): string {
  switch (config.task) {
    case 'classification': return 'classes'
    case 'imageToImage': return outputsOf(config.data.loss)
    case 'denoising': return 'values'
    case 'video': return 'frames'
    case 'texture': return 'texture'
    default: return 'grown'
  }
}

const scalars = ['loss', 'gradNorm', 'steps', 'rate'] as const

/**
 * Writes a run's event files in its folder; null if they are not wanted and there are none already. Scalars are written after
 * each iteration, pictures and histograms at each checkpoint.
 *
 * @param from the number of iterations already done
 */
export async function watchByTensorboard(
  { folder, config }: Run, { wanted, hyperparameters, from }: { wanted: boolean; hyperparameters?: readonly string[]; from: number },
): Promise<Watcher | null> {
  const path = join(folder, files.tensorboard)
  const isNew = !existsSync(path)
  if (isNew && !wanted) return null
  const log = await openTensorboard(path, from)
  if (isNew) {
    const paths = Object.keys(flatten(config as unknown as Record<string, Json>))
    for (const path of hyperparameters?.filter(path => !paths.some(name => `${name}.`.startsWith(`${path}.`))) ?? []) {
      say(`Left out of TensorBoard's table of hyperparameters: ${path}, which this run does not have`)
    }
    const isShown = (name: string): boolean => !hyperparameters || hyperparameters.some(path => name === path || name.startsWith(`${path}.`))
    const values = Object.entries(flatten(config as unknown as Record<string, Json>)).filter(([name]) => isShown(name)).map(([name, value]) => (
      [name, typeof value === 'number' || typeof value === 'boolean' ? value : word(value)]
    ))
    const judged = !isGrowing(config) && config.validate ? ['loss', 'validation'] : ['loss']
    await log.hyperparameters(Object.fromEntries(values) as Record<string, number | string | boolean>, judged)
    await log.write(from, [{ tag: 'config', text: `\`\`\`yaml\n${runYaml(config)}\n\`\`\`` }])
  }
  return {
    iteration: metrics => log.write(metrics.iteration, [
      ...scalars.map(tag => ({ tag, scalar: metrics[tag] })),
      ...(metrics.distance === undefined ? [] : [{ tag: 'distance', scalar: metrics.distance }]),
      ...(metrics.validation === null ? [] : [{ tag: 'validation', scalar: metrics.validation }]),
    ]),
    async saved({ state, grads }, picture) {
      const image = await picture()
      await log.write(state.iteration, [
        { tag: pictured(config), png: encodePng(image), width: image.width, height: image.height },
        ...await histograms('weights', state.params), ...await histograms('gradients', grads),
      ])
    },
    end: () => log.end(),
    close: () => log.close(),
  }
}

async function histograms(group: string, tree: unknown): Promise<{ tag: string; histogram: ArrayLike<number> }[]> {
  const tensors: [string, Tensor][] = []
  eachLeaf(tree, (leaf, path) => { if (leaf instanceof Tensor) tensors.push([path, leaf]) })
  return Promise.all(tensors.map(async ([path, t]) => ({ tag: `${group}/${path}`, histogram: await t.data() })))
}
