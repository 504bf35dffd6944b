// Whole rollouts on the CPU: the same bits for any number of threads and any budget of memory, histories that are
// released, and processes that end.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { WorkerOptions } from 'node:worker_threads'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { grad } from '../../src/autograd/grad.ts'
import { vjp } from '../../src/autograd/vjp.ts'
import type { Backend, Data } from '../../src/backends/backend.ts'
import { cpu } from '../../src/backends/cpu.ts'
import type { History, Program } from '../../src/backends/program.ts'
import { instantiate } from '../../src/backends/wasm/kernels.ts'
import { supports } from '../../src/backends/wasm/module.ts'
import { participant } from '../../src/backends/wasm/participant.ts'
import { wasmRunner } from '../../src/backends/wasm/runner.ts'
import { Store } from '../../src/backends/wasm/store.ts'
import { meeting, workerPool } from '../../src/backends/wasm/threads.ts'
import type { TeamLayout } from '../../src/backends/wasm/layout.ts'
import { mlp } from '../../src/nca/mlp.ts'
import { defineRule } from '../../src/nca/rule/define.ts'
import { init } from '../../src/nca/rule/parameters.ts'
import type { DataParams } from '../../src/nca/rule/types.ts'
import { growingRule } from '../../src/nca/training/presets.ts'
import { rollout } from '../../src/nca/step.ts'
import type { RolloutOptions } from '../../src/nca/run-options.ts'
import { key } from '../../src/tensor/key.ts'
import { scope } from '../../src/tensor/lifetime.ts'
import { mul } from '../../src/tensor/ops/arithmetic.ts'
import { full } from '../../src/tensor/ops/create.ts'
import { square } from '../../src/tensor/ops/functions.ts'
import { sum } from '../../src/tensor/ops/sum.ts'
import { normal, uniform } from '../../src/tensor/ops/random.ts'
import type { Tensor } from '../../src/tensor/tensor.ts'
import { bundled } from '../bundled.ts'
import { attentiveRules, deformableRules, fusedOnCpu, outcome, scenesOf, type Scene } from '../nca/fused-scenes.ts'
import { long, runs } from '../long.ts'

const exact = { fma: false }
const one = cpu({ threads: 1, ...exact })
const many = [2, 3, 5].map(threads => cpu({ threads, ...exact }))
const thrifty = [0, 1, 3000, 40_000].flatMap(historyBytes =>
  [1, 2].map(threads => cpu({ threads, historyBytes, ...exact })))

/** Every bit of an outcome. */
function bitsOf(scene: Scene, backend: Backend, options?: Partial<RolloutOptions>): string[] {
  const { states, gradients } = outcome(scene, backend, options)
  const hex = (data: Data): string => Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString('hex')
  return [...states.map(hex), ...Object.entries(gradients).map(([path, g]) => `${path} ${hex(g)}`)]
}

describe('the bits of a rollout and its gradients', () => {
  // If there are many samples, each thread takes some; if there are few, all threads share each.
  const batches = fc.integer({ min: 1, max: 7 })
  const scenes = scenesOf({ rules: fusedOnCpu, batches, inputs: true })

  it('are the same for any number of threads, and every time', () => {
    fc.assert(fc.property(scenes, scene => {
      const bits = bitsOf(scene, one)
      for (const backend of [one, ...many]) expect(bitsOf(scene, backend)).toEqual(bits)
    }))
  })

  it('are the same however much is kept', () => {
    fc.assert(fc.property(scenes, fc.constantFrom(...thrifty), (scene, backend) => {
      const bits = bitsOf(scene, one)
      expect(bitsOf(scene, backend)).toEqual(bits)
      for (const checkpoint of [1, 2, 4, 100, false] as const) {
        expect(bitsOf(scene, one, { checkpoint }), `${checkpoint}`).toEqual(bits)
        expect(bitsOf(scene, backend, { checkpoint }), `${checkpoint}`).toEqual(bits)
      }
    }))
  })

  it('are the same beside other rollouts whose histories are kept', () => {
    const bytes = 20_000
    const narrow = cpu({ threads: 2, historyBytes: bytes, ...exact })
    fc.assert(fc.property(scenesOf({ batches: fc.integer({ min: 1, max: 3 }) }), scene => {
      const bits = bitsOf(scene, one)
      const rule = defineRule({ channels: { a: 4 }, perceive: ['mean'], update: mlp(8, { lastStd: 0.1 }) })
      const params = init(rule, key(1), { backend: narrow })
      const x = normal(key(2), [2, 8, 8, 4], { backend: narrow })
      const run = (): Tensor[] => {
        const [y, pullback] = vjp((p: DataParams) => rollout(rule, p, x, key(3), { steps: 6 }), params)
        expect(bitsOf(scene, narrow)).toEqual(bits)
        return Object.values(pullback(y).update)
      }
      const [first, second] = [run(), run()].map(list => list.map(t => t.toArray()))
      expect(second).toEqual(first)
    }), runs(10))
  })

  it('are the same if memory was full of NaN before', () => {
    const used = cpu({ threads: 1, ...exact })
    const rule = defineRule({ channels: { a: 16 }, perceive: ['mean'], update: mlp(64, { lastStd: 0.1 }), living: null })
    const params = init(rule, key(1), { backend: used })
    const fill = (): void => scope(() => {
      const [y, pullback] = vjp((x: Tensor) => rollout(rule, params, x, key(3), { steps: 2 }), full([4, 48, 48, 16], NaN, { backend: used }))
      pullback(y)
    })
    fc.assert(fc.property(fc.oneof(scenes, scenesOf({ rules: fc.oneof(attentiveRules, deformableRules) })), scene => {
      fill()
      expect(bitsOf(scene, used)).toEqual(bitsOf(scene, one))
    }), runs(24))
  })

  it('are the same however many columns of zeros follow those of the weights', () => {
    const wide: Backend = { ...one, runner: { ...one.runner!, multiples: { hidden: 24, last: 8 } } }
    fc.assert(fc.property(scenes, scene => {
      expect(bitsOf(scene, wide)).toEqual(bitsOf(scene, one))
    }), { numRuns: 8 })
  })

  it('are the same for a batch as for its samples', () => {
    const rule = defineRule({ ...growingRule, update: mlp(8, { lastStd: 0.3 }) })
    const run = (b: number): Float32Array => scope(() => {
      const x = uniform(key(1), [b, 9, 9, 16], { backend: many[0], high: 0.2 })
      return rollout(rule, init(rule, key(2), { backend: many[0] }), x, key(3), { steps: 4 }).toArray() as Float32Array
    })
    expect(run(6).slice(0, 9 * 9 * 16)).toEqual(run(1))
    expect(run(6).slice(0, 5 * 9 * 9 * 16)).toEqual(run(5))
  })
})

describe('the history of a rollout', () => {
  const backend = cpu({ threads: 2, ...exact })
  const { forward } = backend.runner!
  /** How often each history has been released. */
  const releases: number[] = []
  let kept = 0, unkept = 0
  const watched: Backend = {
    ...backend,
    runner: {
      ...backend.runner!,
      forward(...args) {
        const history = forward(...args)
        if (!history) {
          unkept++
          return null
        }
        const at = kept++
        releases[at] = 0
        const { drop } = history
        return Object.assign(history, { drop() { // the same object: the backend knows it again
          releases[at]++
          drop()
        } } satisfies History)
      },
    },
  }
  const rule = defineRule({ channels: { a: 3 }, perceive: ['identity', 'sobelX'], update: mlp(4, { lastStd: 0.2 }) })
  const params = init(rule, key(0), { backend: watched })
  const x = normal(key(1), [1, 17, 5, 3], { backend: watched })
  const run = (p: DataParams): Tensor => sum(rollout(rule, p, x, key(2), { steps: 4 }))
  const start = (): void => {
    releases.length = kept = unkept = 0
  }

  it('is released once, when the gradient is there', () => {
    start()
    grad(run)(params)
    grad((p: DataParams) => mul(run(p), run(p)))(params)
    expect(releases).toEqual([1, 1, 1])
  })

  it('lives as long as a pullback, and is released with it', () => {
    start()
    scope(() => {
      const [y, pullback] = vjp(run, params)
      pullback(y)
      pullback(y)
      expect(releases).toEqual([0])
    })
    expect(releases).toEqual([1])
    const escaped = scope(() => vjp(run, params))
    expect(releases).toEqual([1, 0])
    scope(() => escaped[1](escaped[0]))
    scope(() => {
      vjp(run, params)
      expect(releases).toEqual([1, 0, 0])
    })
    expect(releases, 'a pullback that nobody called').toEqual([1, 0, 1])
  })

  it('is released when the loss fails, and when nothing depends on it', () => {
    start()
    const loss = (p: DataParams): Tensor => {
      run(p)
      throw new Error('the loss failed')
    }
    expect(() => grad(loss)(params)).toThrow('the loss failed')
    expect(() => vjp(loss, params)).toThrow('the loss failed')
    expect(releases).toEqual([1, 1])
    scope(() => {
      vjp((p: DataParams) => {
        run(p)
        return sum(p.update.w1)
      }, params)
      expect(releases).toEqual([1, 1, 1])
    })
    expect(() => grad((p: DataParams) => rollout(rule, p, x, key(2), { steps: 4 }))(params)).toThrow('one number')
    expect(releases).toEqual([1, 1, 1, 1])
  })

  it('is not made if nothing is differentiated', () => {
    start()
    rollout(rule, params, x, key(2), { steps: 4 })
    grad((p: DataParams) => sum(mul(p.update.w1, sum(rollout(rule, params, x, key(2), { steps: 4 })))))(params)
    expect({ kept, unkept }).toEqual({ kept: 0, unkept: 2 })
  })
})

/** Bytes in use outside JavaScript's heap. */
function external(): number {
  setFlagsFromString('--expose-gc')
  const gc = runInNewContext('gc') as () => void
  for (let i = 0; i < 3; i++) gc()
  return process.memoryUsage().external
}

describe('memory', () => {
  it('does not grow with training', () => {
    const stores = new Set<Store>()
    const { write } = Store.prototype
    vi.spyOn(Store.prototype, 'write').mockImplementation(function (this: Store, ...args) {
      stores.add(this)
      return write.apply(this, args)
    })
    onTestFinished(() => { vi.restoreAllMocks() })
    for (const historyBytes of [undefined, 20_000]) {
      // It uses the thread from the sources, whose stores are visible here; generated.ts has a copy of it.
      const runner = wasmRunner({
        build: 'plain', threads: 1, historyBytes,
        thread: expose => expose({
          begin: ({ module, memory, index, cacheBytes }) => participant(memory, instantiate(module, memory), index, cacheBytes),
          serve: () => {},
          workerPool,
        }),
      })
      const backend: Backend = { ...cpu(), runner }
      const rule = defineRule({ ...growingRule, living: null, update: mlp(16, { lastStd: 0.1 }) })
      const params = init(rule, key(0), { backend })
      const x = uniform(key(1), [3, 24, 24, 16], { backend })
      const train = (i: number): void => scope(() => {
        grad((p: DataParams) => sum(square(rollout(rule, p, x, key(i), { steps: 5 + i % 3 }))))(params)
      })
      for (let i = 0; i < 10; i++) train(i)
      const { bytes } = backend.memory()
      const before = external()
      for (let i = 0; i < (long ? 50 : 20); i++) train(i)
      expect(backend.memory().bytes).toBe(bytes)
      // A leak in each step, even if only of the last state, would be some megabytes.
      expect(external() - before).toBeLessThan(2 ** 18)
    }
    expect([...stores].map(({ kept }) => kept), 'bytes that nobody needs').toEqual([0, 0])
  })

  it('of a store is used again as soon as it is free', () => {
    const sizes = fc.oneof(fc.nat(3000), fc.integer({ min: 0, max: 3 * 2 ** 19 }))
    const writes = fc.record({ write: sizes, at: fc.nat(2 ** 20), kind: fc.constantFrom('log', 'state') })
    const action = fc.oneof(writes, fc.record({ free: fc.nat() }))
    const actions = fc.array(action, { maxLength: 30, size: 'max' })
    const source = Uint8Array.from({ length: 3 * 2 ** 20 }, (_, i) => i * 2654435761 >>> 13)
    const target = new Uint8Array(source.length)
    fc.assert(fc.property(actions, list => {
      const store = new Store()
      const live: { pieces: ReturnType<Store['write']>; at: number; size: number }[] = []
      const chunks = new Set<object>()
      let most = 0
      const readAndFree = (i: number): void => {
        const [{ pieces, at, size }] = live.splice(i, 1)
        target.fill(0)
        store.read(pieces, target, 0)
        expect(Buffer.compare(target.subarray(0, size), source.subarray(at, at + size))).toBe(0)
        store.free(pieces)
      }
      for (const action of list) {
        if ('write' in action) {
          const { write: size, at } = action
          live.push({ pieces: store.write(action.kind, source, at, size), at, size })
          for (const { chunk } of live.at(-1)!.pieces) chunks.add(chunk)
        } else if (live.length > 0) readAndFree(action.free % live.length)
        expect(store.kept).toBe(live.reduce((sum, { size }) => sum + size, 0))
        most = Math.max(most, new Set(live.flatMap(({ pieces }) => pieces.map(p => p.chunk))).size)
      }
      expect(chunks.size, 'chunks that were made').toBeLessThanOrEqual(most + 2) // one of each kind may be empty
      while (live.length > 0) readAndFree(0)
      expect(store.kept).toBe(0)
    }))
  })

  it('is refused in a sentence if WebAssembly cannot reach so much', () => {
    const rollouts = cpu({ threads: 1 }).runner!
    const program: Program = {
      batch: 1, depth: 1, height: 1, width: 2 ** 26, channels: 16, padding: 'zero', updated: [0], fireRate: 1,
      inputMask: null, living: null, noise: null, bound: null, given: null,
      perception: { window: [1, 1, 1], filters: 0, learned: false, attention: [], normalised: 1, deformable: [], views: [{ taps: [0], outputs: 1, columns: 8, activation: 'linear', slope: 0 }] },
      stepSize: 1, layers: [{ outputs: 1, columns: 8, copied: 0, first: 0, groups: 0, activation: 'linear', slope: 0 }],
    }
    const run = { steps: 1, keys: new Uint32Array(2), noiseKeys: null, masks: null, readouts: [1], segment: 1, budget: 0 }
    const inputs = [new Float32Array(0), new Float32Array(16 * 8), new Float32Array(8)]
    expect(() => rollouts.forward(program, inputs, run, [new Float32Array(0)], false))
      .toThrow(/^cpu: a rollout needs \d+ MB of working memory, but WebAssembly reaches 4096 MB; use a smaller batch/)
  })
})

describe('threads', () => {
  it('stop waiting for one that has failed', () => {
    const memory = new WebAssembly.Memory({ initial: 1 })
    const words = new Int32Array(memory.buffer)
    const team = meeting(memory).team({} as TeamLayout, 2, 0)
    words[2] = 1 // failed
    expect(() => team.barrier()).toThrow('another thread failed')
  })

  const node = process.getBuiltinModule('node:worker_threads')
  const { Worker } = node

  /** Threads one of which, a worker, cannot run this kernel. */
  function broken(kernel: string): Backend {
    onTestFinished(() => { node.Worker = Worker })
    node.Worker = class extends Worker {
      constructor(source: string | URL, options?: WorkerOptions) {
        super(`const { Instance } = WebAssembly
          WebAssembly.Instance = function (...args) {
            const fail = () => { throw new Error('the worker is broken') }
            return { exports: { ...new Instance(...args).exports, ${kernel}: fail } }
          }
          ${source.toString()}`, options)
      }
    }
    return cpu({ threads: 2, ...exact })
  }

  it('report an error in one of them, and stay usable', () => {
    const rule = defineRule({ ...growingRule, update: mlp(8, { lastStd: 0.3 }) })
    const run = (backend: Backend): [Tensor, (g: Tensor) => DataParams] => {
      const x = uniform(key(1), [1, 16, 9, 16], { backend })
      return vjp((p: DataParams) => rollout(rule, p, x, key(3), { steps: 4 }), init(rule, key(2), { backend }))
    }
    const forward = broken('perceive')
    for (let i = 0; i < 2; i++) {
      expect(() => run(forward)).toThrow('cpu: a thread of a rollout failed: Error: the worker is broken')
    }
    const [y, pullback] = run(broken('productTN'))
    expect(() => pullback(y)).toThrow('cpu: a thread of a rollout failed: Error: the worker is broken')
    expect(() => pullback(y)).toThrow(
      'cpu: a backward pass of this rollout failed and its history is gone; run the rollout again.',
    )
  })

  it('are as many as asked for, and start when they are needed', async () => {
    const report = await child(`
      const node = process.getBuiltinModule('node:worker_threads')
      let started = 0
      node.Worker = class extends node.Worker {
        constructor(...args) {
          super(...args)
          started++
        }
      }
      const four = cpu({ threads: 4 }), counts = [started]
      for (const backend of [four, four, cpu({ threads: 1 }), cpu({ threads: 2 })]) {
        train(backend)
        counts.push(started)
      }
      console.log(...counts)
    `)
    expect(report).toEqual({ status: 0, signal: null, out: '0 3 3 3 4\n', err: '' })
  })
})

/** A program with a training step in it, `train(backend)`, which returns the bits of loss and gradients. */
const prelude = `
  import { createHash } from 'node:crypto'
  const { cpu, defineRule, depthwise, grad, init, key, mlp, mul, normal, rollout, sum, valueAndGrad } =
    await import(${JSON.stringify(bundled('src/index.ts'))})
  const rule = defineRule({
    channels: { a: 5 }, perceive: ['identity', 'sobelX', depthwise(1)],
    update: mlp(9, { activation: 'tanh', lastStd: 0.3 }), fireRate: 0.5, living: { channel: 0, above: 0.1 },
  })
  const train = backend => {
    const x = normal(key(1), [3, 17, 9, 5], { backend })
    const [loss, grads] = valueAndGrad(p => {
      const y = rollout(rule, p, x, key(2), { steps: 6 })
      return sum(mul(y, y))
    })(init(rule, key(0), { backend }))
    const arrays = [grads.perceive[0].kernel, ...Object.values(grads.update)].map(g => g.toArray())
    return { loss: loss.toArray()[0], arrays }
  }
  const bits = ({ loss, arrays }) => {
    const hash = createHash('sha256').update(String(loss))
    for (const a of arrays) hash.update(new Uint8Array(a.buffer))
    return hash.digest('hex')
  }
`

type Report = { status: number | null; signal: string | null; out: string; err: string }

/** Runs a program to its end; a signal may be sent once it has printed something. */
function child(program: string, { flags = [], signal, before = '' }: {
  flags?: string[]; signal?: NodeJS.Signals; before?: string
} = {}): Promise<Report> {
  const code = `${before}${prelude}${program}`
  const args = [...flags, '--input-type=module', '--eval', code]
  const env = { ...process.env, NODE_OPTIONS: '', FORCE_COLOR: undefined, NO_COLOR: '1' }
  const started = spawn(process.execPath, args, { cwd: fileURLToPath(new URL('../..', import.meta.url)), env })
  let [out, err] = ['', '']
  started.stdout.on('data', (data: Buffer) => {
    out += data.toString()
    if (signal) started.kill(signal)
  })
  started.stderr.on('data', (data: Buffer) => { err += data.toString() })
  return new Promise((resolve, reject) => {
    started.on('error', reject)
    started.on('close', (status, signal) => resolve({ status, signal, out, err }))
  })
}

describe('a process that uses threads', () => {
  const work = 'train(cpu({ threads: 3 })); console.log("done");'

  it('ends by itself, however it ends', async () => {
    const [well, badly, later, exits] = await Promise.all([
      child(work),
      child(`${work} throw new Error('on purpose')`),
      child(`${work} setTimeout(() => { train(cpu({ threads: 2 })); console.log('again') }, 20)`),
      child(`${work} process.exitCode = 3`),
    ])
    expect(well).toEqual({ status: 0, signal: null, out: 'done\n', err: '' })
    expect(badly).toMatchObject({ status: 1, out: 'done\n' })
    expect(badly.err).toContain('on purpose')
    expect(later).toEqual({ status: 0, signal: null, out: 'done\nagain\n', err: '' })
    expect(exits).toMatchObject({ status: 3, out: 'done\n' })
  })

  it.each(['SIGINT', 'SIGTERM'] as const)('is ended by %s, also in the middle of a rollout', async signal => {
    const forever = `const backend = cpu({ threads: 2 }); train(backend); console.log('ready'); for (;;) train(backend)`
    const idle = `${work} setInterval(() => {}, 1000)`
    const [busy, waiting] = await Promise.all([child(forever, { signal }), child(idle, { signal })])
    expect(busy.signal).toBe(signal)
    expect(waiting.signal).toBe(signal)
  })
})

describe('fused multiply-add', () => {
  // Node 22 and browsers have relaxed SIMD, Node 20 only with a flag.
  const flags = supports('fma') ? [] : ['--experimental-wasm-relaxed-simd']
  const report = `console.log(JSON.stringify({
    plain: [1, 2, 3].map(threads => bits(train(cpu({ threads, fma: false })))),
    fused: [1, 2, 3].map(threads => bits(train(cpu({ threads })))),
    losses: [false, true].map(fma => train(cpu({ threads: 1, fma })).loss),
    arrays: [false, true].map(fma => train(cpu({ threads: 1, fma })).arrays.map(a => [...a])),
  }))`

  it('changes only the rounding, and can be turned off', async () => {
    const [relaxed, strict] = (await Promise.all([child(report, { flags }), child(report)])).map(({ out, err }) => {
      expect(err).toBe('')
      return JSON.parse(out) as { plain: string[]; fused: string[]; losses: number[]; arrays: number[][][] }
    })
    expect(new Set([...relaxed.plain, ...strict.plain]).size, 'without it').toBe(1)
    expect(new Set(relaxed.fused).size, 'with it').toBe(1)
    expect(relaxed.fused[0]).not.toBe(relaxed.plain[0])
    expect(relaxed.losses[1] / relaxed.losses[0]).toBeCloseTo(1, 5)
    relaxed.arrays[1].forEach((g, i) => {
      const plain = relaxed.arrays[0][i]
      const largest = Math.max(...plain.map(Math.abs))
      expect(Math.max(...g.map((v, j) => Math.abs(v - plain[j]))) / largest).toBeLessThan(1e-5)
    })
  })
})

describe('without threads', () => {
  it('rollouts run in one, as on the main thread of a browser', async () => {
    const browser = `
      process.getBuiltinModule = undefined
      delete globalThis.SharedArrayBuffer
    `
    const program = `
      const report = [cpu().runner !== undefined, typeof SharedArrayBuffer]
      console.log(...report, bits(train(cpu({ fma: false }))))
    `
    const asked = await child('cpu({ threads: 2 })', { before: browser })
    expect(asked.err).toContain('cpu: threads is 2, expected 1, since threads wait for each other')
    const [there, here] = await Promise.all([child(program, { before: browser }), child(program)])
    expect(there).toEqual({ ...here, out: here.out.replace('true function', 'true undefined') })
    expect(here.status).toBe(0)
  })
})
