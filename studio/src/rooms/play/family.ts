/**
 * What kind of automaton a rule is, as far as Play must know: how it begins, how it is seen, and what a hand may change.
 *
 *   growing    begins with one living cell, is its own picture
 *   classes    has an image that one draws, and channels that say which class a cell takes it for (Randazzo et al. 2020);
 *              without an input mask the empty cells say one too, which is a segmentation, and class 0 is the ground
 *   texture    begins empty, everywhere alive; its colours are red, green and blue, about 0.5
 *   latent     begins with one living cell, is seen as the picture that the autoencoder makes of it in whose latents it lives
 *   other      seen as all of its channels
 *
 * A rule with a role `condition` is told by it what to become.
 */
import { channelCount, classColours, imageToPixels, latentView, roleChannels, tensor, viewOf, type DataRule, type Model } from 'cellgrad'
import type { Pixels } from '../../ui/picture.ts'
import type { Grid } from './world.ts'

export type Kind = 'growing' | 'classes' | 'texture' | 'latent' | 'other'

export function kindOf({ channels, living }: DataRule): Kind {
  if (channels.image === 1 && channels.classes) return 'classes'
  if (channels.rgba === 4) return 'growing'
  if (channels.latent) return 'latent'
  return channels.rgb === 3 && !living ? 'texture' : 'other'
}

/** How many conditions there are, 0 where the rule is told none. */
export function conditionsOf({ channels }: DataRule): number {
  return channels.condition ?? 0
}

/** Rows and columns of the grid that a model was trained on, where its file says so; of the paper's elsewhere. */
export function trainedSize({ provenance }: Model): number {
  const trained = Number(provenance.grid)
  return trained >= 8 && trained <= 256 ? trained : 72
}

/** The first state: empty, but for its seed in the columns that are named, and the condition, which all cells have. */
export function firstState(rule: DataRule, grid: Grid, columns: readonly number[], condition: number): Float32Array {
  const { width, height, channels } = grid
  const state = withCondition(new Float32Array(width * height * channels), rule, condition)
  if (!['growing', 'latent'].includes(kindOf(rule))) return state
  for (const x of columns) {
    const at = (Math.floor(height / 2) * width + x) * channels
    seedValues(rule).forEach((value, c) => { if (!isKept(rule, c)) state[at + c] = value })
  }
  return state
}

/** The state with another condition in every cell. */
export function withCondition(state: Float32Array, rule: DataRule, condition: number): Float32Array {
  if (conditionsOf(rule) === 0) return state
  const next = state.slice()
  const [from, to] = roleChannels(rule.channels, 'condition')
  const channels = channelCount(rule.channels)
  for (let at = 0; at < next.length; at += channels) {
    for (let c = from; c < to; c++) next[at + c] = +(c - from === condition)
  }
  return next
}

/** The values of a cell that begins to grow: all but colour. */
export function seedValues(rule: DataRule): number[] {
  return Array.from({ length: channelCount(rule.channels) }, (_, c) => +(c >= 3))
}

/** Whether a channel is none that a hand changes. */
export function isKept(rule: DataRule, channel: number): boolean {
  if (conditionsOf(rule) === 0) return false
  const [from, to] = roleChannels(rule.channels, 'condition')
  return channel >= from && channel < to
}

/** The state as it is seen; in latents what is decoded on their backend, a picture of more pixels than cells. */
export async function pixelsOf(
  { rule, codec }: Pick<Model, 'rule' | 'codec'>, state: Float32Array, grid: Grid,
): Promise<Pixels> {
  const kind = kindOf(rule)
  const { width, height, channels } = grid
  if (['growing', 'latent', 'other'].includes(kind)) {
    const view = codec ? latentView(rule, codec) : viewOf(rule)
    const image = await view(tensor(state, { shape: [1, height, width, channels], backend: codec?.params.decoder[0].w.backend }))
    return { width: image.width, height: image.height, data: imageToPixels(image) }
  }
  const data = new Uint8ClampedArray(width * height * 4)
  for (let i = 0; i < width * height; i++) {
    const cell = state.subarray(i * channels, (i + 1) * channels)
    const rgb = kind === 'texture' ? [0, 1, 2].map(c => 255 * (cell[c] + 0.5)) : colourOf(rule, cell)
    data.set([...rgb, 255], 4 * i)
  }
  return { width, height, data }
}

/** The colour of the class that a cell says; white where it says none, and of the ground of a segmentation. */
function colourOf(rule: DataRule, cell: Float32Array): readonly number[] {
  const number = said(rule, cell)
  return number === null || (number === 0 && !rule.inputMask) ? [255, 255, 255] : classColours[number % classColours.length].map(v => 255 * v)
}

/** The class that a cell says, null where the rule has an input mask and nothing is drawn. */
function said({ channels, inputMask }: DataRule, cell: Float32Array): number | null {
  if (inputMask && !(cell[inputMask.channel] > inputMask.above)) return null
  const [first, end] = roleChannels(channels, 'classes')
  let best = first
  for (let c = first + 1; c < end; c++) if (cell[c] > cell[best]) best = c
  return best - first
}

/** The class that each cell says, null where it says none. */
export function classesOf(rule: DataRule, state: Float32Array): (number | null)[] {
  const channels = channelCount(rule.channels)
  return Array.from({ length: state.length / channels }, (_, i) => said(rule, state.subarray(i * channels, (i + 1) * channels)))
}

/** How many cells say each class, where the rule has classes. */
export function votes(rule: DataRule, state: Float32Array): number[] | null {
  if (kindOf(rule) !== 'classes') return null
  const counts = new Array<number>(rule.channels.classes).fill(0)
  for (const number of classesOf(rule, state)) if (number !== null) counts[number]++
  return counts
}
