/**
 * Model and checkpoint files, read whole and written atomically. Their contents are defined in `src/nca/files/model-file.ts`.
 */
import { checkpointOptions, decodeCheckpoint, encodeCheckpoint, type CheckpointOptions } from '../nca/files/checkpoint-file.ts'
import { decodeModel, encodeModel, modelOptions, type Model, type ModelOptions } from '../nca/files/model-file.ts'
import { byteLimit, type ByteLimit } from '../nca/files/limits.ts'
import { storedOptions, type StoredAs } from '../nca/files/safetensors.ts'
import type { TrainerState } from '../nca/training/trainer.ts'
import type { DataParams } from '../nca/rule/types.ts'
import { checkOptions } from '../backends/options.ts'
import { writeFileAtomic } from './atomic-file.ts'
import { readFileUpTo } from './read-file.ts'

/**
 * Reads a model: its rule, its parameters, and its provenance.
 *
 * @param options the backend and the type of the parameters, see `decodeModel`, and how large the file may be
 * @throws if the file cannot be read or is not a model; the sentence names the file
 * @example const { rule, params } = await readModel('lizard.safetensors')
 */
export async function readModel(path: string, options: ModelOptions = {}): Promise<Model> {
  checkOptions('readModel', options, modelOptions) // before a long file is read
  return decodeModel(await readBytes('model', path, options), path, options)
}

/**
 * Writes a model.
 *
 * @param options in which type its numbers are stored, see `encodeModel`
 * @example await saveModel('lizard.safetensors', { rule, params: state.params, provenance: { target: '🦎' } })
 * @example await saveModel('small.safetensors', model, { dtype: 'float16' })
 */
export async function saveModel(path: string, model: Model, options: StoredAs = {}): Promise<void> {
  checkOptions('saveModel', options, storedOptions)
  await writeFileAtomic(path, await encodeModel(model, options))
}

/**
 * Reads a training state, bit for bit as it was saved, and the texts saved with it.
 *
 * @param options the backend for the state, and the trainer that it must fit, see `decodeCheckpoint`
 * @throws if the file cannot be read, is not a checkpoint, or not one of this trainer; the sentence names the file
 * @example
 * const { state } = await readCheckpoint('run.safetensors', { trainer })
 * for await (const { loss } of train(trainer, { state, iterations: 4000 })) console.log(loss)
 */
export async function readCheckpoint<P = DataParams>(
  path: string, options: CheckpointOptions<P> = {},
): Promise<{ state: TrainerState<P>; metadata: Record<string, string> }> {
  checkOptions('readCheckpoint', options, checkpointOptions)
  return decodeCheckpoint(await readBytes('checkpoint', path, options), path, options)
}

/** Writes a training state, together with the texts in `metadata`. */
export async function saveCheckpoint<P>(
  path: string, state: TrainerState<P>, metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, await encodeCheckpoint(state, metadata))
}

function readBytes(what: string, path: string, { maxBytes }: ByteLimit): Promise<Uint8Array> {
  return readFileUpTo(what, path, byteLimit(what, { maxBytes }))
}
