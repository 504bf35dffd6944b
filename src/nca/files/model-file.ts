/**
 * Trained models as bytes: a safetensors file of the tree of parameters (`tree-file.ts`), with the rule as JSON in its
 * metadata field `rule` and, beside it, the provenance of the model. If the rule lives in latents, the field `autoencoder`
 * describes the autoencoder, whose parameters are under `codec`; if it begins on coarse grids, the field `cascade` has its stages.
 * Examples of first states are under `starts`.
 *
 * A model is checked against its rule when it is written and when it is read: it must have every parameter of the rule and no
 * other, of the right shapes, all of one floating type, and every number finite.
 */
import { checkData } from '../../backends/fields.ts'
import type { Backend, DType } from '../../backends/backend.ts'
import { scope } from '../../tensor/lifetime.ts'
import { checkOptions, keysOf, type Options } from '../../backends/options.ts'
import { defaultBackend, placementKinds, tensor, type Placement } from '../../tensor/tensor.ts'
import { mapTree } from '../../tensor/tree.ts'
import { cascadeField, type Stage } from '../cascade.ts'
import { checkCodec, defineAutoencoder, type Autoencoder, type AutoencoderParams, type Codec } from '../latent/autoencoder.ts'
import { checkParams } from '../rule/check-params.ts'
import { defineRule } from '../rule/define.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import { limitKinds, storedOptions, type SafetensorsEntry, type SafetensorsLimits, type StoredAs } from './safetensors.ts'
import { checkStarts, type Starts } from './starts.ts'
import { checkTexts, decodeTree, encodeTree, inFile, metadataJson, Stored, wrongValue } from './tree-file.ts'

const modelFormat = 'cellgrad model 1'

/** A trained rule: what `cellgrad grow` plays. */
export type Model = {
  readonly rule: DataRule
  readonly params: DataParams
  /** Where it comes from: free text by key. */
  readonly provenance: Readonly<Record<string, string>>
  /** The autoencoder in whose latents the rule lives (`latentTask`), and its parameters; absent for a rule of pixels. */
  readonly codec?: Codec
  /** The stages on coarse grids with which its rollouts begin, as it was trained; absent for a rule on one grid. */
  readonly cascade?: readonly Stage[]
  /** Examples of first states, see `firstState`; absent for a rule that begins with one living cell. */
  readonly starts?: Starts
}

/** The metadata fields that are not provenance. */
const reserved = ['format', 'tree', 'rule', 'autoencoder', 'cascade']

/**
 * The bytes of a model file.
 *
 * @param options the type in which numbers are stored, by default their own
 * @throws where the rule is code, the parameters do not fit it, are not finite or are too large for that type, or provenance
 *   is not text or has a name that the file uses itself
 * @example await encodeModel({ rule, params, provenance: {} }, { dtype: 'float16' })   // half as large
 */
export async function encodeModel(model: Model, options: StoredAs = {}): Promise<Uint8Array> {
  checkOptions('encodeModel', options, storedOptions)
  const { rule, params, provenance, codec, cascade, starts } = model
  if (rule?.type !== 'data') {
    throw new Error(
      'encodeModel: the rule is not data (defineRule), and only data can be stored; keep the params '
        + 'of other rules with encodeCheckpoint or encodeSafetensors.',
    )
  }
  checkModel('encodeModel', model)
  const stages = cascade && checkData('encodeModel: cascade', cascadeField, cascade)
  checkTexts('encodeModel', 'provenance', provenance, reserved)
  const metadata = {
    ...provenance, format: modelFormat, rule: JSON.stringify(rule), ...(codec && { autoencoder: JSON.stringify(codec.autoencoder) }),
    ...(stages && { cascade: JSON.stringify(stages) }),
  }
  const tree = { ...params, ...(codec && { codec: codec.params }), ...(starts && { starts }) }
  return encodeTree({ tree, metadata, where: 'encodeModel' }, (path, entry) => {
    checkFinite('encodeModel', path, entry, entry.dtype)
  }, options)
}

/** The backend and type that the parameters should have, and the limits of the file. */
export type ModelOptions = Placement & SafetensorsLimits

export const modelOptions: Options = keysOf<ModelOptions>({ ...placementKinds, ...limitKinds })

/**
 * A model from the bytes of its file.
 *
 * @param where the file's name, for messages
 * @param options the backend for the parameters, by default the CPU, and their type, by default that of the file, or
 *   float32 where the backend has no float64
 * @throws one sentence that names the file where the bytes are not a model, where a number of its rule is too large,
 *   and where the parameters do not fit the rule or are not finite
 * @example decodeModel(bytes, 'lizard.safetensors', { dtype: 'float32' })
 */
export function decodeModel(bytes: Uint8Array, where = 'input', options: ModelOptions = {}): Model {
  checkOptions('decodeModel', options, modelOptions)
  const { maxBytes, maxHeaderBytes, ...placement } = options
  const { tree, metadata } = decodeTree(bytes, modelFormat, where, { maxBytes, maxHeaderBytes })
  const { format: _format, tree: _tree, rule: _rule, autoencoder, cascade, ...provenance } = metadata
  return inFile(where, () => scope(() => {
    const rule = defineRule(metadataJson(metadata, 'rule', where) as DataRule)
    const { codec: learnt, starts, ...params } = mapTree(tree, (leaf, path) => {
      if (!(leaf instanceof Stored)) return leaf
      const { backend, dtype } = placeOf(leaf.entry, placement)
      checkFinite(where, path, leaf.entry, dtype)
      return tensor(leaf.entry.data, { shape: leaf.shape, backend, dtype })
    }) as DataParams & { readonly codec?: AutoencoderParams; readonly starts?: Starts }
    const inLatents = autoencoder !== undefined
    const stages = cascade !== undefined && checkData('cascade', cascadeField, metadataJson(metadata, 'cascade', where))
    const model: Model = {
      rule, params: learnt && !inLatents ? { ...params, codec: learnt } as DataParams : params, provenance,
      ...(starts && { starts }), ...(stages && { cascade: stages }),
      ...(inLatents && {
        codec: { autoencoder: defineAutoencoder(metadataJson(metadata, 'autoencoder', where) as Autoencoder), params: learnt! },
      }),
    }
    checkModel(where, model)
    return model
  }, 'decodeModel()'))
}

/** Throws unless the parts of a model fit its rule. */
function checkModel(where: string, { rule, params, codec, starts }: Model): void {
  checkParams(where, rule, params)
  const like = params.update.w1
  if (codec) checkCodec(where, rule, codec, like)
  if (starts) checkStarts(where, rule, starts, like)
}

/** The backend and the type of a tensor that is read: the type asked for, else that of the file. */
function placeOf(
  { dtype: stored }: SafetensorsEntry, { backend, dtype, like }: Placement,
): { backend: Backend; dtype: DType } {
  const on = backend ?? like?.backend ?? defaultBackend
  const type = dtype ?? like?.dtype ?? (on.dtypes.includes(stored) ? stored : 'float32')
  return { backend: on, dtype: stored.startsWith('float') ? type : stored }
}

function checkFinite(where: string, path: string, entry: SafetensorsEntry, dtype: DType): void {
  const finite = (x: number): boolean => Number.isFinite(dtype === 'float32' ? Math.fround(x) : x)
  const wrong = wrongValue(`params.${path}`, entry, finite, `finite numbers of ${dtype}`)
  if (wrong !== undefined) throw new Error(`${where}: ${wrong}`)
}
