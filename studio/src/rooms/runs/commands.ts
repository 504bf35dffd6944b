/**
 * Runs, in the worker: reading them from the server, and finding in what the shown ones differ.
 */
import { cascade, decodeModel, filmStrip, imageToPixels, key, latentView, rollout, scope, seed, tensorToImage } from 'cellgrad'
import { differingFields, flatten, tableOfRuns, type Json, type ServedRun, type ServedRuns } from 'cellgrad/experiment'
import type { Engine } from '../../engine/engine.ts'
import type { Pixels } from '../../ui/picture.ts'
import { shownOf } from './shown.ts'

/** A field of the runs, a result or an option. */
export type FieldRow = {
  readonly field: string
  /** In words, for each run. */
  readonly values: readonly string[]
  /** Whether the configurations of the runs differ in it. */
  readonly differs: boolean
}

export type Seen = ServedRuns & {
  /** Results, then options, of the shown runs. */
  readonly fields: readonly FieldRow[]
}

function inWords(value: Json | undefined): string {
  if (value === undefined) return '–'
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function fieldsOf(runs: readonly ServedRun[]): FieldRow[] {
  const differing = new Set(differingFields(runs))
  const results = [...new Set(runs.flatMap(run => Object.keys(run.results)))]
  const options = [...new Set(runs.flatMap(run => Object.keys(flatten(run.config))))].filter(field => !results.includes(field))
  const { columns, rows } = tableOfRuns(runs, [...results, ...options])
  return columns.map((field, i) => ({ field, values: rows.map(row => inWords(row[i])), differs: differing.has(field) }))
}

const pictures = 8

export const runs = {
  /** All runs as they are now. `address` is where the page found them. */
  async read(_: unknown, address: string, names: readonly string[] | null): Promise<Seen> {
    const response = await fetch(address)
    if (!response.ok) throw new Error(`the runs could not be read: ${response.status}.`)
    const served = await response.json() as ServedRuns
    return { ...served, fields: fieldsOf(shownOf(served.runs, names)) }
  },
  /** What the present model of a run grows, in eight pictures over twice the length of its rollouts. */
  async film({ backend }: Engine, address: string): Promise<Pixels> {
    const bytes = new Uint8Array(await (await fetch(address)).arrayBuffer())
    const { rule, params, provenance, codec, cascade: stages } = decodeModel(bytes, 'the model', { backend, dtype: 'float32' })
    const runs = stages ? cascade(rule, stages) : rule, view = codec ? latentView(rule, codec) : tensorToImage
    const [size, length] = [Number(provenance.grid) || 72, Number(/\d+$/.exec(provenance.steps ?? '')) || 96]
    const images = []
    for (let picture = 1; picture <= pictures; picture++) {
      const steps = Math.round(2 * length * picture / pictures)
      images.push(await view(scope(() => rollout(runs, params, seed(rule, { height: size, width: size, backend }), key(0), { steps }))))
    }
    const strip = filmStrip(images)
    return { width: strip.width, height: strip.height, data: imageToPixels(strip) }
  },
}
