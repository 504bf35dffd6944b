/**
 * How models are played: their first state, and their view, which depends on the roles of the rule:
 *
 *   rgba         the colours
 *   rgb          the colours; without a living mask those of a texture, which begins empty and whose zero is ½
 *   latent       the image that the autoencoder decodes
 *   classes      the class of each cell, in colours
 *   output       the result for an input, as the loss of the training says
 *   frames       the newest frame
 *
 * Volumes are shown by their middle plane. The first state is one living cell or an example of the model's file. A rule with an
 * input whose file has no example cannot be played.
 */
import { didYouMean } from '../../backends/options.ts'
import { seen, seenClasses, seenOutput } from '../../experiment/tasks/seen.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { firstState } from '../../nca/files/starts.ts'
import { viewOf, type View } from '../../nca/files/view.ts'
import { latentView } from '../../nca/latent/latent-task.ts'
import { seenCells } from '../../nca/tasks/classify.ts'
import { colours } from '../../nca/tasks/texture.ts'
import { takeChannels, takeRole } from '../../nca/state.ts'
import { zeros } from '../../tensor/ops/create.ts'
import { eye } from '../../tensor/ops/one-hot.ts'
import { argMax } from '../../tensor/ops/reduce.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { channelCount } from '../../nca/rule/channels.ts'
import type { Given } from '../input/command.ts'
import { gridOf, mostCells } from './models.ts'
import { askedOf } from './predicted.ts'

/** A grid of cells, and the first state on it. */
export type Beginning = { readonly sizes: readonly number[]; readonly state: () => Tensor }

/** The beginning of a model, by `--size` and `--example`. A model without one is refused with the command that shows it. */
export function beginningOf(given: Given, model: Model, path: string): Beginning {
  const { rule, params } = model
  const size = given.number('size', 0, { least: 1, most: mostCells })
  const starts = model.starts ?? (rule.channels.condition ? { condition: eye(rule.channels.condition, { like: params.update.w1 }) } : undefined)
  const input = starts ? undefined : rule.frozen[0] ?? (model.codec && askedOf(model.provenance).from ? 'latent' : undefined)
  if (input !== undefined) {
    const shown = ['image', 'input', 'latent'].includes(input) ? `cellgrad predict ${path} INPUT` : 'cellgrad predict RUN, with the folder of its run,'
    return given.refuse(`${path} begins with what is given in its role ${input}, of which its file has no example; ${shown} shows what it makes of one`)
  }
  const example = exampleOf(given, model, starts)
  const map = Object.values(starts ?? {}).find(x => x.shape.length > 2)
  if (map && size > 0) return given.refuse(`--size does not go with ${path}, whose examples have ${map.shape.slice(1, -1).join('×')} cells`)
  const sizes = map?.shape.slice(1, -1) ?? new Array<number>(rule.grid).fill(size || gridOf(model, path))
  return {
    sizes,
    state: () => (isTexture(model) ? zeros([1, ...sizes, channelCount(rule.channels)], { like: params.update.w1 })
      : firstState({ rule, params, starts }, example, sizes)),
  }
}

/** The index of an example that is given as a number or as a name of a condition. */
function exampleOf(given: Given, { provenance }: Model, starts: Model['starts']): number {
  const { example } = given.text
  if (example === undefined) return 0
  if (!starts) return given.refuse('--example is for models whose file has examples, or that are told a condition')
  const count = Object.values(starts)[0].shape[0], names = provenance.conditions?.split(' ') ?? []
  const named = names.length === count ? names.indexOf(example) : -1
  if (named >= 0) return named
  if (/^\d+$/.test(example) && Number(example) < count) return Number(example)
  const known = names.length === count ? `, or one of ${names.join(', ')}${didYouMean(example, names)}` : ''
  return given.refuse(`--example is ${JSON.stringify(example)}, expected a whole number from 0 to ${count - 1}${known}`)
}

function isTexture({ rule: { channels, living }, starts }: Model): boolean {
  return channels.rgb === 3 && !living && !starts
}

/** How a state of a model is seen. */
export function viewOfModel(model: Model): View {
  const { rule, codec, provenance } = model
  const { channels, grid } = rule
  if (codec) return latentView(rule, codec)
  const { loss, ink } = askedOf(provenance)
  if (channels.rgba === 4) return x => seen(() => takeRole(rule, x, 'rgba'))
  if (isTexture(model)) return x => seen(() => colours(x))
  if (channels.classes) return x => seenClasses(() => argMax(takeRole(rule, x, 'classes')), () => seenCells(rule, x))
  if (channels.output) return x => seenOutput(loss, () => takeRole(rule, x, 'output'), ink === true)
  if (channels.frames) return x => seen(() => newest(takeRole(rule, x, 'frames')))
  return grid === 2 ? viewOf(rule) : x => seen(() => takeChannels(x, 0, 1))
}

function newest(frames: Tensor): Tensor {
  const count = frames.shape.at(-1)!
  return takeChannels(frames, count - 1, count)
}
