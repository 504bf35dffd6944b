/**
 * Runs a rule and makes pictures of it: one by one, as a GIF, or as a film strip.
 */
import { seedFrom } from '../nca/files/starts.ts'
import { viewOf, type View } from '../nca/files/view.ts'
import { checkImage, checkPictureSize, filmStrip, mostPixels, stripSize, upscale, type Image } from '../nca/files/image.ts'
import { damagedBut, damageMask, wholeDamage, type Damage } from '../nca/training/damage.ts'
import type { DataParams, DataRule, Params, Rule } from '../nca/rule/types.ts'
import { seed } from '../nca/state.ts'
import { rollout } from '../nca/step.ts'
import { checkKey, foldIn, type Key } from '../tensor/key.ts'
import { scope, supersede } from '../tensor/lifetime.ts'
import { showShape } from '../tensor/shape.ts'
import {
  callable, check, checkOptions, isObject, isWhole, keysOf, later, numberFrom, required, wholeFrom, type Kinds,
} from '../backends/options.ts'
import { aTensor, Tensor } from '../tensor/tensor.ts'
import { eachLeaf } from '../tensor/tree.ts'
import { writeFileAtomic } from './atomic-file.ts'
import { checkGifSize, encodeGif } from './pictures/gif.ts'
import { stripsSvg } from './charts/strips-chart.ts'
import { writePng } from './pictures/png.ts'

// The place of the damage is drawn under `foldIn(key, notAStep)`, a number that no step has.
const notAStep = 2 ** 32 - 1

/** How a pattern is grown and shown. */
export type PlayOptions = {
  /** The random key; the same key shows the same growth. */
  key: Key
  /** Steps in all, a whole number ≥ 0. */
  steps: number
  /** Rows and columns of the grid, a whole number > 0; growth starts from one living cell in its centre. */
  size: number
  /** The first state `[1,h,w,c]`, instead of that seed. */
  start?: Tensor
  /**
   * How a state `[1,h,w,c]` becomes a picture: `tensorToImage`, `channelView(1)`, `gridView()` or a function of your
   * own. Default `viewOf(rule)`: the role `rgba` or `rgb`, else a map of every channel.
   */
  view?: View
  /** Rotation of what cells sense, in radians; default 0. */
  angle?: number
  /** Erases a part of the pattern once, after this number of steps, a whole number ≥ 0, except its frozen channels; on planes only. Default never. */
  damageAt?: number
  /** The part that is erased, default `visibleCircle`. */
  damage?: Damage
  /** Steps from one picture to the next, a whole number > 0; default 1. */
  every?: number
}

export type GifFileOptions = PlayOptions & {
  /** Pixels per cell along each side, a whole number > 0; default 4. */
  scale?: number
  /** Time each frame stays in milliseconds, default 50; see `GifOptions`. */
  delayMs?: number
}

export type FilmStripFileOptions = Omit<PlayOptions, 'steps' | 'every'> & {
  /** The numbers of steps after which there is a picture. */
  at: readonly number[]
  /** Pictures in a row, a whole number > 0; default all. */
  columns?: number
  /** Pixels per cell along each side, a whole number > 0; default 4. */
  scale?: number
}

const momentKinds: Kinds<Omit<PlayOptions, 'steps' | 'every'>> = {
  key: later,
  size: required(wholeFrom(1)),
  start: aTensor,
  view: { fits: callable.fits, expected: 'a function of a state that returns an image' },
  angle: numberFrom(),
  damageAt: wholeFrom(0),
  damage: later,
}
const playKinds: Kinds<PlayOptions> = { ...momentKinds, steps: required(wholeFrom(0)), every: wholeFrom(1) }
const playOptions = keysOf<PlayOptions>(playKinds)
const gifFileOptions = keysOf<GifFileOptions>({ ...playKinds, scale: wholeFrom(1), delayMs: later })
const filmStripFileOptions = keysOf<FilmStripFileOptions>({
  ...momentKinds,
  at: required({
    fits: at => Array.isArray(at) && at.length > 0 && at.every(n => isWhole(n)), expected: 'a list of numbers of steps',
  }),
  columns: wholeFrom(1),
  scale: wholeFrom(1),
})

/** A circle that shows regeneration well: large, and within the pattern. */
export const visibleCircle: Damage = Object.freeze({
  shape: 'circle', centre: [-0.3, 0.3], radius: [0.25, 0.35],
} as const)

/** A moment of a growing pattern. */
export type Moment = { readonly step: number; readonly image: Image }

/**
 * Yields the pattern at the start, after every `every` steps, and after the last step. In step t the cells that fire are drawn
 * under `foldIn(key, t)`, as in `rollout`.
 *
 * @example for await (const { step, image } of play(rule, params, { key: key(0), steps: 96, size: 72 })) …
 */
export function play<R extends Rule>(
  rule: R, params: Params<R>, options: PlayOptions,
): AsyncGenerator<Moment, void, void> {
  checkOptions('play', options, playOptions)
  return everySoManySteps(rule, params, options)
}

function everySoManySteps<R extends Rule>(
  rule: R, params: Params<R>, options: PlayOptions,
): AsyncGenerator<Moment, void, void> {
  const { steps, every = 1 } = options
  check(steps / every <= 1e6, 'play', 'steps', steps, `at most a million pictures, one for every ${every} steps`)
  const at = Array.from({ length: Math.floor(steps / every) + 1 }, (_, i) => i * every)
  return moments(rule, params, options, [...at, steps])
}

/** Yields the pattern after each of these numbers of steps. */
async function* moments<R extends Rule>(
  rule: R, params: Params<R>, options: Omit<PlayOptions, 'steps' | 'every'>, at: readonly number[],
): AsyncGenerator<Moment, void, void> {
  const { key, size, start, view = viewOf(rule), angle, damageAt, damage = visibleCircle } = options
  checkKey('play', key)
  wholeDamage('play', damage)
  const shown = new Set(at)
  const last = at.reduce((most, step) => Math.max(most, step), 0)
  const stops = [...new Set(shown).add(damageAt ?? last)].sort((a, b) => a - b)
  let x = start ?? seed(rule, { height: size, width: size, from: seedFrom(rule), like: someTensor(params) })
  check(damageAt === undefined || x.shape.length === 4, 'play', 'damageAt', damageAt, `none, since ${showShape(x.shape)} is not a plane`)
  let t = 0
  try {
    for (const stop of stops.filter(n => n <= last)) {
      const next = scope(() => {
        const y = rollout(rule, params, x, key, { steps: stop - t, from: t, angle })
        if (stop !== damageAt || stop === 0) return y
        return damagedBut(rule, y, damageMask(foldIn(key, notAStep), damage, 1, y.shape[1], y.shape[2], y.backend))
      }, 'a step of play()')
      if (x !== start && x !== next) supersede(x, null, 'was superseded by the next step of play()')
      x = next
      t = stop
      if (shown.has(t)) yield { step: t, image: pictureOf(await view(x)) }
    }
  } finally {
    if (x !== start) supersede(x, null, 'belonged to play(), which has ended')
  }
}

/** Throws unless a view has made a picture. */
function pictureOf(image: Image): Image {
  check(isObject(image), 'play', 'what view returned', image, 'an image: width, height and data')
  checkImage('play', image, 'what view returned')
  return image
}

/** One of the tensors of a tree, which shows on which backend they are. */
function someTensor(tree: unknown): Tensor | undefined {
  let found: Tensor | undefined
  eachLeaf(tree, leaf => { if (leaf instanceof Tensor) found = leaf })
  return found
}

/**
 * Writes an animation of a pattern as a GIF over white.
 *
 * @throws if the view cannot show a state
 * @example await saveGif('lizard.gif', rule, params, { key: key(0), steps: 200, size: 72, every: 2, scale: 4 })
 */
export async function saveGif<R extends Rule>(
  path: string, rule: R, params: Params<R>, options: GifFileOptions,
): Promise<void> {
  checkOptions('saveGif', options, gifFileOptions)
  const { scale = 4, delayMs } = options
  const count = Math.ceil(options.steps / (options.every ?? 1)) + 1
  const frames: Image[] = []
  for await (const { image } of everySoManySteps(rule, params, options)) {
    if (frames.length === 0) { // before the others are made
      checkGifSize('saveGif', image.width * scale, image.height * scale)
      if (count * image.width * image.height > mostPixels) {
        const frames = `${count} frames of ${image.width}×${image.height} pixels`
        throw new Error(`saveGif: there would be ${frames}, expected at most ${mostPixels} pixels in all; see every`)
      }
    }
    frames.push(image)
  }
  await writeFileAtomic(path, encodeGif(frames, { scale, delayMs }))
}

/**
 * Writes pictures of a pattern after several numbers of steps, side by side, as one PNG.
 *
 * @throws if `at` is empty
 * @example await writeFilmStrip('growth.png', rule, params, { key: key(0), at: [0, 12, 24, 48, 96], size: 72 })
 */
export async function writeFilmStrip<R extends Rule>(
  path: string, rule: R, params: Params<R>, options: FilmStripFileOptions,
): Promise<void> {
  await writePng(path, await stripOf('writeFilmStrip', rule, params, options))
}

/** A model that is shown beside others. */
export type NamedModel = { readonly name: string; readonly rule: DataRule; readonly params: DataParams }

/**
 * Draws the patterns of several models as the text of an SVG file: a row for each with its name, under the numbers of steps.
 *
 * @throws if there is no model, or `at` is empty
 * @example await writeFileAtomic('three.svg', await filmStripsSvg([first, second, third], { key: key(0), at: [0, 12, 24, 48, 96], size: 72 }))
 */
export async function filmStripsSvg(models: readonly NamedModel[], options: Omit<FilmStripFileOptions, 'columns'>): Promise<string> {
  check(Array.isArray(models) && models.length > 0, 'filmStripsSvg', 'models', models, 'a list of { name, rule, params }')
  const rows: { name: string; image: Image }[] = []
  for (const { name, rule, params } of models) rows.push({ name, image: await stripOf('filmStripsSvg', rule, params, options) })
  return stripsSvg(rows, [...new Set(options.at)].sort((a, b) => a - b))
}

/** The patterns of a model after several numbers of steps, side by side. */
export async function stripOf<R extends Rule>(where: string, rule: R, params: Params<R>, options: FilmStripFileOptions): Promise<Image> {
  checkOptions(where, options, filmStripFileOptions)
  const { at, scale = 4, columns = new Set(at).size } = options
  const gap = 2 * scale
  const images: Image[] = []
  for await (const { image } of moments(rule, params, options, at)) {
    if (images.length === 0) { // before the others are made
      const { width, height } = stripSize(at.length, image.width * scale, image.height * scale, columns, gap)
      checkPictureSize(where, width, height)
    }
    images.push(upscale(image, scale))
  }
  return filmStrip(images, { columns, gap })
}
