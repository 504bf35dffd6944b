/**
 * How a layer reads what a program perceives. A rule's layer reads its perception in this order (perceive.ts):
 *
 *   channel by channel what filters make, then what the other parts compute, one after the other
 *
 * Its weights and bias are rewritten for the order in which a program has it,
 *
 *   what moved taps see, what attention makes, filter by filter what filters make, what convolutions make
 *
 * with rows of zeros where channels are padded to whole vectors. For moved taps and heads of attention the rows are multiplied with
 * the matrices behind them (deformable.ts, attention.ts).
 */
import type { Program } from '../../backends/program.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { isLearned, kindOf } from '../perceptions/kinds.ts'
import { partSize } from '../rule/parameters.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import { attendedRows } from './attention.ts'
import { deformedRows } from './deformable.ts'
import { extend, inFours } from './extend.ts'
import { isAttention, isDeformable } from './sight.ts'

/** Weights `[inputs, outputs]` and bias of a layer. */
export type Reading = readonly [w: Tensor, b: Tensor]

/** A layer that reads what a plain rule (plain.ts) perceives, rewritten to read what its program perceives. */
export function readingSeen(
  rule: DataRule, { perceive }: DataParams, { channels, layers: [{ first }], perception: { filters, views, attention } }: Program, [w, b]: Reading,
): Reading {
  const n = w.shape[1], moved: Tensor[] = [], attended: Tensor[] = [], seen: Tensor[] = []
  let row = channels * filters, bias = b
  const filtered = filters > 0 ? [byFilter(slice(w, [0, 0], [row, n]), channels)] : []
  rule.perceive.filter(isLearned).forEach((part, i) => {
    if (!kindOf(part).perceive) return // one of the filters
    const own = slice(w, [row, 0], [partSize(rule, part), n])
    row += partSize(rule, part)
    if (isAttention(part)) {
      const [rows, all] = attendedRows(part, perceive![i], attention[attended.length].made !== null, own, bias)
      attended.push(rows)
      bias = all
    } else if (isDeformable(part)) {
      const [rows, all] = deformedRows(part, perceive![i], own, bias)
      moved.push(rows)
      bias = all
    } else seen.push(own)
  })
  const copied = [...moved, ...attended, ...filtered]
  if (views.length === 0) return [concat(copied, 0), bias]
  const rows = views.length < seen.length ? [concat(seen, 0)] : seen
  const ready = copied.length > 0 ? [extend(concat(copied, 0), 0, first)] : []
  return [concat([...ready, ...views.map(({ columns }, i) => extend(rows[i], 0, columns))], 0), bias]
}

/** Rows `[c·F, n]` of weights that read what filters make, reordered filter by filter, channels padded to multiples of four. */
function byFilter(w: Tensor, channels: number): Tensor {
  const n = w.shape[1]
  return reshape(inFours(transpose(reshape(w, [channels, -1, n]), [1, 0, 2])), [-1, n])
}
