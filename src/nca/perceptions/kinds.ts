/**
 * All kinds of learned perception.
 */
import { attentionKind } from './attention.ts'
import type { Attention } from './attention.ts'
import { convKind } from './conv.ts'
import type { Conv } from './conv.ts'
import { deformableKind } from './deformable.ts'
import type { Deformable } from './deformable.ts'
import { depthwiseKind } from './depthwise.ts'
import type { Depthwise } from './depthwise.ts'
import type { PartKind } from './kind.ts'
import { residualConvKind } from './residual-conv.ts'
import type { ResidualConv } from './residual-conv.ts'

/** Something learned that a cell perceives by, as a rule has it. */
export type Learned = Depthwise | Conv | ResidualConv | Attention | Deformable

/** What there is to know of each. */
export const kinds: readonly PartKind<unknown>[] = [
  depthwiseKind, convKind, residualConvKind, attentionKind, deformableKind,
]

const byType = new Map(kinds.map(kind => [kind.type, kind]))

/** Whether this is a learned part of a perception, and of a known kind. */
export function isLearned(part: unknown): part is Learned {
  return typeof part === 'object' && part !== null && byType.has((part as Learned).type)
}

/** What there is to know of a part. */
export function kindOf<Part extends Learned>({ type }: Part): PartKind<Part> {
  return byType.get(type) as unknown as PartKind<Part>
}
