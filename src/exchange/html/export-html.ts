/**
 * A model as a page to send: one HTML file that opens from the disk, runs the rule in plain JavaScript, and lets the pointer
 * damage the pattern. It needs no network and no build, and its source can be read; it fills an <iframe>.
 *
 * The rule is included as JSON and its weights as the bytes of float32 in base64, so nothing is lost: the page's steps are those
 * of the library, values up to rounding, fire masks bit for bit (with seed n, step t fires by `foldIn(key(n), t)`).
 */
import { aTensor, type Tensor } from '../../tensor/tensor.ts'
import { filters } from '../../tensor/filters.ts'
import { check, checkOptions, keysOf, numberFrom, text, wholeFrom } from '../../backends/options.ts'
import { toBase64 } from '../../backends/base64.ts'
import { scope } from '../../tensor/lifetime.ts'
import { eachLeaf } from '../../tensor/tree.ts'
import { classColours } from '../../nca/files/class-colours.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { roleNames } from '../../nca/files/role-names.ts'
import { packState } from '../../nca/training/sparse-state.ts'
import { channelNames } from '../../nca/perception-names.ts'
import { firstState, seedFrom } from '../../nca/files/starts.ts'
import { perceive } from '../../nca/perceive.ts'
import { checkParams } from '../../nca/rule/check-params.ts'
import { checkState } from '../../nca/run-options.ts'
import type { DataParams, DataRule } from '../../nca/rule/types.ts'
import { automatonOf, beyondPages, pageSums } from './automaton.ts'
import { pageOf } from './page.ts'

export type HtmlOptions = {
  /** The title of the page, default 'Neural cellular automaton'. */
  title?: string
  /** Rows and columns of the grid, a whole number from 1 to 512; default 72. Not together with `start`. */
  size?: number
  /** The first state `[1,h,w,c]`; by default that of the model's first example, or one living cell in the centre, see `firstState`. */
  start?: Tensor
  /** The seed of the fire masks, a whole number below 2^32, default 0. Reset takes the next one. */
  seed?: number
  /** Added to red, green and blue of a rule with the role `rgb`, default 0; textures of `textureTask` need 0.5. */
  brightness?: number
}

const htmlOptions = keysOf<HtmlOptions>({
  title: text, size: wholeFrom(1, 512), start: aTensor, seed: wholeFrom(0, 2 ** 32 - 1), brightness: numberFrom(),
})

/**
 * The HTML of a page that plays a model, less than 100 KB for the rule of Growing NCA.
 *
 * Besides pause, step, reset, speed, rotation and a choice of views, the page has the controls that the rule needs: a choice for
 * each frozen role with several channels (a condition), a pen for each with a single channel (an image).
 *
 * Classes and conditions have the names of the model's provenance (`roleNames`), or numbers.
 *
 * @param model the rule, on a plane, of filters, convolutions and a network; its parameters, and its provenance
 * @throws one sentence that says why, where the rule is code, not on a plane, or perceives by attention or deformable
 *   convolutions; where parameters or start do not fit it; and where the grid is too small to be mirrored at its border
 * @example await writeFile('lizard.html', await exportHtml({ rule, params }, { title: '🦎' }))
 */
export async function exportHtml(model: Model | Omit<Model, 'provenance'>, options: HtmlOptions = {}): Promise<string> {
  const where = 'exportHtml'
  checkOptions(where, options, htmlOptions)
  const { rule, params, codec, cascade, starts } = model
  check(codec === undefined, where, 'codec', codec, 'none: a page has no decoder of latents')
  check(cascade === undefined, where, 'cascade', cascade, 'none: the cells of a page are on one grid')
  checkPlane(where, rule)
  checkParams(where, rule, params)
  const { title = 'Neural cellular automaton', size, start, seed = 0, brightness = 0 } = options
  check(size === undefined || start === undefined, where, 'size', size, 'none beside a start, which has its own')
  if (start) checkState(where, rule, params, start)
  check(!start || start.shape[0] === 1, where, 'the batch of start', start?.shape[0], '1')
  const first = start ?? firstState({ rule, params, starts }, 0, [size ?? 72, size ?? 72])
  checkMirror(where, rule, params, first)

  const weights: Record<string, string> = {}
  const leaves: [string, Tensor][] = []
  const ofSteps = { ...params, head: undefined } // steps ignore the head
  eachLeaf(ofSteps, (leaf, path) => { if (leaf !== undefined) leaves.push([path, leaf as Tensor]) })
  for (const [path, leaf] of leaves) weights[path] = base64Of(await leaf.data())
  const names = 'provenance' in model ? roleNames(model) : {}
  const [, height, width] = first.shape
  const { at, cells } = packState(await first.data(), first.shape.slice(1), first.backend)
  return pageOf(title, automatonOf(rule), {
    rule, filters, sums: pageSums(rule), names, channelNames: channelNames(rule.channels, names),
    classColours: classColours.map(colour => colour.map(v => Math.round(255 * v))), brightness, seed, from: seedFrom(rule), started: (start ?? starts) !== undefined,
    start: { height, width, at: [...at], values: base64Of(cells) }, weights,
  })
}

/** Throws unless the JavaScript of the page supports the rule. */
function checkPlane(where: string, rule: DataRule): void {
  const refuse = (why: string): never => {
    throw new Error(`${where}: ${why}; a page runs planes of filters, convolutions and a network.`)
  }
  if (rule?.type !== 'data') refuse('the rule is not data (defineRule)')
  if (rule.grid !== 2) refuse(`the rule's grid has ${rule.grid} ${rule.grid === 1 ? 'dimension' : 'dimensions'}`)
  const other = beyondPages(rule)
  if (other) refuse(`the rule perceives by ${other.type}`)
}

/** Throws unless the grid has enough cells to be mirrored at its border, as the library checks for every kind of perception. */
function checkMirror(where: string, rule: DataRule, params: DataParams, x: Tensor): void {
  if (rule.padding !== 'reflect') return
  try {
    scope(() => { perceive(rule, params, x) })
  } catch (error) {
    throw new Error(`${where}: the grid is too small for its mirrored border: ${(error as Error).message}`, { cause: error })
  }
}

/** The bytes of numbers as float32, little-endian, in base64. */
function base64Of(values: ArrayLike<number>): string {
  return toBase64(new Uint8Array(Float32Array.from(values).buffer))
}
