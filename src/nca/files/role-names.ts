/**
 * Names for the channels of a role. A rule only counts its classes and conditions; a model file may name them in its
 * provenance, in the order of their channels and separated by spaces: `classes: 'outside line inside'`.
 */
import type { RoleNames } from '../perception-names.ts'
import type { Model } from './model-file.ts'

/** The field of provenance that names the channels of a role. */
const fields: Readonly<Record<string, string>> = { classes: 'classes', condition: 'conditions' }

/**
 * The names of channels by role, for each role whose channels are all named in the model's provenance: the role `classes` in
 * `provenance.classes`, the role `condition` in `provenance.conditions`.
 *
 * @example roleNames({ rule, provenance: { classes: 'outside line inside' } })   // { classes: ['outside', 'line', 'inside'] }
 */
export function roleNames({ rule: { channels }, provenance }: Pick<Model, 'rule' | 'provenance'>): RoleNames {
  return Object.fromEntries(Object.entries(fields).flatMap(([role, field]) => {
    const names = provenance[field]?.split(' ') ?? []
    return names.length > 0 && names.length === channels[role] ? [[role, names]] : []
  }))
}
