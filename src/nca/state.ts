/**
 * States: `[b,h,w,c]`, or `[b,w,c]` on lines and `[b,d,h,w,c]` in volumes, channels in the order in which the rule
 * names them.
 *
 * The seed of Growing NCA is a single living cell: alpha and every hidden channel are 1, colour is 0. Other seeds have a colour
 * that tells a rule what to grow (growing digits in Spitznagel & Keuper 2026, A.5), or several cells, whose arrangement
 * gives it an orientation (Mordvintsev, Randazzo & Fouts, "Growing Isotropic Neural Cellular Automata", ALIFE 2022).
 */
import { refuse, requireTensor } from '../tensor/op.ts'
import { check, checkKind, checkOptions, isObject, isWhole, keysOf, later, oneOfNames, wholeFrom, type Options } from '../backends/options.ts'
import { scope } from '../tensor/lifetime.ts'
import { where } from '../tensor/ops/compare.ts'
import { concat, splitAxis } from '../tensor/ops/concat.ts'
import { slice } from '../tensor/ops/pad-slice.ts'
import { reshape } from '../tensor/ops/reshape.ts'
import { broadcastTo } from '../tensor/ops/broadcast.ts'
import { sameShape, showShape, sizeOf } from '../tensor/shape.ts'
import { place, placementKinds, tensor, type Placement, type Tensor } from '../tensor/tensor.ts'
import { checkMost, most } from './rule/limits.ts'
import { channelCount, roleChannels } from './rule/channels.ts'
import type { Channels } from './rule/types.ts'

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
  return written('setChannels', rule, x, values)
}

function written(
  op: string, rule: { channels: Channels }, x: Tensor, values: Readonly<Record<string, Tensor>>,
): Tensor {
  const given = fitted(op, rule, x, values), roles = Object.keys(rule.channels)
  return concat(splitAxis(x, Object.values(rule.channels)).map((part, i) => (
    given[roles[i]] ? broadcastTo(given[roles[i]], part.shape) : part)))
}

/** Values by role, reshaped so that they broadcast to their channels. */
export function fitted(
  op: string, rule: { channels: Channels }, x: Tensor, values: Readonly<Record<string, Tensor>>,
): Record<string, Tensor> {
  requireTensor(op, 'x', x)
  check(isObject(values), op, 'values', values, 'tensors by role')
  const roles = Object.keys(rule.channels)
  const unknown = Object.keys(values).find(role => !roles.includes(role))
  if (unknown !== undefined) checkKind(op, 'the role', unknown, oneOfNames(roles))
  const cells = x.shape.slice(0, -1)
  return Object.fromEntries(Object.entries(rule.channels).flatMap(([role, n]) => {
    const given = values[role]
    if (given === undefined) return []
    requireTensor(op, role, given)
    const map = [...cells, n], perSample = [cells[0], ...cells.slice(1).map(() => 1), n]
    const fits = [[n], [cells[0], n], map].some(s => sameShape(s, given.shape))
    check(fits, op, role, given, `a tensor [${n}], [${cells[0]},${n}] or ${showShape(map)}`)
    return [[role, given.shape.length === 2 ? reshape(given, perSample) : given]]
  }))
}

/** The first four channels, premultiplied red, green, blue and alpha: `[b,h,w,c]` → `[b,h,w,4]`. */
export function rgba(x: Tensor): Tensor {
  requireTensor('rgba', 'x', x)
  if ((x.shape.at(-1) ?? 0) < 4) refuse('rgba', 'x must have at least 4 channels', { x })
  return takeChannels(x, 0, 4)
}

export type SeedOptions = Placement & {
  /** Slices of the grid, a whole number > 0; in a volume only. */
  depth?: number
  /** Rows of the grid, a whole number > 0; in the plane and in a volume. */
  height?: number
  /** Columns of the grid, or the cells of a line, a whole number > 0. */
  width: number
  /** Copies of the seed, a whole number > 0; default 1. */
  batch?: number
  /** The first channel that is 1, default 3 (alpha). */
  from?: number
  /**
   * Where the living cell is, `[row, column]` in the plane, or a list of such places for several; by default in the centre,
   * at ⌊n/2⌋ along each axis.
   */
  at?: readonly number[] | readonly (readonly number[])[]
  /** Values for channels of the living cells, by role: `[n]` for all samples, `[b,n]` for each; see `setChannels`. */
  values?: Readonly<Record<string, Tensor>>
}

/** Where the living cells of seeds are: an option of every task that grows from some. */
export type SeedCells = Pick<SeedOptions, 'at'>

// The sizes, the channel and the cell are checked below, against the grid of the rule.
const seedOptions = keysOf<SeedOptions>({
  depth: later, height: later, width: later, batch: wholeFrom(1), from: later, at: later, values: later, ...placementKinds,
})

export const seedCells: Options = keysOf<SeedCells>({ at: later })

/** The axes of a volume; planes and lines have the last ones of them. */
const axes = [['depth', 'slice'], ['height', 'row'], ['width', 'column']] as const

/**
 * A state with one living cell, or a few. Seeds of different cells are added: `add(seed(…), seed(…))`.
 *
 * @param rule its `grid` gives the number of dimensions; without one, the sizes that are given do
 * @returns `[batch, width, channels]`, `[batch, height, width, channels]` or `[batch, depth, height, width, channels]`,
 *   zero except in the living cells, where channels `from`… are 1 and those of `values` have these values
 * @throws where a size is missing or superfluous, a cell lies outside of the grid, the state would have more than 2^30
 *   numbers, the rule has no channel `from`, or values do not fit its roles
 * @example seed(rule, { height: 72, width: 72, batch: 8 })
 * @example seed(rule, { height: 72, width: 72, values: { rgba: tensor([1, 0, 0, 1]) } })     // a red one
 * @example seed(rule, { height: 72, width: 72, at: [[36, 34], [36, 38]] })                   // two cells
 * @example seed(volumeRule, { depth: 16, height: 24, width: 24 })
 */
export function seed(rule: { channels: Channels; grid?: 1 | 2 | 3 }, options: SeedOptions): Tensor {
  checkOptions('seed', options, seedOptions)
  const { depth, height, width, batch = 1, from = 3, at, values, ...placement } = options
  const sizes = { depth, height, width }
  const grid = rule.grid ?? (depth !== undefined ? 3 : height !== undefined ? 2 : 1)
  const own = axes.slice(-grid)
  for (const [name] of axes.slice(0, -grid)) {
    const names = own.map(([axis]) => axis).join(' and ')
    check(sizes[name] === undefined, 'seed', name, sizes[name], `none on a grid of ${names}`)
  }
  for (const [name] of own) check(isWhole(sizes[name], 1), 'seed', name, sizes[name], 'a whole number > 0')
  const shape = own.map(([axis]) => sizes[axis]!)
  const channels = channelCount(rule.channels)
  check(isWhole(from) && from < channels, 'seed', 'from', from, `a channel from 0 to ${channels - 1}`)
  const several = Array.isArray(at) && Array.isArray(at[0])
  const living = (several ? at : [at ?? shape.map(n => Math.floor(n / 2))]) as readonly (readonly number[])[]
  const places = own.map(([, place]) => place).join(', ')
  living.forEach((cell, i) => {
    check(
      Array.isArray(cell) && cell.length === grid && cell.every(Number.isInteger), 'seed', several ? `at[${i}]` : 'at', cell,
      `${['one whole number', 'two whole numbers', 'three whole numbers'][grid - 1]}, [${places}]`,
    )
    if (!cell.every((i, axis) => i >= 0 && i < shape[axis])) {
      throw new Error(`seed: cell (${cell.join(', ')}) is outside of a grid of ${shape.join('×')} cells.`)
    }
  })
  const cells = sizeOf(shape)
  const numbers = batch * cells * channels
  checkMost('seed', `the size of ${batch} × ${shape.join(' × ')} cells of ${channels} channels`, numbers, most.state)
  const on = place(placement, 'seed')
  const ones = new Float32Array(numbers), isLiving = new Uint32Array(cells)
  for (const cell of living) {
    const number = cell.reduce((sum, i, axis) => sum * shape[axis] + i, 0)
    isLiving[number] = 1
    for (let b = 0; b < batch; b++) {
      const start = (b * cells + number) * channels
      ones.fill(1, start + from, start + channels)
    }
  }
  const x = tensor(ones, { ...on, shape: [batch, ...shape, channels] })
  if (values === undefined) return x
  return where(tensor(isLiving, { backend: on.backend, shape: [...shape, 1] }), written('seed', rule, x, values), x)
}

/**
 * From a number n to n seeds on the grid of images `[…,h,w,m]`, with values by role.
 *
 * @throws here, not with the first batch, where `at` does not fit the grid
 * @internal
 */
export function seedsFor(
  rule: Parameters<typeof seed>[0], { shape, dtype, backend }: Tensor, { at }: SeedCells,
): (batch: number, values?: SeedOptions['values']) => Tensor {
  const [height, width] = shape.slice(-3)
  const seeds: ReturnType<typeof seedsFor> = (batch, values) => seed(rule, { height, width, batch, dtype, backend, at, values })
  if (at !== undefined) scope(() => { seeds(1) })
  return seeds
}
