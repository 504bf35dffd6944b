// cellgrad as a benchmarked engine: the built library under plain Node, so that no loader adds to its memory. With the
// argument webgpu, requests may compute on the GPU, with or without fused rollouts.

import { readCase } from './case.mjs'
import { countKernels } from './count-kernels.mjs'
import { serve } from './serve.mjs'

const { timed } = await import(process.argv[2] === 'webgpu' ? './dawn.mjs' : './serve.mjs')
const cg = await import(new URL('../../dist/index.js', import.meta.url))
const key = cg.key(1)
const startMB = process.resourceUsage().maxRSS / 1024

/** The result of `make` for these arguments, made once. */
function once(make) {
  const made = new Map()
  return (...args) => {
    const id = JSON.stringify(args)
    if (!made.has(id)) made.set(id, make(...args))
    return made.get(id)
  }
}

const openGpu = once(() => cg.webgpu())

const backendOf = once(async ({ webgpu, composed, ...options } = {}) => {
  if (webgpu === undefined) return composed ? { ...cg.cpu(options), runner: undefined } : cg.cpu(options)
  const gpu = await openGpu()
  return webgpu === 'fused' ? gpu : { ...gpu, runner: undefined }
})

/** What `make` returns, read before its scope ends. */
const valuesOf = make => cg.scope(() => ({ values: make().data() })).values

const caseOf = once(async (folder, options) => {
  const backend = await backendOf(options)
  const { batch, side, channels, hidden, convolution, array } = readCase(folder)
  const load = (name, shape) => cg.tensor(array(name), { shape, backend })
  const perceived = convolution || 3 * channels
  return {
    backend,
    batch,
    rule: convolution
      ? cg.defineRule({
        ...cg.growingRule, padding: 'circular',
        perceive: [cg.conv(convolution, { size: 3, bias: true, activation: 'leakyRelu' })],
        update: cg.mlp(hidden, { activation: 'leakyRelu' }),
      })
      : cg.growingRule,
    x0: load('x0', [batch, side, side, channels]),
    target: load('target', [side, side, 4]),
    params: {
      ...(convolution && {
        perceive: [{ kernel: load('kernel', [3, 3, channels, convolution]), bias: load('bias', [convolution]) }],
      }),
      update: {
        w1: load('w1', [perceived, hidden]),
        b1: load('b1', [hidden]),
        w2: load('w2', [hidden, channels]),
        b2: load('b2', [channels]),
      },
    },
    masks: steps => {
      const size = batch * side * side
      const all = Uint32Array.from(array('masks'))
      return Array.from({ length: steps }, (_, t) =>
        cg.tensor(all.slice(t * size, (t + 1) * size), { shape: [batch, side, side], backend }))
    },
  }
})

// The published trainer. Its pool is the batch, every iteration draws all of it, and nothing is reseeded. Each timed iteration
// begins from the same state, so it has the start states of the other engines.
const trainingOf = once(async (folder, steps, backend) => {
  const { rule, x0, target, params, batch } = await caseOf(folder, backend)
  const options = { ...cg.presets.growing, rule, target, batch, pool: batch, reseed: 0, steps: [steps, steps + 1] }
  const empty = cg.makePool(cg.zeros(x0.shape.slice(1), { like: x0 }), batch)
  const pool = cg.writeBack(empty, empty.map((_, slot) => slot), x0)
  const state = {
    params, optimiser: cg.initOptimiser(options.optimiser, params), pool, examples: pool.map(() => 0), iteration: 0, key,
  }
  return { trainer: cg.growingTrainer(options), state }
})

function finite([loss]) {
  if (!Number.isFinite(loss)) throw new Error(`the loss is ${loss}`)
  return loss
}

/** One iteration of the trainer: pool draw, masks, rollout, gradient, Adam, write-back. */
async function train({ folder, steps, backend: options }) {
  const { trainer, state } = await trainingOf(folder, steps, options)
  const { backend } = await caseOf(folder, options)
  backend.resetPeak()
  const { value: loss, ...time } = await timed(() => valuesOf(() => trainer.step(state).metrics.loss))
  const { peakBytes } = cg.memory(backend)
  const poolBytes = state.pool.reduce((sum, slot) => sum + bytesOf(slot), 0)
  return { ...time, loss: finite(loss), startMB, tensorMB: peakBytes / 2 ** 20, poolMB: poolBytes / 2 ** 20 }
}

const countedKernels = once(countKernels)

/** The same, or a training step of a rule of any kind, and what its kernels did. */
async function parts(request) {
  const counted = countedKernels()
  counted.clear()
  const answer = await (request.rule ? rule : train)(request)
  return { ...answer, kernels: Object.fromEntries(counted.ms), products: counted.products, kernelMB: counted.bytes() / 2 ** 20 }
}

/** The bytes of a slot of the pool: a tensor, or only its living cells. */
function bytesOf({ shape, at, cells }) {
  return at ? at.byteLength + cells.byteLength : 4 * shape.reduce((product, n) => product * n, 1)
}

/** A rollout without gradients. */
async function forward({ folder, steps, backend: options }) {
  const { backend, rule, x0, params } = await caseOf(folder, options)
  backend.resetPeak()
  const { value: _, ...time } = await timed(() => valuesOf(() => cg.rollout(rule, params, x0, key, { steps })))
  return { ...time, tensorMB: cg.memory(backend).peakBytes / 2 ** 20 }
}

/** Loss and gradients under the masks of the case. */
async function gradients({ folder, steps, backend }) {
  const { rule, x0, target, params, masks } = await caseOf(folder, backend)
  const { names, data } = cg.scope(() => {
    const [loss, grads] = cg.valueAndGrad(p => {
      const grown = cg.rollout(rule, p, x0, key, { steps, masks: masks(steps) })
      return cg.mean(cg.mse(cg.rgba(grown), target))
    })(params)
    const all = [loss, ...Object.values(grads.update)]
    return { names: Object.keys(grads.update), data: Promise.all(all.map(x => x.data())) }
  })
  const [[loss], ...values] = await data
  return { loss, grads: Object.fromEntries(names.map((name, i) => [name, Array.from(values[i])])) }
}

/**
 * Fractions of the cells, means over the states before steps 0, every, 2·every, …: those alive, those that fire within
 * one cell of a living one (only their change can matter), and those that fire and live (only they pass gradients on).
 */
async function alive({ folder, steps, every, backend }) {
  const { rule, x0, params } = await caseOf(folder, backend)
  const fraction = mask => {
    const values = mask.toArray()
    return values.reduce((sum, v) => sum + v, 0) / values.length
  }
  const sums = { alive: 0, computed: 0, updated: 0 }
  let x = x0
  let states = 0
  for (let t = 0; t < steps; t += every, states++) {
    const k = cg.foldIn(key, t)
    x = cg.scope(() => {
      const living = cg.alive(rule, x)
      const fires = cg.fire(cg.foldIn(k, 0), x, rule.fireRate)
      sums.alive += fraction(living)
      sums.computed += fraction(cg.and(fires, cg.dilate(living, 3)))
      sums.updated += fraction(cg.and(fires, living))
      return cg.rollout(rule, params, x, k, { steps: every })
    })
  }
  return Object.fromEntries(Object.entries(sums).map(([name, sum]) => [name, sum / states]))
}

// Operators. Each entry makes its inputs and returns what is timed; the names are those of python/server.py.

function operatorCases(batch, side, backend) {
  const random = (...shape) => cg.normal(cg.key(shape.length), shape, { backend })
  const image = channels => random(batch, side, side, channels)
  const pullback = (f, x) => {
    const [y, pull] = cg.vjp(f, x)
    const g = cg.normal(cg.key(2), y.shape, { backend })
    return () => pull(g)
  }
  /** A function of an image and weights: itself, and its two derivatives. */
  const bilinear = (name, f, channels, shape) => ({
    [name]: () => { const [x, k] = [image(channels), random(...shape)]; return () => f(x, k) },
    [`${name} ∂x`]: () => { const k = random(...shape); return pullback(x => f(x, k), image(channels)) },
    [`${name} ∂w`]: () => { const x = image(channels); return pullback(k => f(x, k), random(...shape)) },
  })
  const unary = (f, channels) => () => { const x = image(channels); return () => f(x) }
  const binary = (f, channels) => () => { const [x, y] = [image(channels), image(channels)]; return () => f(x, y) }
  return {
    ...bilinear('dense 48→128', cg.dense, 48, [48, 128]),
    ...bilinear('dense 128→16', cg.dense, 128, [128, 16]),
    ...bilinear('conv2d 3×3 16→48', cg.conv2d, 16, [3, 3, 16, 48]),
    ...bilinear('depthwiseConv 3×3 16→48', cg.depthwiseConv, 16, [3, 3, 16, 3]),
    'maxPool 3×3 16': unary(x => cg.maxPool(x, 3), 16),
    'add 16': binary(cg.add, 16),
    'mul 16': binary(cg.mul, 16),
    'where 16': () => {
      const [x, y] = [image(16), image(16)]
      const mask = cg.greater(x, 0)
      return () => cg.where(mask, x, y)
    },
    'relu 128': unary(cg.relu, 128),
    'tanh 128': unary(cg.tanh, 128),
    'sum 128': unary(x => cg.sum(x), 128),
    'mean 128': unary(x => cg.mean(x), 128),
  }
}

const operatorOf = once(async (name, batch, side, options) => {
  const backend = await backendOf(options)
  return { backend, run: operatorCases(batch, side, backend)[name]() }
})

/** The median time of an operator over runs that take at least `ms` together. */
async function operator({ name, batch, side, ms: least, backend: options }) {
  const { backend, run } = await operatorOf(name, batch, side, options)
  if (backend.name === 'webgpu') return operatorOnGpu(backend, run, least)
  const times = []
  for (let total = 0; total < least || times.length < 3; total += times.at(-1)) {
    times.push((await timed(() => cg.scope(() => { run() }))).ms)
  }
  return { ms: times.sort((a, b) => a - b)[times.length >> 1] }
}

/** The same on a GPU: enough runs, enqueued one after the other, that they take at least `ms` until all are done. */
async function operatorOnGpu(backend, run, least) {
  for (let runs = 1; ; runs *= 2) {
    const { ms, gpuMs } = await timed(() => {
      for (let i = 0; i < runs; i++) cg.scope(() => { run() })
      return cg.zeros([1], { backend }).data()
    })
    if (ms >= least) return { ms: ms / runs, gpuMs: gpuMs / runs }
  }
}

// Rules of every kind, from random states and weights; the inputs are the same before every step.

const ruleOf = once(async (data, batch, size, inputs, options) => {
  const backend = await backendOf(options)
  const rule = cg.defineRule(data)
  const { params } = cg.mapTree({ params: cg.init(rule, key, { backend }) }, w => cg.add(w, cg.normal(key, w.shape, { like: w, std: 0.01 })))
  const some = cg.normal(key, [batch, ...size, Object.values(rule.channels).reduce((a, b) => a + b)], { backend, std: 0.3 })
  // With an input mask, every fifth cell has an input.
  const ink = () => cg.cast(cg.less(cg.uniform(key, [batch, ...size, 1], { backend }), 0.2), 'float32')
  const x0 = rule.inputMask ? cg.setChannels(rule, some, { [rule.frozen[0]]: ink() }) : some
  const given = Object.fromEntries(inputs.map(role => [role, cg.normal(key, [rule.channels[role]], { backend })]))
  return { backend, rule, params, x0, given: inputs.length > 0 ? () => given : undefined }
})

/** A training step: a rollout, the mean of its squares, and the gradient of that. */
async function rule({ rule: data, batch, size, steps, inputs, backend: options }) {
  const { backend, rule, params, x0, given } = await ruleOf(data, batch, size, inputs, options)
  const learn = cg.valueAndGrad(p => cg.mean(cg.square(cg.rollout(rule, p, x0, key, { steps, ...(given && { inputs: given }) }))))
  backend.resetPeak()
  const { value: loss, ...time } = await timed(() => valuesOf(() => learn(params)[0]))
  return { ...time, loss: finite(loss), startMB, tensorMB: cg.memory(backend).peakBytes / 2 ** 20 }
}

await serve({ train, parts, forward, gradients, alive, operator, rule })
