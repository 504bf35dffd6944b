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
import { reshape } from '../../tensor/ops/reshape.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import { attendedRows } from './attention.ts'
import { deformedRows } from './deformable.ts'
import { extend, inFours } from './extend.ts'
import { rowsBy, type Reading } from './rows.ts'
import { isAttention, isDeformable } from './sight.ts'

/** A layer that reads what a plain rule (plain.ts) perceives, rewritten to read what its program perceives. */
export function readingSeen(
  rule: DataRule, params: DataParams, { channels, layers: [{ first }], perception: { views, attention } }: Program, [w, b]: Reading,
): Reading {
  const moved: Tensor[] = [], attended: Tensor[] = [], seen: Tensor[] = []
  let bias = b
  const { filtered, parts } = rowsBy(rule, params, w)
  for (const { part, own, rows } of parts) {
    const [read, all] = isAttention(part) ? attendedRows(part, own, attention[attended.length].made !== null, rows, bias)
      : isDeformable(part) ? deformedRows(part, own, rows, bias) : [rows, bias];
    (isAttention(part) ? attended : isDeformable(part) ? moved : seen).push(read)
    bias = all
  }
  const copied = [...moved, ...attended, ...(filtered ? [byFilter(filtered, channels)] : [])]
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
