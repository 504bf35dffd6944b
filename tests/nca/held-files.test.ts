// Files are checked when they are read: a model against its rule, a checkpoint
// against its trainer, sizes before anything is allocated. Every sentence names the file and the place in it.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  adam, cast, decodeCheckpoint, decodeModel, decodeSafetensors, defineRule, encodeCheckpoint, encodeModel,
  encodeSafetensors, growingTrainer, init, key, mapTree, mlp, ones, rollout, seed, sgd, tensor, train, type DataParams,
  type DataRule, type GrowingOptions, type SafetensorsEntry, type SafetensorsFile, type Tensor, type TrainerState,
} from '../../src/index.ts'

const rule = defineRule({
  channels: { rgba: 4, hidden: 2 }, perceive: ['identity', 'sobelX'], update: mlp(5, { lastStd: 0.3 }), fireRate: 0.5,
  living: { channel: 3, above: 0.1 },
})
const target = ones([5, 6, 4])
const options: GrowingOptions = {
  rule, target, batch: 2, pool: 5, steps: [2, 4], reseed: 1, optimiser: adam({ rate: 1e-3 }),
}
const trainer = growingTrainer(options)
type State = TrainerState<DataParams>

function after(n: number): State {
  let state: State = trainer.init(key(1))
  for (let i = 0; i < n; i++) ({ state } = trainer.step(state))
  return state
}

/** The sentence with which a file is refused after a change of its contents. */
function refusal(bytes: Uint8Array, change: (file: Changeable) => void, read: (bytes: Uint8Array) => unknown): string {
  const { entries, metadata } = decodeSafetensors(bytes)
  const file = { entries, metadata, tree: JSON.parse(metadata.tree) as never, rule: JSON.parse(metadata.rule ?? 'null') as never }
  change(file)
  const changed = { ...file.metadata, tree: JSON.stringify(file.tree), ...(metadata.rule ? { rule: JSON.stringify(file.rule) } : {}) }
  try {
    read(encodeSafetensors(file.entries, changed))
    return 'accepted'
  } catch (error) {
    return (error as Error).message
  }
}

type Changeable = SafetensorsFile & { tree: Record<string, never>; rule: Record<string, never> }

function f32(shape: number[], data = new Float32Array(shape.reduce((a, b) => a * b, 1))): SafetensorsEntry {
  return { dtype: 'float32', shape, data }
}

describe('a model', () => {
  const bytes = encodeModel({ rule, params: init(rule, key(0)), provenance: {} })
  const entry = (name: string, e: SafetensorsEntry) => (file: Changeable): void => { file.entries[name] = e }
  const ruleWith = (more: object) => (file: Changeable): void => { Object.assign(file.rule, more) }

  it.each<[string, (file: Changeable) => void, string]>([
    ['a shape that its rule has not', entry('update.w1', f32([12, 6])), 'params.update.w1 is a tensor [12,6] float32, expected a tensor [12,5] float32.'],
    ['a type that differs', entry('update.b1', { dtype: 'float64', shape: [5], data: new Float64Array(5) }), 'params.update.b1 is a tensor [5] float64, expected a tensor [5] float32.'],
    ['whole numbers', entry('update.b1', { dtype: 'int32', shape: [5], data: new Int32Array(5) }), 'params.update.b1 is a tensor [5] int32, expected a tensor [5] float32.'],
    ['NaN', file => { file.entries['update.w1'].data[17] = NaN }, 'params.update.w1 is NaN at [3, 2], expected finite numbers of float32.'],
    ['an infinity', file => { file.entries['update.b2'].data[0] = -Infinity }, 'params.update.b2 is -Infinity at [0], expected finite numbers of float32.'],
    ['a number for a tensor', file => { Object.assign(file.tree.update, { b2: 3 }); delete file.entries['update.b2'] }, 'params.update.b2 is 3, expected a tensor [6] float32.'],
    ['a parameter under another name', file => { const { b2, ...others } = file.tree.update as Record<string, never>; file.tree.update = { ...others, B2: b2 } as never }, 'there is no params.update.B2; did you mean params.update.b2?'],
    ['a tensor that no one asks for', entry('update.b9', f32([1])), ''],
    ['a tree that is none', file => { file.tree = 7 as never }, ''],
    ['a billion channels', ruleWith({ channels: { rgba: 4, hidden: 1e9 } }), 'rule: channels.hidden is 1000000000, expected a whole number from 0 to 4096.'],
    ['many roles of many channels', ruleWith({ channels: { rgba: 4, hidden: 4000, more: 4000 } }), 'rule: the number of channels is 8004, expected at most 4096.'],
    ['a million layers', ruleWith({ update: { type: 'mlp', hidden: Array(1e5).fill(1) } }), 'rule: update.hidden is [1, 1, 1, 1, 1, 1, …], expected a whole number from 1 to 65536, or a list of 1 to 256 layers.'],
    ['a billion units', ruleWith({ update: { type: 'mlp', hidden: [1e9] } }), 'rule: update.hidden[0] is 1000000000, expected a whole number from 1 to 65536.'],
    ['layers that are too large together', ruleWith({ update: { type: 'mlp', hidden: [65536, 65536] } }), 'rule: the number of its parameters is 4296278022, expected at most 67108864.'],
    ['a dilation without end', ruleWith({ perceive: [{ type: 'conv', outputs: 2, size: 3, dilation: 1e9 }] }), 'rule: perceive[0].dilation is 1000000000, expected at most '],
    ['a window without end', ruleWith({ perceive: [{ type: 'depthwise', filters: 1, size: 1e9 + 1 }] }), 'rule: perceive[0].size is 1000000001, expected an odd number from 1 to 127, or a list of 1 to 3 odd numbers, one for each axis.'],
    ['too many parts', ruleWith({ perceive: Array(1e5).fill('identity') }), 'a list of 1 to 256 parts, '],
  ])('with %s is refused', async (_what, change, sentence) => {
    const message = refusal(await bytes, change, b => decodeModel(b, 'm.safetensors'))
    expect(message).toMatch(/^m\.safetensors[: ][^\n]{1,300}$/)
    expect(message).toContain(sentence)
  })

  it('of float64 grows in float64, or in a requested type', async () => {
    const params = mapTree(init(rule, key(3)), p => cast(p as Tensor, 'float64'))
    const wide = await encodeModel({ rule, params, provenance: {} })
    const back = decodeModel(wide).params
    const start = seed(rule, { height: 7, width: 7, like: back.update.w1 })
    expect([back.update.w1.dtype, start.dtype]).toEqual(['float64', 'float64'])
    const grown = rollout(rule, back, start, key(5), { steps: 4 })
    const large = mapTree(params, p => tensor((p as Tensor).toArray().fill(1e39), { shape: (p as Tensor).shape }))
    const huge = await encodeModel({ rule, params: large, provenance: {} })
    expect(() => decodeModel(huge, 'm', { dtype: 'float32' })).toThrow('m: params.update.w1 is 1e+39 at [0, 0], expected finite numbers of float32.')
    const narrow = decodeModel(wide, 'm', { dtype: 'float32' }).params
    const near = rollout(rule, narrow, seed(rule, { height: 7, width: 7 }), key(5), { steps: 4 })
    expect([grown.dtype, near.dtype]).toEqual(['float64', 'float32'])
    const difference = Math.max(...grown.toArray().map((v, i) => Math.abs(v - near.toArray()[i])))
    expect(difference).toBeGreaterThan(0)
    expect(difference).toBeLessThan(1e-5)
  })

  it('is not written where it could not be read', async () => {
    const params = init(rule, key(0))
    const nan = { ...params, update: { ...params.update, b1: tensor([0, 0, 0, 0, NaN]) } }
    await expect(encodeModel({ rule, params: nan, provenance: {} })).rejects
      .toThrow('encodeModel: params.update.b1 is NaN at [4], expected finite numbers of float32.')
  })
})

describe('a checkpoint', () => {
  const state = after(2)
  const bytes = encodeCheckpoint(state)
  const moments = (file: Changeable): Record<string, Record<string, unknown>>[] => (file.tree.optimiser as { moments: never }).moments
  const remove = (file: Changeable, ...names: string[]): void => { for (const name of names) delete file.entries[name] }

  it.each<[string, (file: Changeable) => void, string]>([
    ['another rule', file => { file.entries['params.update.w1'] = f32([18, 5]) }, 'optimiser.moments.0.update.w1 is a tensor [12,5] float32, expected a tensor [18,5] float32.'],
    ['a moment of another shape', file => { file.entries['optimiser.moments.1.update.b1'] = f32([4]) }, 'optimiser.moments.1.update.b1 is a tensor [4] float32, expected a tensor [5] float32.'],
    ['a moment that is missing', file => { delete moments(file)[1].update.b2; remove(file, 'optimiser.moments.1.update.b2') }, 'optimiser.moments.1.update.b2 is missing, expected a tensor [6] float32.'],
    ['a moment too few', file => { moments(file).pop(); remove(file, ...Object.keys(file.entries).filter(name => name.startsWith('optimiser.moments.1'))) }, 'the number of optimiser.moments is 1, expected 2, as the optimiser has.'],
    ['a moment of nothing', file => { moments(file)[0].update.b7 = { $tensor: 'optimiser.moments.0.update.b1' } }, 'optimiser.moments.0.update.b7 is the moment of no parameter.'],
    ['a moment that is NaN', file => { file.entries['optimiser.moments.0.update.w1'].data[7] = NaN }, 'optimiser.moments.0.update.w1 is NaN at [1, 2], expected numbers.'],
    ['a negative mean of squares', file => { file.entries['optimiser.moments.1.update.w1'].data[7] = -1 }, 'optimiser.moments.1.update.w1 is -1 at [1, 2], expected numbers ≥ 0.'],
    ['a parameter that is NaN', file => { file.entries['params.update.b2'].data[0] = NaN }, 'params.update.b2 is NaN at [0], expected finite numbers.'],
    ['no params', file => { file.tree.params = {} as never; file.tree.optimiser = { step: 2, moments: [] } as never; remove(file, ...Object.keys(file.entries).filter(name => !name.startsWith('pool'))) }, 'params is {}, expected a tree with tensors.'],
    ['params that are a number', file => { file.tree.params = 7 as never; remove(file, ...Object.keys(file.entries).filter(name => name.startsWith('params'))) }, 'params is 7, expected a tree with tensors.'],
    ['a step that is text', file => { file.tree.optimiser = { ...(file.tree.optimiser as object), step: 'two' } as never }, 'optimiser.step is "two", expected a whole number.'],
    ['an iteration that is negative', file => { file.tree.iteration = -1 as never }, 'iteration is -1, expected a whole number from 0 to 2^32 − 1.'],
    ['no key', file => { file.tree.key = [1] as never }, 'the key is [1], expected a key'],
    ['no pool', file => { file.tree.pool = [] as never; remove(file, ...Object.keys(file.entries).filter(name => name.startsWith('pool'))) }, 'the number of slots in pool is 0, expected 5, as the trainer has.'],
    ['a pool of another shape', file => { (file.tree.pool as { shape: number[] }).shape = [6, 5, 6] }, 'pool.0 is a tensor [6,5,6] float32, expected a tensor [5,6,6] float32.'],
    ['a pool of a shape that is huge', file => { (file.tree.pool as { shape: number[] }).shape = [6e6, 6, 6] }, 'the size of its pool is 864000000, expected at most 536870912 bytes (the option maxBytes).'],
    ['a pool of a shape that is no number', file => { (file.tree.pool as { shape: unknown[] }).shape = ['a', 2, 6] }, 'pool.shape is ["a", 2, 6], expected that of a state, like [72,72,16].'],
    ['an example that there is not', file => { file.tree.examples = [0, 0, 1, 0, 0] as never }, 'examples.2 is 1, expected one of the 1 examples of its task.'],
    ['an example too few', file => { file.tree.examples = [0, 0] as never }, 'examples is [0, 0], expected 5 whole numbers, one for each slot of the pool.'],
    ['a part that no state has', file => { file.tree.more = 3 as never }, 'a part of the state is "more", expected params, optimiser, pool, examples, critic, iteration and key.'],
  ])('with %s is refused', async (_what, change, sentence) => {
    const message = refusal(await bytes, change, b => decodeCheckpoint<DataParams>(b, 'c.safetensors', { trainer }))
    expect(message).toBe(message.startsWith('c.safetensors: ') ? message : 'a sentence that names the file')
    expect(message).toContain(sentence)
  })

  it('is checked against another trainer', async () => {
    const read = async (more: Partial<GrowingOptions>): Promise<unknown> => {
      const other = growingTrainer({ ...options, ...more })
      return decodeCheckpoint<DataParams>(await bytes, 'c.safetensors', { trainer: other })
    }
    await expect(read({ target: ones([5, 7, 4]) })).rejects.toThrow('c.safetensors: pool.0 is a tensor [5,6,6] float32, expected a tensor [5,7,6] float32.')
    await expect(read({ rule: { ...rule, update: mlp(9) } as DataRule })).rejects.toThrow('c.safetensors: params.update.w1 is a tensor [12,5] float32, expected a tensor [12,9] float32.')
    await expect(read({ optimiser: sgd({ rate: 1 }) })).rejects.toThrow('c.safetensors: the number of optimiser.moments is 2, expected 0, as the optimiser has.')
    await expect(read({ trainable: ['update.w2'] })).rejects.toThrow('c.safetensors: there is a optimiser.moments.0.update.w1, which nothing needs.')
    await expect(read({})).resolves.toBeDefined()
  })

  it('raises its limit by an option', async () => {
    expect(() => decodeCheckpoint(new Uint8Array(100), 'c', { maxBytes: 99 })).toThrow('safetensors: c: 100 bytes are too many (at most 99)')
    const file = await bytes
    expect(() => decodeCheckpoint(file, 'c', { maxHeaderBytes: 64 })).toThrow(/^safetensors: c: header of \d+ bytes is too long \(at most 64\)$/)
  })

  it('is not written where it could not be read', async () => {
    const text = encodeCheckpoint(state, { n: 3 } as never)
    await expect(text).rejects.toThrow('encodeCheckpoint: metadata.n is 3, expected text.')
    const params = { ...state.params, f: () => 1 } as never
    await expect(encodeCheckpoint({ ...state, params })).rejects.toThrow('encodeCheckpoint: params.f is a function, expected a tensor, a finite number, text, true, false or null.')
    const cyclic: Record<string, unknown> = { ...state.params }
    cyclic.self = cyclic
    await expect(encodeCheckpoint({ ...state, params: cyclic as never })).rejects.toThrow(/^a tree is nested more than 100 deep at self\.self.*; does it contain itself\?$/)
  })
})

describe('resuming from a state', () => {
  it.each<[string, unknown, string]>([
    ['nothing in it', {}, 'train: state is {}, expected a state of the trainer, which counts its iterations.'],
    ['a Promise', Promise.resolve(after(1)), 'train: state is Promise, expected a state of the trainer, which counts its iterations; await it.'],
    ['what readCheckpoint returns', { state: after(1), metadata: {} }, 'train: state is {state: {…}, metadata: {…}}, expected a state of the trainer, which counts its iterations.'],
    ['parameters that are missing', { ...after(1), params: { update: {} } }, 'train: state: params is {update: {…}}, expected a tree with tensors.'],
    ['no optimiser', { ...after(1), optimiser: { step: 0, moments: [] } }, 'train: state: the number of optimiser.moments is 0, expected 2, as the optimiser has.'],
  ])('refuses %s', async (_what, state, sentence) => {
    const first = train(trainer, { iterations: 3, state: state as State }).next()
    await expect(first).rejects.toThrow(sentence)
  })
})

it('files that are nested too deeply are refused, whichever part of them it is', async () => {
  const deep = (n: number): string => '['.repeat(n) + ']'.repeat(n)
  const model = decodeSafetensors(await encodeModel({ rule, params: init(rule, key(0)), provenance: {} }))
  fc.assert(fc.property(fc.integer({ min: 101, max: 30_000 }), fc.constantFrom('tree', 'rule'), (n, field) => {
    const bytes = encodeSafetensors(model.entries, { ...model.metadata, [field]: deep(n) })
    expect(() => decodeModel(bytes, 'm')).toThrow(`m: its metadata field "${field}" is nested more than 100 deep.`)
  }), { numRuns: 5 })
  const header = new TextEncoder().encode(`{"a":{"dtype":${deep(20_000)}}}`)
  const bytes = new Uint8Array(8 + header.length)
  new DataView(bytes.buffer).setUint32(0, header.length, true)
  bytes.set(header, 8)
  expect(() => decodeSafetensors(bytes, 'm')).toThrow('safetensors: m: header is not a JSON object of tensors (starts with "{\\"a\\":{\\"dtype\\":[[[[[[")')
})
