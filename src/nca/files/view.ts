/**
 * Views: pictures of a state.
 *
 * The state of a growing automaton contains its picture; any other state is numbers. A number x of a channel is drawn on a
 * diverging scale, from blue through white to red, so that its sign is what one sees first and 0 looks like nothing:
 *
 *   −range          0          range
 *   blue ──────── white ──────── red          colour = white + min(|x| / range, 1) · (end − white)
 *
 * (the ends of ColorBrewer's RdBu, which the colour-blind can tell apart too; Harrower & Brewer 2003). The range is fixed
 * and not taken from the state: otherwise every frame of an animation would have its own scale.
 */
import { check, checkOptions, isWhole, keysOf, numberAbove, wholeFrom, type Kinds } from '../../backends/options.ts'
import { showShape } from '../../tensor/shape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Channels } from '../rule/types.ts'
import { takeChannels, takeRole } from '../state.ts'
import { tensorToImage } from './image-tensor.ts'
import { filmStrip, type Image, type Rgb } from './image.ts'

/** The picture of a state `[1,h,w,c]`; of a batch, that of its first sample. `tensorToImage` is one. */
export type View = (x: Tensor) => Image | Promise<Image>

export type ChannelViewOptions = {
  /** Values of this size and beyond are drawn in full colour; > 0, default 1. */
  range?: number
}

export type GridViewOptions = ChannelViewOptions & {
  /** The channels to show, in this order; default all. */
  channels?: readonly number[]
  /** Maps in a row, default as many as make the whole about square. */
  columns?: number
}

const rangeKind: Kinds<ChannelViewOptions> = { range: numberAbove(0) }
const channelViewOptions = keysOf<ChannelViewOptions>(rangeKind)

const isList = (x: unknown): boolean => Array.isArray(x) && x.length > 0 && x.every(c => isWhole(c))

const gridViewOptions = keysOf<GridViewOptions>({
  ...rangeKind,
  channels: { fits: isList, expected: 'a list of channels, whole numbers ≥ 0' },
  columns: wholeFrom(1),
})

const blue: Rgb = [33 / 255, 102 / 255, 172 / 255]
const red: Rgb = [178 / 255, 24 / 255, 43 / 255]
/** The colour of NaN, which must not look like a number. */
const magenta: Rgb = [1, 0, 1]

/**
 * The default view of a rule's states: its role `rgba` (of 4 channels) or `rgb` (of 3) as a picture, else all of its
 * channels, one map beside the other.
 *
 * @example const image = await viewOf(rule)(state)
 */
export function viewOf(rule: { readonly channels: Channels }): View {
  const { rgba, rgb } = rule.channels
  if (rgba === 4) return x => tensorToImage(takeRole(rule, x, 'rgba'))
  if (rgb === 3) return x => colours(takeRole(rule, x, 'rgb'))
  return gridView()
}

/**
 * A view of one channel: white where it is 0, the redder the further above 0, the bluer the further below.
 *
 * @param channel from 0
 * @throws for a range that is no number > 0; the view throws where a state has no such channel
 * @example await saveGif('b.gif', grayScott, params, { …, view: channelView(1, { range: 0.5 }) })
 */
export function channelView(channel: number, options: ChannelViewOptions = {}): View {
  checkOptions('channelView', options, channelViewOptions)
  check(isWhole(channel), 'channelView', 'channel', channel, 'a whole number ≥ 0')
  const { range = 1 } = options
  return async x => maps(takeChannels(x, channel, channel + 1), range).then(([image]) => image)
}

/**
 * A view of several channels as one picture, each drawn as `channelView` does.
 *
 * @throws for a range that is no number > 0, and for channels or columns that are not valid
 * @example await writeFilmStrip('cells.png', rule, params, { …, view: gridView({ channels: [3, 4, 5, 6], columns: 4 }) })
 */
export function gridView(options: GridViewOptions = {}): View {
  checkOptions('gridView', options, gridViewOptions)
  const { channels, columns, range = 1 } = options
  return async x => {
    const all = await maps(x, range)
    const chosen = (channels ?? all.map((_, i) => i)).map(c => {
      check(c < all.length, 'gridView', 'a channel', c, `one of the ${all.length} that the state has, from 0`)
      return all[c]
    })
    return filmStrip(chosen, { columns: Math.min(columns ?? Math.ceil(Math.sqrt(chosen.length)), chosen.length), gap: 1 })
  }
}

/** The values of the first sample, and the sizes of its picture. */
async function firstOf(x: Tensor): Promise<{ height: number; width: number; channels: number; values: ArrayLike<number> }> {
  const [height, width, channels] = x.shape.slice(-3)
  if (x.shape.length !== 3 && x.shape.length !== 4) {
    throw new Error(`view: the state is ${showShape(x.shape)}, expected [h,w,c] or [b,h,w,c]; give a view of your own.`)
  }
  return { height, width, channels, values: (await x.data()).subarray(0, height * width * channels) }
}

/** A picture of each channel. */
async function maps(x: Tensor, range: number): Promise<Image[]> {
  const { height, width, channels, values } = await firstOf(x)
  return Array.from({ length: channels }, (_, c) => pictureOf(height, width, i => signed(values[i * channels + c] / range)))
}

/** Three channels as red, green and blue, opaque. */
async function colours(x: Tensor): Promise<Image> {
  const { height, width, values } = await firstOf(x)
  return pictureOf(height, width, i => [values[3 * i], values[3 * i + 1], values[3 * i + 2]])
}

function signed(x: number): Rgb {
  if (Number.isNaN(x)) return magenta
  const [end, share] = [x < 0 ? blue : red, Math.min(Math.abs(x), 1)]
  return [0, 1, 2].map(c => 1 + share * (end[c] - 1)) as unknown as Rgb
}

function pictureOf(height: number, width: number, colour: (cell: number) => Rgb): Image {
  const data = new Float32Array(height * width * 4)
  for (let i = 0; i < height * width; i++) {
    data.set([...colour(i).map(v => (Number.isNaN(v) ? 0 : Math.min(Math.max(v, 0), 1))), 1], 4 * i)
  }
  return { width, height, data }
}
