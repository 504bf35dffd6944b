/**
 * States: `[b,h,w,c]`, channels in the order in which the rule names them.
 *
 * The seed of Growing NCA is a single living cell: alpha and every hidden channel are 1, colour is 0.
 */
import { refuse, requireTensor } from '../tensor/op.ts'
import { check, checkOptions, isWhole } from '../tensor/options.ts'
import { slice } from '../tensor/ops/pad-slice.ts'
import { tensor } from '../tensor/tensor.ts'
import type { Placement, Tensor } from '../tensor/tensor.ts'
import { channelCount } from './rule.ts'
import type { Channels } from './rule.ts'

/** Channels from `from` up to, not including, `to`: `[…,c]` → `[…, to − from]`. */
export function takeChannels(x: Tensor, from: number, to: number): Tensor {
  requireTensor('takeChannels', 'x', x)
  const channels = x.shape.at(-1) ?? 0
  if (!(isWhole(from) && isWhole(to) && from <= to && to <= channels)) {
    refuse('takeChannels', `there are no channels from ${from} up to ${to} among ${channels}`, { x })
  }
  const lead = x.shape.slice(0, -1)
  return slice(x, [...lead.map(() => 0), from], [...lead, to - from])
}

/** The first four channels, premultiplied red, green, blue and alpha: `[b,h,w,c]` → `[b,h,w,4]`. */
export function rgba(x: Tensor): Tensor {
  requireTensor('rgba', 'x', x)
  if ((x.shape.at(-1) ?? 0) < 4) refuse('rgba', 'x must have at least 4 channels', { x })
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
 * @throws where the cell lies outside of the grid, and where the rule has no channel `from`
 * @example seed(rule, { height: 72, width: 72, batch: 8 })
 */
export function seed(rule: { channels: Channels }, options: SeedOptions): Tensor {
  checkOptions('seed', options, ['height', 'width', 'batch', 'from', 'at', 'dtype', 'backend', 'like'])
  const { height, width, batch = 1, from = 3, ...rest } = options
  for (const [name, n] of Object.entries({ height, width, batch })) {
    check(isWhole(n, 1), 'seed', name, n, 'a whole number > 0')
  }
  const { at = [Math.floor(height / 2), Math.floor(width / 2)], ...placement } = rest
  const channels = channelCount(rule.channels)
  check(isWhole(from) && from < channels, 'seed', 'from', from, `a channel from 0 to ${channels - 1}`)
  check(
    Array.isArray(at) && at.length === 2 && at.every(Number.isInteger), 'seed', 'at', at,
    'two whole numbers, [row, column]',
  )
  const [y, x] = at
  if (!(y >= 0 && y < height && x >= 0 && x < width)) {
    throw new Error(`seed: cell (${y}, ${x}) is outside of a ${height}×${width} grid.`)
  }
  const values = new Float32Array(batch * height * width * channels)
  for (let b = 0; b < batch; b++) {
    const cell = ((b * height + y) * width + x) * channels
    values.fill(1, cell + from, cell + channels)
  }
  return tensor(values, { dtype: 'float32', ...placement, shape: [batch, height, width, channels] })
}
