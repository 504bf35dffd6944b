// Every reader of files: files that it accepts, access to their contents, and a use of its results.

import { readFile, writeFile } from 'node:fs/promises'
import { gunzipSync, gzipSync } from 'node:zlib'
import { parse, stringify } from 'yaml'
import {
  adam, conv, defineRule, encodeCheckpoint, encodeModel, encodeNpy, encodeSafetensors, firstState, decodeLink, decodeSafetensors,
  encodeLink, growingTrainer, init, key, mlp, depthwise, rollout, scope, seed, tensorToImage, full, type DataParams,
  type DataRule, type Image, type Trainer, type TrainerState,
} from '../../src/index.ts'
import { loadConfig } from '../../src/cli/input/config-file.ts'
import { configYaml } from '../../src/experiment/config/yaml.ts'
import { openMetrics } from '../../src/cli/run/metrics.ts'
import { crc32c } from '../../src/experiment/tensorboard/record.ts'
import { encodePng, readCheckpoint, readIdx, readModel, readNifti, readNpy, readNpz } from '../../src/node/index.ts'
import { pictureKind } from '../../src/nca/files/picture-kind.ts'
import { readImage } from '../../src/node/pictures/picture.ts'
import { tiny } from '../cli/run.ts'
import { pictures } from '../node/pictures.ts'
import { zipOf } from '../zip.ts'
import { mutateJson, type Random } from './mutate.ts'

export type Reader = {
  readonly name: string
  readonly seeds: readonly Uint8Array[]
  /** Unpacks the contents of a file with a checksum, a length or compression, and packs them again. */
  readonly open?: (bytes: Uint8Array) => Uint8Array
  readonly close?: (inside: Uint8Array, bytes: Uint8Array) => Uint8Array
  /** A well-formed file with wrong contents. */
  readonly rewrite?: (bytes: Uint8Array, random: Random) => Uint8Array
  /** Reads the file at a path, and throws unless the result can be used. */
  readonly read: (path: string) => Promise<void>
}

// So small a limit that even a file of a few bytes that asks for much memory must be refused.
const limits = { maxBytes: 2 ** 22 }

const rules: readonly DataRule[] = [
  defineRule({
    channels: { rgba: 4, hidden: 2 }, perceive: ['identity', 'sobelX'], update: mlp(5, { lastStd: 0.3 }), fireRate: 0.5,
    living: { channel: 3, above: 0.1 },
  }),
  defineRule({
    channels: { a: 2, b: 1 }, perceive: [conv(3, { dilation: 2, bias: true, activation: 'relu' }), depthwise(2), { name: 'mean', factor: 9 }],
    update: mlp([4, 4], { activation: 'tanh', residual: true, lastStd: 0.1, lastBias: false }), padding: 'circular', frozen: ['b'],
    noise: { on: 'change', std: 0.1 }, bound: { type: 'clamp', low: -1, high: 1 }, inputMask: { channel: 2, above: 0 },
  }),
  defineRule({ channels: { a: 2 }, grid: 1, perceive: ['identity'], update: mlp(3) }),
]
const options = {
  rule: rules[0], target: full([4, 5, 4], 0.5), batch: 2, pool: 3, steps: [2, 3], reseed: 1, damaged: 1, optimiser: adam({ rate: 1e-3 }),
} as const
const trainers = {
  'checkpoint': growingTrainer(options),
  'checkpoint with a critic': growingTrainer({ ...options, critic: { widths: [2], steps: 1, lossWeight: 1 } }),
} as const

const text = (t: string): Uint8Array => new TextEncoder().encode(t)

async function models(): Promise<Uint8Array[]> {
  const wide = rules[0]
  return Promise.all([
    ...rules.map(rule => encodeModel({ rule, params: init(rule, key(0)), provenance: { grid: '9', target: '🦎' } })),
    encodeModel({ rule: rules[1], params: init(rules[1], key(0)), provenance: {}, starts: { b: full([2, 3, 4, 1], 0.5), a: full([2, 2], 1) } }),
    encodeModel({ rule: wide, params: init(wide, key(0), { dtype: 'float64' }), provenance: {} }),
    encodeModel({ rule: wide, params: init(wide, key(0)), provenance: {} }, { dtype: 'float16' }),
  ])
}

async function addresses(): Promise<Uint8Array[]> {
  const links = rules.map((rule, i) => encodeLink({ rule, params: init(rule, key(0)) }, { bits: 3 + 5 * i, settings: { size: '9' } }))
  return (await Promise.all(links)).map(text)
}

async function checkpoints(trainer: Trainer<TrainerState<DataParams>>): Promise<Uint8Array[]> {
  const first = trainer.init(key(1))
  return [await encodeCheckpoint(first), await encodeCheckpoint(trainer.step(trainer.step(first).state).state, { note: 'x' })]
}

/** A header of 348 bytes, four more, and 24 numbers of a type. */
function nifti(code: number, width: number): Uint8Array {
  const bytes = new Uint8Array(352 + 24 * width)
  const view = new DataView(bytes.buffer)
  view.setInt32(0, 348, true)
  ;[3, 2, 3, 4, 1, 1, 1, 1].forEach((n, i) => view.setInt16(40 + 2 * i, n, true))
  view.setInt16(70, code, true)
  view.setInt16(72, 8 * width, true)
  for (let i = 0; i < 8; i++) view.setFloat32(76 + 4 * i, 1, true)
  view.setFloat32(108, 352, true)
  view.setFloat32(112, 1, true)
  bytes.set(text('n+1\0'), 344)
  return bytes
}

const picture: Image = { width: 5, height: 3, data: Float32Array.from({ length: 60 }, (_, i) => (i % 4 === 3 ? 1 : (i % 7) / 7)) }

/** The header of a safetensors file, without its length. */
function header(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(8, 8 + new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true))
}

function withHeader(inside: Uint8Array, bytes: Uint8Array): Uint8Array {
  const length = new Uint8Array(8)
  new DataView(length.buffer).setUint32(0, inside.length, true)
  return Buffer.concat([length, inside, bytes.subarray(8 + header(bytes).length)])
}

/** A safetensors file with a fault in its tree, its rule or one of its tensors. */
function retold(bytes: Uint8Array, random: Random): Uint8Array {
  const { entries, metadata } = decodeSafetensors(bytes)
  const field = random.pick(['tree', 'rule', 'tensor'])
  if (field in metadata) {
    const text = JSON.stringify(mutateJson(JSON.parse(metadata[field]), random))
    return encodeSafetensors(entries, { ...metadata, [field]: text })
  }
  const name = random.pick(Object.keys(entries))
  const { dtype, shape, data } = entries[name]
  const how = random.whole(4)
  if (how === 0) data[random.whole(data.length)] = random.pick([NaN, Infinity, -1, 0, 1e38, 2 ** 31, 7])
  else if (how === 1) entries[name] = { dtype: 'float64', shape, data: Float64Array.from(data) }
  else if (how === 2) entries[name] = { dtype, shape: shape.toReversed(), data }
  else delete entries[name]
  return encodeSafetensors(entries, metadata)
}

/** The rule and the settings of an address. */
function linked(bytes: Uint8Array): Uint8Array {
  const inside = Buffer.from(Buffer.from(bytes).toString(), 'base64url')
  return inside.subarray(10, 10 + inside.readUInt32LE(6))
}

/** An address with other contents, and a correct checksum. */
function relinked(inside: Uint8Array, bytes: Uint8Array): Uint8Array {
  const before = Buffer.from(Buffer.from(bytes).toString(), 'base64url')
  const after = Buffer.concat([before.subarray(0, 10), inside, before.subarray(10 + linked(bytes).length)])
  after.writeUInt32LE(inside.length, 6)
  after.writeUInt32LE(crc32c(after.subarray(5)), 1)
  return text(after.toString('base64url'))
}

const crcs = Uint32Array.from({ length: 256 }, (_, n) => {
  for (let bit = 0; bit < 8; bit++) n = n & 1 ? 0xedb88320 ^ (n >>> 1) : n >>> 1
  return n
})

/** A PNG with corrected checksums. */
function checksummed(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes)
  const view = new DataView(out.buffer)
  for (let at = 8; at + 12 <= out.length;) {
    const end = at + 8 + view.getUint32(at)
    if (end + 4 > out.length) break
    let crc = 0xffffffff
    for (let i = at + 4; i < end; i++) crc = crcs[(crc ^ out[i]) & 255] ^ (crc >>> 8)
    view.setUint32(end, ~crc >>> 0)
    at = end + 4
  }
  return out
}

function wants(ok: boolean, what: string): void {
  if (!ok) throw new Error(`unusable: ${what}`)
}

function checkNumbers({ shape, data }: { readonly shape: readonly number[]; readonly data: ArrayLike<number> }): void {
  wants(data.length === shape.reduce((a, b) => a * b, 1), `${data.length} numbers of shape ${shape.join()}`)
}

function checkImage({ width, height, data }: Image): void {
  wants(data.length === 4 * width * height, `${width}×${height} pixels of ${data.length} numbers`)
  wants(data.every(v => v >= 0 && v <= 1), 'a pixel beyond 0 to 1')
}

/** 2 × 2 pixels of 24 bits. */
function bmp(): Uint8Array {
  const bytes = new Uint8Array(54 + 16)
  const view = new DataView(bytes.buffer)
  bytes.set(text('BM'))
  for (const [at, n] of [[2, 70], [10, 54], [14, 40], [18, 2], [22, 2], [34, 16]]) view.setUint32(at, n, true)
  for (const [at, n] of [[26, 1], [28, 24]]) view.setUint16(at, n, true)
  return bytes
}

async function readPicture(path: string): Promise<void> {
  checkImage(await readImage(path, { maxPixels: 2 ** 18 }))
}

/** Pictures of a kind, recognised by their first bytes. */
function pictureFiles(kind: string): Uint8Array[] {
  const readable = Object.entries(pictures).filter(([name]) => !['cmyk', 'animation'].includes(name)).map(([, bytes]) => bytes)
  return readable.filter(bytes => pictureKind(bytes)?.toLowerCase() === kind)
}

/** All readers. */
export async function allReaders(): Promise<readonly Reader[]> {
  const json = { open: header, close: withHeader, rewrite: retold }
  const gz = { open: (bytes: Uint8Array) => gunzipSync(bytes), close: (inside: Uint8Array) => gzipSync(inside, { level: 1 }) }
  const data = new URL('../data/', import.meta.url)
  const idx = ['mnist-20-images-idx3-ubyte.gz', 'mnist-20-labels-idx1-ubyte.gz']
  const volumes = [nifti(2, 1), nifti(4, 2), nifti(16, 4)]
  const pngs = [encodePng(picture), await readFile(new URL('../../assets/emoji/lizard-1f98e.png', import.meta.url))]
  const example = { shape: [2, 3], data: new Float32Array(6) }
  const tensors = { a: { dtype: 'float32', ...example }, b: { dtype: 'uint32', shape: [], data: new Uint32Array(1) } } as const
  return [
    {
      name: 'model', seeds: await models(), ...json,
      async read(path) {
        const { rule, params, starts } = await readModel(path, { ...limits, maxHeaderBytes: 2 ** 20 })
        const x = firstState({ rule, params, starts }, 0, [3, 5, 9].slice(-rule.grid))
        const grown = rollout(rule, params, x, key(0), { steps: 2 })
        if (rule.grid === 2 && x.shape[3] >= 4) await tensorToImage(grown)
        else await grown.data()
      },
    },
    {
      name: 'address', seeds: await addresses(), open: linked, close: relinked,
      async read(path) {
        const { rule, params } = decodeLink(await readFile(path, 'utf8'), path)
        const sides = { 1: { width: 9 }, 2: { width: 5, height: 9 }, 3: { width: 3, height: 3, depth: 3 } }[rule.grid]
        await rollout(rule, params, seed(rule, { ...sides, from: 0 }), key(0), { steps: 2 }).data()
      },
    },
    ...await Promise.all(Object.entries(trainers).map(async ([name, trainer]): Promise<Reader> => ({
      name, seeds: await checkpoints(trainer), ...json,
      async read(path) {
        const { state } = await readCheckpoint<DataParams>(path, { ...limits, maxHeaderBytes: 2 ** 20, trainer })
        const { metrics } = scope(() => trainer.step(state))
        await metrics.loss.data()
      },
    }))),
    {
      name: 'safetensors', seeds: [encodeSafetensors(tensors, { k: 'v' }), encodeSafetensors(tensors, {}, { dtype: 'float16' })], ...json,
      async read(path) {
        const { entries } = decodeSafetensors(await readFile(path), path, { ...limits, maxHeaderBytes: 2 ** 20 })
        Object.values(entries).forEach(checkNumbers)
      },
    },
    {
      name: 'yaml', seeds: [text(tiny), text(configYaml(await loadConfig({}))), text('steps: &a [3, 4]\nwarmUp: { iterations: 3, from: *a }\n')],
      rewrite: (bytes, random) => text(stringify(mutateJson(parse(new TextDecoder().decode(bytes)), random))),
      async read(path) {
        const config = await loadConfig({ file: path })
        await writeFile(`${path}.again`, configYaml(config))
        wants(JSON.stringify(await loadConfig({ file: `${path}.again` })) === JSON.stringify(config), 'not the same when written again')
      },
    },
    {
      name: 'metrics', seeds: [text([1, 2, 3].map(iteration => `${JSON.stringify({
        iteration, loss: 0.5, log10Loss: -0.3, gradNorm: 1, steps: 9, rate: 1e-3, seconds: iteration,
      })}\n`).join(''))],
      async read(path) {
        const log = await openMetrics(path, 2)
        await log.close()
        log.metrics.forEach(({ iteration, loss }, i) => wants(iteration > (log.metrics[i - 1]?.iteration ?? 0) && iteration <= 2 && typeof loss === 'number', 'a metric out of order'))
      },
    },
    { name: 'idx', seeds: (await Promise.all(idx.map(name => readFile(new URL(name, data))))).map(file => gunzipSync(file)), read: async path => checkNumbers(await readIdx(path, limits)) },
    { name: 'idx.gz', seeds: await Promise.all(idx.map(name => readFile(new URL(name, data)))), ...gz, read: async path => checkNumbers(await readIdx(path, limits)) },
    { name: 'npy', seeds: [encodeNpy(example), encodeNpy({ shape: [3], data: Uint8Array.of(1, 2, 3) })], read: async path => checkNumbers(await readNpy(path, limits)) },
    { name: 'npz', seeds: [true, false].map(deflate => zipOf({ 'a.npy': encodeNpy(example) }, deflate)), read: async path => Object.values(await readNpz(path, limits)).forEach(checkNumbers) },
    { name: 'nifti', seeds: volumes, read: async path => checkNumbers(await readNifti(path, limits)) },
    { name: 'nifti.gz', seeds: volumes.map(v => gzipSync(v)), ...gz, read: async path => checkNumbers(await readNifti(path, limits)) },
    { name: 'png', seeds: pngs, open: bytes => bytes, close: checksummed, read: readPicture },
    ...['jpeg', 'webp', 'gif'].map(name => ({ name, seeds: pictureFiles(name), read: readPicture })),
    { name: 'bmp', seeds: [bmp()], read: readPicture },
  ]
}
