/**
 * The trained models of reproductions, for the first seed: in half precision if every number of them on the page stays the same
 * to the last digit, else in single precision.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { decodeModel, encodeModel, type Model } from '../../src/index.ts'
import { writeFileAtomic } from '../../src/node/index.ts'
import type { Context } from './context.ts'
import type { Learned } from './learn.ts'

/** The folder of the bundled models, which `cellgrad grow` finds by name. */
export const shipped = 'assets/claims'

/** A model without its parameters, and its provenance. */
export type Described = Pick<Model, 'rule' | 'codec' | 'starts'> & {
  /** The data set in words; the loss, which determines the meaning of outputs; `ink` if large outputs are dark. */
  readonly data: { readonly set: string; readonly loss?: 'mse' | 'depth' | 'diceBce' | 'classes'; readonly ink?: true }
  /** Rows and columns of the grid, if it is square. */
  readonly grid?: number
  /** Steps of a rollout in training: from the first number up to, not including, the second. */
  readonly steps: readonly [number, number]
  /** The names of its classes or conditions, separated by spaces. */
  readonly names?: Readonly<Partial<Record<'classes' | 'conditions', string>>>
}

export type Judged<M> = {
  readonly measured: M
  /** The model's file with its size and the command that plays it, in Markdown; null for seeds other than the first. */
  readonly file: string | null
}

/**
 * Measures a model and, for the first seed, writes it.
 *
 * @param shown the part of a measurement that the page shows, as JSON
 */
export async function judgeModel<M>(
  context: Context, part: string, { params, losses }: Pick<Learned, 'params' | 'losses'>, described: Described,
  { measure, shown }: { measure(model: Model): Promise<M>; shown(measured: M): unknown },
): Promise<Judged<M>> {
  const { data, grid, steps, names, ...own } = described
  const name = [context.name, part].filter(word => word !== '').join('-')
  const last = losses.slice(-100)
  const model: Model = {
    ...own, params,
    provenance: {
      claim: name, data: JSON.stringify(data), ...(grid && { grid: String(grid) }), steps: steps.join(' to '), ...names,
      iterations: String(losses.length), loss: (last.reduce((a, b) => a + b) / last.length).toPrecision(3), seed: String(context.seed),
    },
  }
  const measured = await measure(model)
  if (context.models === null) return { measured, file: null }
  const half = await encodeModel(model, { dtype: 'float16' })
  const alike = JSON.stringify(shown(await measure(decodeModel(half)))) === JSON.stringify(shown(measured))
  const bytes = alike ? half : await encodeModel(model)
  mkdirSync(context.models, { recursive: true })
  await writeFileAtomic(join(context.models, `${name}.safetensors`), bytes)
  const size = `${Math.ceil(bytes.length / 1024)} KB in ${alike ? 'half' : 'single'} precision`
  return { measured, file: `\`${name}.safetensors\` (${size}): \`cellgrad grow ${context.models === shipped ? name : join(context.models, `${name}.safetensors`)}\`` }
}

/** The files of models as a list in Markdown. */
export function listOf(context: Context, models: readonly Pick<Judged<unknown>, 'file'>[]): string {
  const files = models.flatMap(({ file }) => file ?? [])
  return `The models of seed ${context.seed} are in \`${context.models}\`; from the files, the numbers of that seed are the same to the last digit:\n\n${files.map(file => `- ${file}`).join('\n')}`
}
