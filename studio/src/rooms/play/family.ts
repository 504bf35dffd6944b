/**
 * The kind of automaton that a rule is, as far as Play needs to know: how it begins, how it is drawn, and which channels can be
 * changed by hand.
 *
 *   growing    begins with one living cell; its first channels are its picture
 *   classes    has an image, which the visitor draws, and channels with the class that each cell predicts (Randazzo et al. 2020).
 *              Without an input mask the empty cells predict one, too: this is a segmentation, and class 0 the background
 *   texture    begins with zeros and lives everywhere; its colours are red, green and blue, centred on 0.5
 *   latent     begins with one living cell; its picture is what its autoencoder decodes from the state
 *   other      all channels are drawn
 *
 * For a rule with a role `condition`, this role says what to become.
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

/** The number of conditions of a rule; 0 if it has none. */
export function conditionsOf({ channels }: DataRule): number {
  return channels.condition ?? 0
}

/** The size of the grid on which a model was trained, if its file says so; else that of Growing NCA, 72. */
export function trainedSize({ provenance }: Model): number {
  const trained = Number(provenance.grid)
  return trained >= 8 && trained <= 256 ? trained : 72
}

/** The first state: empty, except for a seed in each of the given columns, and for the condition, which all cells have. */
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

/** The values of a seed: 1 in all channels but the colours. */
export function seedValues(rule: DataRule): number[] {
  return Array.from({ length: channelCount(rule.channels) }, (_, c) => +(c >= 3))
}

/** Whether a channel keeps its value when the visitor changes its cell. */
export function isKept(rule: DataRule, channel: number): boolean {
  if (conditionsOf(rule) === 0) return false
  const [from, to] = roleChannels(rule.channels, 'condition')
  return channel >= from && channel < to
}

/** The picture of a state. For a rule in latents it is decoded on the backend of the model, and has more pixels than cells. */
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

/** The colour of the class that a cell predicts; white if it predicts none, and for the background of a segmentation. */
function colourOf(rule: DataRule, cell: Float32Array): readonly number[] {
  const number = said(rule, cell)
  return number === null || (number === 0 && !rule.inputMask) ? [255, 255, 255] : classColours[number % classColours.length].map(v => 255 * v)
}

/** The class that a cell predicts; null if the rule has an input mask and nothing is drawn in the cell. */
function said({ channels, inputMask }: DataRule, cell: Float32Array): number | null {
  if (inputMask && !(cell[inputMask.channel] > inputMask.above)) return null
  const [first, end] = roleChannels(channels, 'classes')
  let best = first
  for (let c = first + 1; c < end; c++) if (cell[c] > cell[best]) best = c
  return best - first
}

/** The class that each cell predicts; null where it predicts none. */
export function classesOf(rule: DataRule, state: Float32Array): (number | null)[] {
  const channels = channelCount(rule.channels)
  return Array.from({ length: state.length / channels }, (_, i) => said(rule, state.subarray(i * channels, (i + 1) * channels)))
}

/** For each class the number of cells that predict it; null if the rule has no classes. */
export function votes(rule: DataRule, state: Float32Array): number[] | null {
  if (kindOf(rule) !== 'classes') return null
  const counts = new Array<number>(rule.channels.classes).fill(0)
  for (const number of classesOf(rule, state)) if (number !== null) counts[number]++
  return counts
}
