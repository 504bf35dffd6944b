/**
 * A model as text that fits into an address: its rule, its weights in few bits, and settings for whoever reads it.
 *
 *   bytes  =  1 (the version) · CRC-32C of what follows · bits · length and JSON { rule, settings }
 *             · for each parameter, in the order of `paramShapes`: its scales (float32), its weights (quantise.ts)
 *
 * encoded as base64url (RFC 4648), all numbers little-endian. The rule of Growing NCA takes 12,511 characters with 8 bits per
 * weight, and then the log10 of the loss of no bundled model grows by more than 0.10; with 6 bits that of one grows by 0.9
 * (docs/results/links.md).
 */
import { check, checkOptions, isObject, keysOf, wholeFrom } from '../../backends/options.ts'
import { fromBase64, toBase64 } from '../../backends/base64.ts'
import { crc32c } from '../../experiment/tensorboard/record.ts'
import { parseJson } from '../../nca/files/json.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { inFile } from '../../nca/files/tree-file.ts'
import { defineRule } from '../../nca/rule/define.ts'
import { checkParams } from '../../nca/rule/check-params.ts'
import { paramShapes, paramTree } from '../../nca/rule/parameters.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { scope } from '../../tensor/lifetime.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { placementOptions, tensor, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { deepestTree, eachLeaf } from '../../tensor/tree.ts'
import { packedLength, packWeights, scaleCount, scalesOf, unpackWeights } from './quantise.ts'

const version = 1
const headerLength = 10

/** A model in an address, with further settings: text by name. */
export type Linked = Pick<Model, 'rule' | 'params'> & { readonly settings: Readonly<Record<string, string>> }

export type LinkOptions = {
  /** Bits per weight, a whole number from 2 to 16; default 8. */
  bits?: number
  /** Further settings in the address: text by name; default none. */
  settings?: Linked['settings']
}

const linkOptions = keysOf<LinkOptions>({ bits: wholeFrom(2, 16), settings: { fits: isTexts, expected: 'text by name' } })

/**
 * The text of a model, made of letters, digits, - and _.
 *
 * @throws where the rule is code, the parameters do not fit it, a weight is not finite, or settings are not text
 * @example location.hash = `play?model=${await encodeLink({ rule, params }, { settings: { size: '72' } })}`
 */
export async function encodeLink(model: Pick<Model, 'rule' | 'params' | 'codec' | 'cascade'>, options: LinkOptions = {}): Promise<string> {
  const where = 'encodeLink'
  checkOptions(where, options, linkOptions)
  const { rule, params, codec, cascade } = model
  check(codec === undefined, where, 'codec', codec, 'none: an address has no room for a decoder of latents')
  check(cascade === undefined, where, 'cascade', cascade, 'none: what an address opens runs on one grid')
  const { bits = 8, settings = {} } = options
  if (rule?.type !== 'data') throw new Error(`${where}: the rule is not data (defineRule), and only data can be in an address.`)
  checkParams(where, rule, params)
  const leaves = new Map<string, Tensor>()
  eachLeaf(params, (leaf, path) => { leaves.set(path, leaf as Tensor) })
  const json = new TextEncoder().encode(JSON.stringify({ rule, settings }))
  const parts: Uint8Array[] = [json]
  for (const [path, shape] of Object.entries(paramShapes(rule))) {
    const weights = await leaves.get(path)!.data()
    const wrong = weights.find(w => !Number.isFinite(Math.fround(w)))
    check(wrong === undefined, where, `a weight of params.${path}`, wrong, 'a finite number of float32')
    const scales = scalesOf(weights, shape)
    parts.push(new Uint8Array(scales.buffer), packWeights(weights, scales, bits))
  }
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, headerLength))
  let at = headerLength
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  const view = new DataView(bytes.buffer)
  view.setUint8(0, version)
  view.setUint8(5, bits)
  view.setUint32(6, json.length, true)
  view.setUint32(1, crc32c(bytes.subarray(5)), true)
  return toBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '')
}

/**
 * The model of such a text. Its weights are the encoded ones up to half a quantisation step, in float32.
 *
 * @param where the name of the text, for messages
 * @param placement the backend of the parameters, by default the CPU, and their type, by default float32
 * @throws one sentence that names the text, if it is not from `encodeLink`, was cut or changed, or has no valid rule
 * @example const { rule, params, settings } = decodeLink(text, 'this address')
 */
export function decodeLink(text: string, where: string = 'the address', placement: Placement = {}): Linked {
  checkOptions('decodeLink', placement, placementOptions)
  const refuse = (why: string): never => { throw new Error(`${where}: ${why}; copy it again, whole.`) }
  if (typeof text !== 'string' || !/^[\w-]+$/.test(text) || text.length % 4 === 1) refuse('it holds no model')
  const bytes = fromBase64(text.replaceAll('-', '+').replaceAll('_', '/'))
  if (bytes.length < headerLength) refuse('it is cut')
  const view = new DataView(bytes.buffer)
  check(view.getUint8(0) === version, where, 'its version', view.getUint8(0), `${version}, the only one there is`)
  if (view.getUint32(1, true) !== crc32c(bytes.subarray(5))) refuse('it was cut or changed')
  const bits = view.getUint8(5)
  check(bits >= 2 && bits <= 16, where, 'its number of bits', bits, 'one from 2 to 16')
  const end = headerLength + view.getUint32(6, true)
  check(end <= bytes.length, where, 'the length of its rule', end, `at most ${bytes.length} bytes`)
  const { rule: given, settings } = parsed(where, new TextDecoder().decode(bytes.subarray(headerLength, end)))
  const rule = inFile(where, () => defineRule(given as DataRule))
  const shapes = Object.entries(paramShapes(rule))
  const needed = shapes.reduce((sum, [, shape]) => sum + 4 * scaleCount(shape) + packedLength(sizeOf(shape), bits), end)
  if (needed !== bytes.length) refuse('its weights are not those of its rule')
  return scope(() => {
    let at = end
    const tensors = shapes.map(([path, shape]) => {
      const scales = new Float32Array(bytes.slice(at, at += 4 * scaleCount(shape)).buffer)
      const wrong = scales.find(scale => !(scale >= 0 && scale < Infinity))
      check(wrong === undefined, where, `a scale of params.${path}`, wrong, 'a finite number ≥ 0')
      const packed = bytes.subarray(at, at += packedLength(sizeOf(shape), bits))
      return tensor(unpackWeights(packed, sizeOf(shape), scales, bits), { ...placement, shape })
    })
    return { rule, params: paramTree(shapes.map(([path]) => path), tensors), settings }
  }, 'decodeLink()')
}

function isTexts(x: unknown): boolean {
  return isObject(x) && Object.values(x).every(value => typeof value === 'string')
}

/** The parsed JSON of a link. */
function parsed(where: string, json: string): { rule: unknown; settings: Linked['settings'] } {
  let held: unknown
  try {
    held = parseJson(json, deepestTree)
  } catch (error) {
    throw new Error(`${where}: what it says of its rule ${(error as Error).message}.`, { cause: error })
  }
  check(isObject(held), where, 'what it holds', held, 'a rule and settings')
  const { rule, settings } = held as { rule: unknown; settings: Linked['settings'] }
  check(isTexts(settings), where, 'its settings', settings, 'text by name')
  return { rule, settings }
}
