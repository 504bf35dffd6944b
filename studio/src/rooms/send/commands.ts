/**
 * What is sent to others: a model as one page of HTML, and a model in an address. The worker makes both, and opens the
 * second.
 */
import { channelCount, decodeLink, decodeModel, encodeLink, encodeModel, exportHtml, zeros } from 'cellgrad'
import type { Engine } from '../../engine/engine.ts'
import type { File } from '../play/commands.ts'
import { kindOf } from '../play/family.ts'

/** Bits of a weight in an address: with 8 the bundled models grow as with 32, nearly; see `encodeLink`. */
const bits = 8

/** What an address says of a model beside its rule and its weights. */
const told = ['grid', 'conditions', 'classes']

/** The commands of sending. */
export const send = {
  /** The page of a model, on a grid of so many rows and columns. It begins as in Play. */
  async page(_engine: Engine, { name, bytes }: File, size: number): Promise<string> {
    const model = decodeModel(bytes, name, { dtype: 'float32' })
    const kind = kindOf(model.rule)
    const options = { title: name, brightness: kind === 'texture' ? 0.5 : 0 }
    if (kind === 'growing') return exportHtml(model, { ...options, size })
    return exportHtml(model, { ...options, start: zeros([1, size, size, channelCount(model.rule.channels)]) })
  },

  /** The text of a model for an address. */
  async link(_engine: Engine, { name, bytes }: File): Promise<string> {
    const model = decodeModel(bytes, name, { dtype: 'float32' })
    const beside = Object.entries(model.provenance).filter(([field]) => told.includes(field))
    return encodeLink(model, { bits, settings: { name, ...Object.fromEntries(beside) } })
  },

  /** The model that such a text holds, as a file. */
  async open(_engine: Engine, text: string): Promise<File> {
    const { rule, params, settings } = decodeLink(text, 'this address')
    const beside = Object.entries(settings).filter(([field]) => told.includes(field))
    return { name: settings.name ?? 'shared', bytes: await encodeModel({ rule, params, provenance: Object.fromEntries(beside) }) }
  },
}
