/**
 * What is sent to others: a model as one page of HTML, and a model in an address. The worker makes both, and opens the
 * second.
 */
import { channelCount, decodeLink, decodeModel, encodeLink, encodeModel, exportHtml, zeros } from 'cellgrad'
import type { Engine } from '../../engine/engine.ts'
import type { ModelFile, Target } from '../model-file.ts'
import { kindOf } from '../play/family.ts'
import { qualityOf, type Quality } from './quality.ts'

/** Bits of a weight in an address: with 8 the bundled models grow as with 32, nearly; see `encodeLink`. */
const bits = 8

/** What an address says of a model beside its rule and its weights. */
const told = ['grid', 'conditions', 'classes']

/** A model for an address. */
export type Link = { readonly text: string; readonly bits: number }

/** The commands of sending. */
export const send = {
  /** The page of a model, on a grid of so many rows and columns. It begins as in Play. */
  async page(_engine: Engine, { name, bytes }: ModelFile, size: number): Promise<string> {
    const model = decodeModel(bytes, name, { dtype: 'float32' })
    const kind = kindOf(model.rule)
    const options = { title: name, brightness: kind === 'texture' ? 0.5 : 0 }
    if (kind === 'growing') return exportHtml(model, { ...options, size })
    return exportHtml(model, { ...options, start: zeros([1, size, size, channelCount(model.rule.channels)]) })
  },

  /** A model for an address. */
  async link(_engine: Engine, { name, bytes }: ModelFile): Promise<Link> {
    const model = decodeModel(bytes, name, { dtype: 'float32' })
    const beside = Object.entries(model.provenance).filter(([field]) => told.includes(field))
    return { text: await encodeLink(model, { bits, settings: { name, ...Object.fromEntries(beside) } }), bits }
  },

  /** How well a model grows as such a text holds it, beside how it grows here. */
  quality({ backend }: Engine, { name, bytes }: ModelFile, text: string, target: Target | null): Promise<Quality> {
    const here = decodeModel(bytes, name, { backend, dtype: 'float32' })
    return qualityOf(here, decodeLink(text, 'the address', { backend, dtype: 'float32' }).params, target, backend)
  },

  /** The model that such a text holds, as a file. */
  async open(_engine: Engine, text: string): Promise<ModelFile> {
    const { rule, params, settings } = decodeLink(text, 'this address')
    const beside = Object.entries(settings).filter(([field]) => told.includes(field))
    return { name: settings.name ?? 'shared', bytes: await encodeModel({ rule, params, provenance: Object.fromEntries(beside) }) }
  },
}
