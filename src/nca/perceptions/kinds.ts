/**
 * All kinds of learned perception by the name under which a rule has them.
 */
import { attentionKind } from './attention.ts'
import type { Attention } from './attention.ts'
import { convKind } from './conv.ts'
import type { Conv } from './conv.ts'
import { deformableKind } from './deformable.ts'
import type { Deformable } from './deformable.ts'
import { depthwiseKind } from './filters.ts'
import type { Depthwise } from './filters.ts'
import type { PartDescription, PartKind } from './kind.ts'
import { residualConvKind } from './residual-conv.ts'
import type { ResidualConv } from './residual-conv.ts'

/** Something learned that a cell perceives by, as a rule has it. */
export type Learned = Depthwise | Conv | ResidualConv | Attention | Deformable

/** Filters are applied together (`perceive.ts`); each of these computes by itself. */
const computing = {
  conv: convKind, residualConv: residualConvKind, attention: attentionKind, deformable: deformableKind,
}

const kinds = { depthwise: depthwiseKind, ...computing }

/** Whether this is a learned part of a perception, and of a known kind. */
export function isLearned(part: unknown): part is Learned {
  return typeof part === 'object' && part !== null && Object.hasOwn(kinds, String((part as { type?: unknown }).type))
}

/** What there is to know of a part. */
export function describe<Part extends Learned>({ type }: Part): PartDescription<Part> {
  return kinds[type] as unknown as PartDescription<Part>
}

/** What a part computes. */
export function kindOf<Part extends Exclude<Learned, Depthwise>>({ type }: Part): PartKind<Part> {
  return computing[type] as unknown as PartKind<Part>
}
