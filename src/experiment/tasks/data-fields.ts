/**
 * Fields that several tasks have among their data.
 */
import { either, list, orNull, type Field, type Fields } from '../../backends/fields.ts'
import { flag, oneOf, text, wholeFrom } from '../../backends/options.ts'

/** Target pictures, and how they are fitted. */
export type Targets = { readonly targets: readonly string[]; readonly size: number; readonly padding: number }

export const path = (about: string): Field<string> => ({ ...text, about })
export const paths: Field<string | readonly string[]> = either<string | readonly string[]>(text, list<string>(text, 'paths', 1))
export const lossOf = <T extends string>(words: readonly T[], about: string): Field<T> => ({ ...oneOf(words), default: words[0] as never, about })
export const standardise: Field<boolean> = { ...flag, default: false, about: 'Whether each array is scaled to mean 0 and standard deviation 1' }
export const limit: Field<number | null> = { ...orNull(wholeFrom(1)), default: null, about: 'Uses only the first ones, this many; null: all' }

export const size: Field<number | null> = { ...orNull(wholeFrom(1, 4096)), default: null, about: 'Side in cells to which pictures are fitted; null: their own size' }

/** The fields of target pictures. */
export function targetsAs(about: string): Fields<Targets> {
  return {
    targets: { ...list<string>(text, 'emoji, their names, or paths of pictures', 1), about },
    size: { ...wholeFrom(1, 4096), default: 40, about: 'Longer side of each picture in cells' },
    padding: { ...wholeFrom(0, 4096), default: 16, about: 'Empty cells around it on each side' },
  }
}
