/**
 * Model and checkpoint files, read whole and written atomically. What is in them is `src/nca/files/model-file.ts`.
 */
import { readFile } from 'node:fs/promises'
import { decodeCheckpoint, decodeModel, encodeCheckpoint, encodeModel } from '../nca/files/model-file.ts'
import type { Model } from '../nca/files/model-file.ts'
import type { TrainerState } from '../nca/training/trainer.ts'
import type { DataParams } from '../nca/rule.ts'
import type { Placement } from '../tensor/tensor.ts'
import { writeFileAtomic } from './atomic-file.ts'

/**
 * Reads a model: its rule, its parameters, and where it comes from.
 *
 * @throws one sentence that names the file, where it cannot be read or is not a model
 * @example const { rule, params } = await readModel('lizard.safetensors')
 */
export async function readModel(path: string, placement?: Placement): Promise<Model> {
  return decodeModel(await readBytes('model', path), path, placement)
}

/**
 * Writes a model.
 *
 * @example await saveModel('lizard.safetensors', { rule, params: state.params, provenance: { target: '🦎' } })
 */
export async function saveModel(path: string, model: Model): Promise<void> {
  await writeFileAtomic(path, await encodeModel(model))
}

/**
 * Reads a training state as it was, bit for bit, and the text kept beside it.
 *
 * @throws one sentence that names the file, where it cannot be read or is not a checkpoint
 * @example const { state } = await readCheckpoint('run.safetensors'); train(trainer, { state, iterations: 4000 })
 */
export async function readCheckpoint<P = DataParams>(
  path: string, placement?: Placement,
): Promise<{ state: TrainerState<P>; metadata: Record<string, string> }> {
  return decodeCheckpoint(await readBytes('checkpoint', path), path, placement)
}

/** Writes a training state; `metadata` is kept beside it. */
export async function saveCheckpoint<P>(
  path: string, state: TrainerState<P>, metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  await writeFileAtomic(path, await encodeCheckpoint(state, metadata))
}

async function readBytes(what: string, path: string): Promise<Uint8Array> {
  return readFile(path).catch((cause: Error) => {
    throw new Error(`${what}: cannot read ${path} (${cause.message})`, { cause })
  })
}
