/**
 * Sending a model to others: as one HTML page, or in an address. The worker makes both, and opens such addresses.
 */
import { channelCount, decodeLink, decodeModel, encodeLink, encodeModel, exportHtml, zeros } from 'cellgrad'
import type { Engine } from '../../engine/engine.ts'
import type { ModelFile, Target } from '../model-file.ts'
import { kindOf } from '../play/family.ts'
import { qualityOf, type Quality } from './quality.ts'

/** Bits of a weight in an address: with 8 the bundled models grow nearly as well as with 32; see `encodeLink`. */
const bits = 8

/** The fields of a model's provenance that an address also has, beside its rule and its weights. */
const told = ['grid', 'conditions', 'classes']

/** A model as text, to be put into an address. */
export type Link = { readonly text: string; readonly bits: number }

/** The commands of sending. */
export const send = {
  /** The HTML page of a model, on a square grid of this size. It begins as in Play. */
  async page(_engine: Engine, { name, bytes }: ModelFile, size: number): Promise<string> {
    const model = decodeModel(bytes, name, { dtype: 'float32' })
    const kind = kindOf(model.rule)
    const options = { title: name, brightness: kind === 'texture' ? 0.5 : 0 }
    if (kind === 'growing') return exportHtml(model, { ...options, size })
    return exportHtml(model, { ...options, start: zeros([1, size, size, channelCount(model.rule.channels)]) })
  },

  /** Encodes a model for an address. */
  async link(_engine: Engine, { name, bytes }: ModelFile): Promise<Link> {
    const model = decodeModel(bytes, name, { dtype: 'float32' })
    const beside = Object.entries(model.provenance).filter(([field]) => told.includes(field))
    return { text: await encodeLink(model, { bits, settings: { name, ...Object.fromEntries(beside) } }), bits }
  },

  /** Compares how well a model grows when it is decoded from such a text with how well it grows here. */
  quality({ backend }: Engine, { name, bytes }: ModelFile, text: string, target: Target | null): Promise<Quality> {
    const here = decodeModel(bytes, name, { backend, dtype: 'float32' })
    return qualityOf(here, decodeLink(text, 'the address', { backend, dtype: 'float32' }).params, target, backend)
  },

  /** The model in such a text, as a file. */
  async open(_engine: Engine, text: string): Promise<ModelFile> {
    const { rule, params, settings } = decodeLink(text, 'this address')
    const beside = Object.entries(settings).filter(([field]) => told.includes(field))
    return { name: settings.name ?? 'shared', bytes: await encodeModel({ rule, params, provenance: Object.fromEntries(beside) }) }
  },
}
