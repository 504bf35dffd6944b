/**
 * What the channels of a role are called: a rule counts its classes and its conditions, and the file of a model may name
 * them, in the order of their channels, with spaces between: `classes: 'outside line inside'` in its provenance.
 */
import type { RoleNames } from '../perception-names.ts'
import type { Model } from './model-file.ts'

/** The field of provenance that names the channels of a role. */
const fields: Readonly<Record<string, string>> = { classes: 'classes', condition: 'conditions' }

/**
 * The names of channels by role, as far as a model's provenance names all channels of it: those of the role `classes` in
 * `provenance.classes`, those of `condition` in `provenance.conditions`.
 *
 * @example roleNames({ rule, provenance: { classes: 'outside line inside' } })   // { classes: ['outside', 'line', 'inside'] }
 */
export function roleNames({ rule: { channels }, provenance }: Pick<Model, 'rule' | 'provenance'>): RoleNames {
  return Object.fromEntries(Object.entries(fields).flatMap(([role, field]) => {
    const names = provenance[field]?.split(' ') ?? []
    return names.length > 0 && names.length === channels[role] ? [[role, names]] : []
  }))
}
