/**
 * Trained models as bytes: a safetensors file of the tree of parameters (`tree-file.ts`), with the rule as JSON in its
 * metadata field `rule` and, beside it, the provenance of the model. If the rule lives in latents, the field `autoencoder`
 * describes the autoencoder, whose parameters are under `codec`; if it begins on coarse grids, the field `cascade` has its stages.
 *
 * A model is checked against its rule when it is written and when it is read: it must have every parameter of the rule and no
 * other, of the right shapes, all of one floating type, and every number finite.
 */
import { checkData } from '../../backends/fields.ts'
import type { Backend, DType } from '../../backends/backend.ts'
import { scope } from '../../tensor/lifetime.ts'
import { check, checkOptions, isObject, keysOf, show, type Options } from '../../backends/options.ts'
import { defaultBackend, placementKinds, tensor, type Placement } from '../../tensor/tensor.ts'
import { mapTree } from '../../tensor/tree.ts'
import { cascadeField, type Stage } from '../cascade.ts'
import { checkCodec, defineAutoencoder, type Autoencoder, type AutoencoderParams, type Codec } from '../latent/autoencoder.ts'
import { checkParams } from '../rule/check-params.ts'
import { defineRule } from '../rule/define.ts'
import type { DataParams, DataRule } from '../rule/types.ts'
import { limitKinds, type SafetensorsEntry, type SafetensorsLimits } from './safetensors.ts'
import { decodeTree, encodeTree, inFile, metadataJson, Stored, wrongValue } from './tree-file.ts'

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
}

/** The metadata fields that are not provenance. */
const reserved = ['format', 'tree', 'rule', 'autoencoder', 'cascade']

/**
 * The bytes of a model file.
 *
 * @throws where the rule is code, the parameters do not fit it or are not finite, or provenance is not text or has a name
 *   that the file uses itself
 */
export async function encodeModel({ rule, params, provenance, codec, cascade }: Model): Promise<Uint8Array> {
  if (rule?.type !== 'data') {
    throw new Error(
      'encodeModel: the rule is not data (defineRule), and only data can be stored; keep the params '
        + 'of other rules with encodeCheckpoint or encodeSafetensors.',
    )
  }
  checkParams('encodeModel', rule, params)
  if (codec) checkCodec('encodeModel', rule, codec, params.update.w1)
  const stages = cascade && checkData('encodeModel: cascade', cascadeField, cascade)
  check(isObject(provenance), 'encodeModel', 'provenance', provenance, 'an object of texts')
  for (const [name, text] of Object.entries(provenance)) {
    if (reserved.includes(name)) {
      throw new Error(`encodeModel: provenance cannot be called ${name}, which the file uses itself.`)
    }
    if (typeof text !== 'string') throw new Error(`encodeModel: provenance.${name} is ${show(text)}, expected text.`)
  }
  const metadata = {
    ...provenance, format: modelFormat, rule: JSON.stringify(rule), ...(codec && { autoencoder: JSON.stringify(codec.autoencoder) }),
    ...(stages && { cascade: JSON.stringify(stages) }),
  }
  const tree = codec ? { ...params, codec: codec.params } : params
  return encodeTree({ tree, metadata, where: 'encodeModel' }, (path, entry) => {
    checkFinite('encodeModel', path, entry, entry.dtype)
  })
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
  const { format: _format, tree: _tree, rule: _rule, autoencoder, cascade: _cascade, ...provenance } = metadata
  return inFile(where, () => scope(() => {
    const rule = defineRule(metadataJson(metadata, 'rule', where) as DataRule)
    const { codec: learnt, ...params } = mapTree(tree, (leaf, path) => {
      if (!(leaf instanceof Stored)) return leaf
      const { backend, dtype } = placeOf(leaf.entry, placement)
      checkFinite(where, path, leaf.entry, dtype)
      return tensor(leaf.entry.data, { shape: leaf.shape, backend, dtype })
    }) as DataParams & { readonly codec?: AutoencoderParams }
    checkParams(where, rule, autoencoder === undefined && learnt ? { ...params, codec: learnt } : params)
    const cascade = metadata.cascade === undefined ? null : checkData('cascade', cascadeField, metadataJson(metadata, 'cascade', where))
    const model = { rule, params, provenance, ...(cascade && { cascade }) }
    if (autoencoder === undefined) return model
    const codec = { autoencoder: defineAutoencoder(metadataJson(metadata, 'autoencoder', where) as Autoencoder), params: learnt! }
    checkCodec(where, rule, codec, params.update.w1)
    return { ...model, codec }
  }, 'decodeModel()'))
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
