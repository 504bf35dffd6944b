/**
 * The rows of a layer's weights by the parts of the perception that they read (perceive.ts): first the outputs of the filters,
 * channel by channel, then the outputs of each other part.
 */
import { dense } from '../../tensor/ops/dense.ts'
import { slice } from '../../tensor/ops/pad-slice.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { isLearned, kindOf, type Learned } from '../perceptions/kinds.ts'
import { partSize } from '../rule/parameters.ts'
import type { DataParams, DataRule } from '../rule/types.ts'

/** Weights `[inputs, outputs]` and bias of a layer. */
export type Reading = readonly [w: Tensor, b: Tensor]

/** A learned part of a perception with its parameters. */
export type Known = { readonly part: Learned; readonly own: Readonly<Record<string, Tensor>> }

/** The learned parts of a rule. */
export function learnedIn(rule: DataRule, { perceive }: DataParams): Known[] {
  return rule.perceive.filter(isLearned).map((part, i) => ({ part, own: perceive![i] }))
}

/** The rows that read filters, or null if the rule has none, and the rows that read each other part. */
export function rowsBy(rule: DataRule, params: DataParams, w: Tensor): { filtered: Tensor | null; parts: (Known & { rows: Tensor })[] } {
  const parts = learnedIn(rule, params).filter(({ part }) => kindOf(part).perceive), n = w.shape[1]
  const first = w.shape[0] - parts.reduce((sum, { part }) => sum + partSize(rule, part), 0)
  let row = first
  return {
    filtered: first > 0 ? slice(w, [0, 0], [first, n]) : null,
    parts: parts.map(known => {
      const rows = slice(w, [row, 0], [partSize(rule, known.part), n])
      row += rows.shape[0]
      return { ...known, rows }
    }),
  }
}

/** A vector times a matrix. */
export function times(v: Tensor, w: Tensor): Tensor {
  return reshape(dense(reshape(v, [1, -1]), w), [-1])
}
