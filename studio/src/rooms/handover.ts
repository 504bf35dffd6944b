/**
 * How one room opens a model in another.
 */
import { addressOf } from '../address.ts'
import type { ModelFile } from './model-file.ts'
import { keepModel } from './models.ts'

/** Keeps a model, and opens it in a room with these settings. */
export function openIn(room: 'play' | 'inside', file: ModelFile, settings: Readonly<Record<string, string>> = {}): void {
  location.hash = addressOf(room, { model: keepModel(file).name, ...settings })
}
