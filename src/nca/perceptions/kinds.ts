/**
 * All kinds of learned perception, as `index.ts` lists them.
 */
import * as all from './index.ts'
import type { PartKind } from './kind.ts'

type All = typeof all

/** A learned part of a perception, as a rule lists it: what one of the functions in `index.ts` returns. */
export type Learned = {
  [Name in keyof All]: All[Name] extends (...args: never[]) => (infer Part extends { readonly type: string }) ? Part : never
}[keyof All]

/** All kinds. */
export const kinds: readonly PartKind<unknown>[] =
  Object.values(all).filter(one => typeof one === 'object') as unknown as PartKind<unknown>[]

const byType = new Map(kinds.map(kind => [kind.type, kind]))

/** Whether this is a learned part of a perception, and of a known kind. */
export function isLearned(part: unknown): part is Learned {
  return typeof part === 'object' && part !== null && byType.has((part as Learned).type)
}

/** The kind of a part. */
export function kindOf<Part extends Learned>({ type }: Part): PartKind<Part> {
  return byType.get(type) as unknown as PartKind<Part>
}
