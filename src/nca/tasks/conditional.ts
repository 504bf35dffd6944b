/**
 * Conditional growing: one rule grows many targets. Frozen condition channels tell every cell which one
 * (Spitznagel & Keuper 2026, algorithm 1).
 *
 *   seed of target i:  one living cell, or several; condition channels everywhere = code i, by default the i-th unit vector;
 *                      or a coloured seed: code i in channels of the living cell alone (A.5, growing digits)
 *   loss             = mean over cells and red, green, blue, alpha of (x − target i)²
 *
 * Training with damage teaches the rule to repair. Training with mutation, another condition in the middle of growth, teaches it
 * to turn one target into another.
 */
import { refuse, requireTensor } from '../../tensor/op.ts'
import { callable, check, checkOptions, keysOf, oneOf, text, type Options } from '../../backends/options.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { gather } from '../../tensor/ops/gather.ts'
import { eye } from '../../tensor/ops/one-hot.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { sameShape, showShape } from '../../tensor/shape.ts'
import { aTensor, valuesOf, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { mse } from '../losses/loss.ts'
import { roleChannels } from '../rule/channels.ts'
import type { DataRule } from '../rule/types.ts'
import { rgba, seedCells, seedsFor, setChannels, takeRole, type SeedCells } from '../state.ts'
import type { Task } from '../training/trainer-options.ts'

export type ConditionalOptions = SeedCells & {
  /** The role that holds the condition, default 'condition'. */
  role?: string
  /**
   * Which cells have it: 'all' (default), which requires a frozen role, or the 'seed' alone, in channels that change: a
   * coloured seed. States that grow from one cannot be mutated, since they hold their condition nowhere permanently.
   */
  cells?: 'all' | 'seed'
  /**
   * A condition for each target, `[k,n]` for the n channels of the role; by default unit vectors, if n = k. Targets may share one;
   * a mutation then turns none into another of the same condition, except on a GPU, where conditions cannot be compared beforehand.
   */
  codes?: Tensor
  /** The loss, from red, green, blue, alpha `[n,h,w,4]` and the target of each sample to `[n]`; default `mse`. */
  loss?: (grown: Tensor, target: Tensor) => Tensor
}

const conditionalOptions: Options = {
  ...seedCells,
  ...keysOf<Omit<ConditionalOptions, 'at'>>({ role: text, cells: oneOf(['all', 'seed']), codes: aTensor, loss: callable }),
}

/**
 * The task of growing one of k targets, by its condition.
 *
 * @param targets premultiplied red, green, blue and alpha, `[k,h,w,4]`
 * @throws where the rule has no such role, it is frozen or not as `cells` asks, codes do not fit it, or a living cell is outside of
 * the grid
 * @example
 * const rule = defineRule({
 *   channels: { rgba: 4, hidden: 12, condition: 5 }, frozen: ['condition'], perceive: [conv(80)], update: mlp(80),
 *   fireRate: 0.5, living: { channel: 3, above: 0.1 },
 * })
 * taskTrainer({ rule, task: conditionalTask(rule, targets), pool: 256, damaged: 2, mutated: 2, ...rest })
 * @example conditionalTask(growingRule, targets, { role: 'hidden', cells: 'seed', codes })   // codes [k,12]
 * @example conditionalTask(rule, digits, { codes: gather(eye(10), labels, 0), loss: l1 })   // many targets for each condition
 */
export function conditionalTask(rule: DataRule, targets: Tensor, options: ConditionalOptions = {}): Task {
  const where = 'conditionalTask'
  checkOptions(where, options, conditionalOptions)
  const { role = 'condition', cells = 'all', loss = mse } = options
  requireTensor(where, 'targets', targets)
  if (targets.shape.length !== 4 || targets.shape[3] !== 4) refuse(where, 'targets must be [k,h,w,4]', { targets })
  if (cells === 'all') checkFrozenRole(where, rule, role)
  else check(!rule.frozen.includes(role), where, 'cells', cells, `'all' for the frozen role ${role}`)
  const [k, height, width] = targets.shape
  const place = { dtype: targets.dtype, backend: targets.backend }
  const codes = codesOf(where, rule, role, k, options.codes, place), n = codes.shape[1]
  const seeds = seedsFor(rule, targets, options)
  const numbers = options.codes?.backend.readSync && valuesOf(codes)
  const kinds = numbers && Array.from({ length: k }, (_, i) => numbers.subarray(i * n, (i + 1) * n).join())
  return {
    examples: k,
    seeds: ids => {
      const values = { [role]: gather(codes, ids, 0) }
      return cells === 'seed' ? seeds(ids.length, values) : setChannels(rule, seeds(ids.length), values)
    },
    // A coloured seed says what it is to become in no frozen channel.
    ...(cells === 'seed' ? { kind: () => 0 } : kinds && { kind: id => kinds[id] }),
    loss: (x, ids) => loss(rgba(x), gather(targets, ids, 0)),
    images: {
      made: rgba, real: ids => gather(targets, ids, 0),
      given: (x, ids) => (cells === 'all' ? takeRole(rule, x, role)
        : broadcastTo(reshape(gather(codes, ids, 0), [ids.length, 1, 1, n]), [ids.length, height, width, n])),
    },
  }
}

/** Throws unless a rule has a role, and the role is frozen. */
export function checkFrozenRole(where: string, rule: DataRule, role: string): void {
  roleChannels(rule.channels, role)
  const is = rule.frozen.includes(role)
  if (!is) throw new Error(`${where}: the role ${role} must be frozen in the rule; add it to frozen.`)
}

/** The conditions of k examples in a role of n channels, `[k,n]`: the given ones, or else unit vectors. Throws where they do not fit. */
export function codesOf(where: string, rule: DataRule, role: string, k: number, given: Tensor | undefined, place: Placement): Tensor {
  const [from, to] = roleChannels(rule.channels, role), n = to - from
  check(given !== undefined || n === k, where, `channels.${role}`, n, `${k}, one for each example`)
  const codes = given ?? eye(k, place)
  check(sameShape(codes.shape, [k, n]), where, 'codes', codes, `a tensor ${showShape([k, n])}`)
  return codes
}
