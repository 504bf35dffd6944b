/**
 * States: `[b,h,w,c]`, channels in the order in which the rule names them.
 *
 * The seed of Growing NCA is a single living cell: alpha and every hidden channel are 1, colour is 0.
 */
import { slice } from '../tensor/ops/pad-slice.ts'
import { tensor } from '../tensor/tensor.ts'
import type { Placement, Tensor } from '../tensor/tensor.ts'
import { channelCount } from './rule.ts'
import type { Channels } from './rule.ts'

/** Channels from `from` up to, not including, `to`: `[…,c]` → `[…, to − from]`. */
export function takeChannels(x: Tensor, from: number, to: number): Tensor {
  const lead = x.shape.slice(0, -1)
  return slice(x, [...lead.map(() => 0), from], [...lead, to - from])
}

/** The first four channels, premultiplied red, green, blue and alpha: `[b,h,w,c]` → `[b,h,w,4]`. */
export function rgba(x: Tensor): Tensor {
  return takeChannels(x, 0, 4)
}

export type SeedOptions = Placement & {
  height: number
  width: number
  /** Copies of the seed, default 1. */
  batch?: number
  /** The first channel that is 1, default 3 (alpha). */
  from?: number
  /** Row and column of the living cell, the centre (⌊h/2⌋, ⌊w/2⌋) by default. */
  at?: readonly [number, number]
}

/**
 * A state with one living cell.
 *
 * @returns `[batch, height, width, channels]`, zero but for channels `from`… of one cell, which are 1
 * @throws where the cell lies outside of the grid
 * @example seed(rule, { height: 72, width: 72, batch: 8 })
 */
export function seed(rule: { channels: Channels }, options: SeedOptions): Tensor {
  const { height, width, batch = 1, from = 3, ...rest } = options
  const { at = [Math.floor(height / 2), Math.floor(width / 2)], ...placement } = rest
  const channels = channelCount(rule.channels)
  const [y, x] = at
  if (!(y >= 0 && y < height && x >= 0 && x < width)) throw new Error(`seed: cell (${y}, ${x}) is outside of a ${height}×${width} grid.`)
  const values = new Float32Array(batch * height * width * channels)
  for (let b = 0; b < batch; b++) values.fill(1, ((b * height + y) * width + x) * channels + from, ((b * height + y) * width + x + 1) * channels)
  return tensor(values, { dtype: 'float32', ...placement, shape: [batch, height, width, channels] })
}
