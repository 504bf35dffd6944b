/**
 * States: `[b,h,w,c]`, channels in the order in which the rule names them.
 *
 * The seed of Growing NCA is a single living cell: alpha and every hidden channel are 1, colour is 0.
 */
import { refuse, requireTensor } from '../tensor/op.ts'
import { check, checkOptions, isWhole } from '../tensor/options.ts'
import { concat, splitAxis } from '../tensor/ops/concat.ts'
import { slice } from '../tensor/ops/pad-slice.ts'
import { broadcastTo, reshape } from '../tensor/ops/sum.ts'
import { sameShape, showShape } from '../tensor/shape.ts'
import { tensor } from '../tensor/tensor.ts'
import type { Placement, Tensor } from '../tensor/tensor.ts'
import { channelCount, roleChannels } from './rule.ts'
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

/**
 * The channels of a role.
 *
 * @example takeRole(rule, x, 'classes')   // [b,h,w,10]
 */
export function takeRole(rule: { channels: Channels }, x: Tensor, role: string): Tensor {
  return takeChannels(x, ...roleChannels(rule.channels, role))
}

/**
 * A state with other values in the channels of some roles: a condition that is the same everywhere, an image, an
 * external input.
 *
 * @param x `[b,h,w,c]`
 * @param values by role: n numbers `[n]` for all samples, `[b,n]` for each, or a map `[b,h,w,n]`
 * @returns `[b,h,w,c]`
 * @throws where the rule has no such role, and where the values do not fit
 * @example setChannels(rule, seed(rule, { height: 32, width: 32 }), { condition: tensor([0, 1, 0]) })
 */
export function setChannels(
  rule: { channels: Channels }, x: Tensor, values: Readonly<Record<string, Tensor>>,
): Tensor {
  requireTensor('setChannels', 'x', x)
  const roles = Object.keys(rule.channels)
  const unknown = Object.keys(values).find(role => !roles.includes(role))
  check(unknown === undefined, 'setChannels', 'the role', unknown, `one of ${roles.join(', ')}`)
  const cells = x.shape.slice(0, -1)
  return concat(splitAxis(x, Object.values(rule.channels)).map((part, i) => {
    const given = values[roles[i]]
    if (given === undefined) return part
    requireTensor('setChannels', roles[i], given)
    const n = part.shape.at(-1)!
    const perSample = [cells[0], ...cells.slice(1).map(() => 1), n]
    const shape = given.shape.length === 2 ? perSample : given.shape
    const fits = [[n], [cells[0], n], part.shape].some(s => sameShape(s, given.shape))
    check(fits, 'setChannels', roles[i], given, `a tensor [${n}], [${cells[0]},${n}] or ${showShape(part.shape)}`)
    return broadcastTo(reshape(given, shape), part.shape)
  }))
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
