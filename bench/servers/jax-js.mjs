// @jax-js/jax as a benchmarked engine, in WASM or, with the argument webgpu, on the GPU. The two layers of the update are
// matrix products over the cells, its fastest form; the steps are unrolled under jit, because it has no scan. Training
// means loss and gradients, without Adam.

import { defaultDevice, init, jit, lax, nn, numpy as np, valueAndGrad } from '@jax-js/jax'
import { readCase } from './case.mjs'
import { serve } from './serve.mjs'

const device = process.argv[2] ?? 'wasm'
const { timed } = await import(device === 'webgpu' ? './dawn.mjs' : './serve.mjs')
await init(device)
defaultDevice(device)

const identity = [0, 0, 0, 0, 1, 0, 0, 0, 0]
const sobelX = [-1, 0, 1, -2, 0, 2, -1, 0, 1].map(v => v / 8)
const sobelY = [-1, -2, -1, 0, 0, 0, 1, 2, 1].map(v => v / 8)

/** The arrays of a case, and its two jitted functions. Calls consume arrays; `.ref` keeps one for the next call. */
function open(folder, steps) {
  const { batch, side, channels, hidden, array } = readCase(folder)
  const load = (name, ...shape) => np.array(array(name)).reshape(shape)
  const x0 = np.transpose(load('x0', batch, side, side, channels), [0, 3, 1, 2])
  const target = np.transpose(load('target', 1, side, side, 4), [0, 3, 1, 2])
  const filters = np.array(new Float32Array(Array(channels).fill([identity, sobelX, sobelY]).flat(2)))
    .reshape([3 * channels, 1, 3, 3])
  const params = [
    load('w1', 3 * channels, hidden), load('b1', 1, hidden), load('w2', hidden, channels), load('b2', 1, channels),
  ]

  function living(x) {
    const alpha = np.pad(lax.stopGradient(x.slice([], 3)), [[0, 0], [1, 1], [1, 1]])
    return lax.reduceWindow(alpha, np.max, [3, 3]).greater(0.1)
  }

  function step(x, mask, w1, b1, w2, b2, kernel) {
    const before = living(x.ref)
    const y = lax.convGeneralDilated(x.ref, kernel, [1, 1], [[1, 1], [1, 1]], { featureGroupCount: channels })
    const rows = np.transpose(y, [0, 2, 3, 1]).reshape([batch * side * side, 3 * channels])
    const change = np.matmul(nn.relu(np.matmul(rows, w1).add(b1)), w2).add(b2).reshape([batch, side, side, channels])
    const next = x.add(np.transpose(change, [0, 3, 1, 2]).mul(mask))
    const alive = before.mul(living(next.ref)).astype(np.float32).reshape([batch, 1, side, side])
    return next.mul(alive)
  }

  function rollout(p, x, masks, kernel) {
    for (let t = 0; t < steps; t++) x = step(x, masks.ref.slice(t), ...p.map(a => a.ref), kernel.ref)
    for (const used of [...p, masks, kernel]) used.dispose()
    return x
  }

  const loss = (p, x, masks, goal, kernel) =>
    np.mean(np.square(rollout(p, x, masks, kernel).slice([], [0, 4]).sub(goal)))

  const size = steps * batch * side * side
  const masksOf = values => np.array(values).reshape([steps, batch, 1, side, side])
  const start = masks => [params.map(a => a.ref), x0.ref, masks]
  const roll = jit(rollout)
  const lossAndGrads = jit(valueAndGrad(loss))
  return {
    drawn: () => masksOf(Float32Array.from({ length: size }, () => +(Math.random() < 0.5))),
    given: () => masksOf(array('masks').slice(0, size)),
    forward: masks => roll(...start(masks), filters.ref).data(),
    async gradients(masks) {
      const [value, grads] = lossAndGrads(...start(masks), target.ref, filters.ref)
      return { loss: (await value.data())[0], grads: await Promise.all(grads.map(g => g.data())) }
    },
  }
}

const opened = new Map()
function caseOf({ folder, steps }) {
  const id = `${folder} ${steps}`
  if (!opened.has(id)) opened.set(id, open(folder, steps))
  return opened.get(id)
}

async function train(request) {
  const { gradients, drawn } = caseOf(request)
  const { value: _, ...time } = await timed(() => gradients(drawn()))
  return time
}

async function forward(request) {
  const { forward: run, drawn } = caseOf(request)
  const { value: _, ...time } = await timed(() => run(drawn()))
  return time
}

async function gradients(request) {
  const { gradients: run, given } = caseOf(request)
  const { loss, grads: [w1, b1, w2, b2] } = await run(given())
  return { loss, grads: { w1: [...w1], b1: [...b1], w2: [...w2], b2: [...b2] } }
}

await serve({ train, forward, gradients })
