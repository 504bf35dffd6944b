/**
 * The time lines of Look inside, in the worker: the rollout that is shown, from the seed, from a sample as in a pool or from
 * the world of Play, and the gradients of the loss of its last state.
 *
 * What the page asks for is kept as data (file, setup, target). Everything that follows from it is computed when it is needed,
 * on the backend of that time. So a GPU may be lost at any moment.
 */
import {
  channelCount, damageMask, decodeModel, erase, fit, imageFromPixels, imageToTensor, key, mean, mse, padImage,
  publishedCircles, rgba, roleNames, rollout, scope, square, tensor, timeline, timelineGradients, type Backend,
  type DataParams, type DataRule, type RoleNames, type Tensor, type Timeline, type TimelineGradients,
} from 'cellgrad'
import type { Engine } from '../../engine/engine.ts'
import type { ModelFile, Target } from '../model-file.ts'
import { firstState, kindOf } from '../play/family.ts'
import type { Grid } from '../play/world.ts'

/**
 * Where a rollout begins: with the seed; with a pattern that has grown and was hurt, as in a sample pool; or with the
 * world of Play as it was left.
 */
export type Start = 'seed' | 'pool' | 'play'

export type Setup = { readonly size: number; readonly steps: number }

/** What the room shows. */
export type Subject = {
  readonly file: ModelFile
  readonly setup: Setup
  /** The picture that the model has learned to grow, if that is known. */
  readonly target: Target | null
  /** The world of Play, if it has this model and size. */
  readonly played: Float32Array | null
}

/** Everything that is computed from a subject, on one backend. */
export type Lines = {
  readonly backend: Backend
  readonly subject: Subject
  readonly rule: DataRule
  readonly params: DataParams
  /** What the model's file calls its channels, by role. */
  readonly names: RoleNames
  readonly loss: (x: Tensor) => Tensor
  /** The loss in words. */
  readonly words: string
  readonly line: (start: Start) => Timeline<DataRule>
  readonly gradients: (start: Start) => TimelineGradients<DataRule>
}

const runKey = key(0)
/** The number of steps after which a sample counts as grown, and is hurt. */
const grownAfter = 200

/** f, which computes the result for each word only once. */
function once<K, T>(f: (word: K) => T): (word: K) => T {
  const known = new Map<K, T>()
  return word => {
    if (!known.has(word)) known.set(word, f(word))
    return known.get(word)!
  }
}

/** Opens a model. Throws if the room cannot show it. */
export function openLines({ backend }: Engine, subject: Subject): Lines {
  const { file, setup: { size, steps } } = subject
  const model = decodeModel(file.bytes, file.name, { backend, dtype: 'float32' })
  const { rule, params } = model
  if (rule.grid !== 2) throw new Error(`${file.name}: this rule is for grids of ${rule.grid} dimensions, and Look inside shows planes.`)
  if (model.cascade) throw new Error(`${file.name}: this rule begins on coarse grids (a cascade), and Look inside shows one grid; cellgrad grow plays it.`)
  const grid = { height: size, width: size, channels: channelCount(rule.channels) }
  const state = (values: Float32Array): Tensor => tensor(values, { shape: [1, size, size, grid.channels], backend })
  const line = once((start: Start) => {
    if (start === 'play') {
      if (!subject.played) throw new Error('look inside: there is no world of this model and size in Play.')
      return timeline(rule, params, state(subject.played), runKey, { steps })
    }
    const first = state(firstOf(rule, grid))
    if (start === 'seed') return timeline(rule, params, first, runKey, { steps })
    return timeline(rule, params, scope(() => {
      const grown = rollout(rule, params, first, key(1), { steps: grownAfter })
      return erase(grown, damageMask(key(2), publishedCircles, 1, size, size, backend))
    }), runKey, { steps })
  })
  const { loss, words } = lossOf(subject, rule, backend)
  return {
    backend, subject, rule, params, names: roleNames(model), loss, words, line, gradients: once((start: Start) => timelineGradients(line(start), loss)),
  }
}

/** The first state as in Play. Rules that classify drawings get one: digits a stroke like a 1, segmentations an outline. */
export function firstOf(rule: DataRule, grid: Grid): Float32Array {
  const { width, height, channels } = grid
  const first = firstState(rule, grid, [Math.floor(width / 2)], 0)
  if (kindOf(rule) !== 'classes') return first
  const isDrawn = rule.inputMask
    ? (x: number, y: number) => Math.abs(x) <= 1 && Math.abs(y) <= 0.3 * height
    : (x: number, y: number) => Math.abs(Math.hypot(x, y) - 0.3 * height) <= 1
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      if (isDrawn(x - Math.floor(width / 2), y - Math.floor(height / 2))) first[(y * width + x) * channels] = 1
    }
  }
  return first
}

/** A target in the middle of a grid, `[size,size,4]`. */
export function wantedOf({ pixels, side }: Target, size: number, backend: Backend): Tensor {
  const image = fit(imageFromPixels(pixels), Math.min(side, size))
  return imageToTensor(padImage(image, Math.floor((size - image.width) / 2)), { backend })
}

/** The loss of the last state: its distance from the target, or, without a target, its mean square. */
function lossOf({ target, setup: { size } }: Subject, rule: DataRule, backend: Backend): Pick<Lines, 'loss' | 'words'> {
  if (target && rule.channels.rgba === 4) {
    const wanted = wantedOf(target, size, backend)
    return { loss: x => mean(mse(rgba(x), wanted)), words: 'mean squared distance of red, green, blue and alpha from the target' }
  }
  return { loss: x => mean(square(x)), words: 'mean square of all channels, since the target is not known' }
}
