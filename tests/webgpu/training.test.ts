// Training on a GPU: the iterations of the CPU, up to rounding; no read-back and no new memory inside an iteration; and
// states that move between the two.

import { expect, it, onTestFinished, vi } from 'vitest'
import {
  adam, cpu, decodeCheckpoint, defineRule, eachLeaf, encodeCheckpoint, grad, growingRule, growingTrainer, key, mean,
  memory, mlp, mse, muon, NonFiniteError, presets, rgba, rollout, seed, stepDecay, Tensor, tensor, to, train, type Backend,
  type DataParams, type GrowingOptions, type TrainerState, type Trainer,
} from '../../src/index.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { supersede } from '../../src/tensor/lifetime.ts'
import { SparseState } from '../../src/nca/training/sparse-state.ts'
import { distance } from '../nca/fused-scenes.ts'
import { long } from '../long.ts'
import { sharedDevice, sharedGpu } from './gpu.ts'
import { refuseLeaks } from './leaks.ts'

const gpu = await sharedGpu()
const host = cpu({ threads: 1 })

refuseLeaks(gpu)

type State = TrainerState<DataParams>

// One rule and one size of grid for all tests: shaders take most of the time.
const rule = defineRule({ ...growingRule, channels: { rgba: 4, hidden: 4 }, update: mlp(16) })

function disc(backend: Backend): Tensor {
  const values = Array.from({ length: 144 }, (_, i) =>
    ((Math.floor(i / 12) - 6) ** 2 + ((i % 12) - 6) ** 2 < 9 ? [0.8, 0.4, 0.1, 1] : [0, 0, 0, 0]))
  return tensor(values.flat(), { shape: [12, 12, 4], backend })
}

function trainerOn(backend: Backend, more: Partial<GrowingOptions> = {}): Trainer<State> {
  return growingTrainer({
    ...presets.regenerating, rule, target: disc(backend), batch: 2, steps: [6, 9], pool: 4, damaged: 1, ...more,
  })
}

/** Everything in a state by its path: arrays, of tensors or pool slots, and numbers. */
async function contents(state: State): Promise<Record<string, Float32Array>> {
  const found: Record<string, Float32Array> = {}
  const later: Promise<void>[] = []
  eachLeaf(state, (leaf, path) => {
    if (leaf instanceof SparseState) found[path] = leaf.toArray() as Float32Array
    else if (leaf instanceof Tensor) later.push(leaf.data().then(data => { found[path] = data as Float32Array }))
    else found[path] = Float32Array.of(Number(leaf))
  })
  await Promise.all(later)
  return found
}

function expectNear(got: Record<string, Float32Array>, expected: Record<string, Float32Array>): void {
  expect(Object.keys(got).sort()).toEqual(Object.keys(expected).sort())
  for (const [path, values] of Object.entries(expected)) expect(distance(got[path], values), path).toBeLessThan(1e-4)
}

it.each([
  presets.regenerating.optimiser, muon({ rate: 5e-3 }),
])('takes the same iterations as the CPU: loss, gradient, parameters, pool and optimiser, $type', async optimiser => {
  const here = train(trainerOn(gpu, { optimiser }), { iterations: 3, seed: 1 })
  for await (const expected of train(trainerOn(host, { optimiser }), { iterations: 3, seed: 1 })) {
    const got = (await here.next()).value!
    for (const name of ['loss', 'gradNorm', 'steps', 'rate'] as const) {
      expect(Math.abs(got[name] - expected[name]) / expected[name], name).toBeLessThan(1e-4)
    }
    expectNear(await contents(got.state), await contents(expected.state))
    if (expected.iteration < 3) continue
    // The optimiser gets gradients of length 1; these are those of the loss itself.
    const gradients = async (backend: Backend, { params }: State): Promise<Tensor[]> => {
      const x = seed(rule, { height: 12, width: 12, batch: 2, backend })
      const loss = (p: DataParams): Tensor => mean(mse(rgba(rollout(rule, p, x, key(5), { steps: 8 })), disc(backend)))
      return Object.values(await to(host, grad(loss)(params).update))
    }
    const [ours, theirs] = [await gradients(gpu, got.state), await gradients(host, expected.state)]
    theirs.forEach((g, i) => expect(distance(ours[i].toArray(), g.toArray())).toBeLessThan(1e-4))
  }
  expect((await here.next()).done).toBe(true)
})

it.runIf(long)('learns like the CPU, in memory that does not grow', async () => {
  const losses: Record<string, number[]> = { cpu: [], webgpu: [] }
  const held: number[] = []
  const pooled: number[] = []
  for (const backend of [host, gpu]) {
    for await (const { iteration, loss } of train(trainerOn(backend, { optimiser: adam({ rate: 5e-3 }) }), { iterations: 61, seed: 2 })) {
      losses[backend.name].push(loss)
      if (backend !== gpu || iteration % 20 !== 0) continue
      held.push(memory(gpu).buffers)
      pooled.push(memory(gpu).pooledBytes)
    }
  }
  expect(held[2]).toBe(held[0])
  expect(pooled[2]).toBeLessThan(1.1 * pooled[0])
  const last = (name: string): number => mean(tensor(losses[name].slice(-20))).toArray()[0]
  expect(last('cpu')).toBeLessThan(0.6 * losses.cpu[0])
  expect(Math.abs(last('webgpu') / last('cpu') - 1)).toBeLessThan(0.1)
})

it('neither reads nor creates a buffer within an iteration, once all buffers exist', async () => {
  const trainer = trainerOn(gpu, { steps: [7, 8] })
  const create = vi.spyOn((await sharedDevice()).device, 'createBuffer')
  const read = vi.spyOn(gpu, 'read')
  onTestFinished(() => { vi.restoreAllMocks() })
  let state = trainer.init(key(1))
  for (let i = 0; i < 12; i++) {
    if (i === 8) create.mockClear()
    const { state: next, metrics } = trainer.step(state)
    supersede([metrics, state], next, 'was superseded')
    state = next
  }
  expect(create).not.toHaveBeenCalled()
  expect(read).not.toHaveBeenCalled()
})

it('stops when the loss is no longer finite, with the state before', async () => {
  const trainer = trainerOn(gpu, { optimiser: adam({ rate: stepDecay(2e-3, { at: [2], factor: 1e5 }) }) })
  const seen: number[] = []
  const end = async (): Promise<void> => {
    for await (const { iteration } of train(trainer, { iterations: 9, seed: 1 })) seen.push(iteration)
  }
  const error = await end().catch((e: unknown) => e) as NonFiniteError<State>
  expect(error).toBeInstanceOf(NonFiniteError)
  expect(error.message).toMatch(/^training: the (loss|gradient norm) of iteration 4 is (NaN|Infinity)\. /)
  expect([seen, error.state.iteration]).toEqual([[1, 2, 3], 3])
  let state = trainer.init(key(1))
  for (let i = 0; i < 3; i++) ({ state } = trainer.step(state))
  expect(await contents(error.state)).toEqual(await contents(state))
})

it('takes over a state of the CPU, and returns it bit for bit', async () => {
  const bytes = await encodeCheckpoint(trainedOnCpu())
  const { state } = decodeCheckpoint(bytes, 'a.safetensors', { backend: gpu })
  expect(state.pool.every(slot => slot instanceof Tensor && slot.backend === gpu)).toBe(true)
  expect(await encodeCheckpoint(state)).toEqual(bytes)
  expectNear(await contents(trainerOn(gpu).step(state).state), await contents(trainerOn(host).step(trainedOnCpu()).state))
})

function trainedOnCpu(): State {
  const trainer = trainerOn(host)
  let state = trainer.init(key(1))
  for (let i = 0; i < 2; i++) ({ state } = trainer.step(state))
  return state
}

it('says what the memory was used for if it is exhausted, and keeps nothing', async () => {
  const device = await openDevice()
  const small = backendOn(device, { maxBytes: 60_000 })
  const trainer = trainerOn(small)
  const state = trainer.init(key(1))
  const { buffers } = memory(small)
  await expect(train(trainer, { iterations: 3, state }).next()).rejects.toThrow(/^webgpu: .* budget 60 kB; largest: /)
  expect(memory(small).buffers).toBe(buffers)
  await small.close()
})
