// TensorFlow.js as a benchmarked engine, in WASM or, with the argument webgpu, on the GPU. Its WASM convolutions have no
// gradients, so the perception is made of shifted slices, and the layers of the update are matrix products, which are no
// slower on a GPU. Training means loss and gradients, without Adam.

import { dirname } from 'node:path'
import { createRequire } from 'node:module'
import { readCase } from './case.mjs'
import { serve } from './serve.mjs'

const backend = process.argv[2] ?? 'wasm'
const { timed } = await import(backend === 'webgpu' ? './dawn.mjs' : './serve.mjs')
const require = createRequire(import.meta.url)
const tf = require('@tensorflow/tfjs')
if (backend === 'webgpu') {
  require('@tensorflow/tfjs-backend-webgpu')
} else {
  const wasm = require('@tensorflow/tfjs-backend-wasm')
  wasm.setWasmPaths(dirname(require.resolve('@tensorflow/tfjs-backend-wasm')) + '/')
}
await tf.setBackend(backend)

function living(x) {
  return tf.greater(tf.maxPool(tf.slice(x, [0, 0, 0, 3], [-1, -1, -1, 1]), 3, 1, 'same'), 0.1)
}

/** x ⊙ (before ∧ living(x)); the mask is a constant to the gradient. */
const keepLiving = before => tf.customGrad((x, save) => {
  const mask = tf.logicalAnd(before, living(x)).toFloat()
  save([mask])
  return { value: tf.mul(x, mask), gradFunc: (g, [m]) => tf.mul(g, m) }
})

function open(folder) {
  const { batch, side, channels, hidden, array } = readCase(folder)
  const x0 = tf.tensor4d(array('x0'), [batch, side, side, channels])
  const target = tf.tensor4d(array('target'), [1, side, side, 4])
  // TensorFlow.js concatenates whole filters, cellgrad interleaves them per channel: row c·3 + f becomes f·channels + c.
  const w1Rows = Array.from({ length: 3 * channels }, (_, row) => (row % channels) * 3 + Math.floor(row / channels))
  const params = [
    tf.variable(tf.gather(tf.tensor2d(array('w1'), [3 * channels, hidden]), w1Rows)),
    tf.variable(tf.tensor1d(array('b1'))),
    tf.variable(tf.tensor2d(array('w2'), [hidden, channels])),
    tf.variable(tf.tensor1d(array('b2'))),
  ]
  const [w1, b1, w2, b2] = params

  function perceive(x) {
    const padded = tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]])
    const at = (row, column) => tf.slice(padded, [0, row, column, 0], [batch, side, side, channels])
    const falling = tf.sub(at(2, 2), at(0, 0))
    const rising = tf.sub(at(0, 2), at(2, 0))
    const across = tf.mul(tf.sub(at(1, 2), at(1, 0)), 2)
    const down = tf.mul(tf.sub(at(2, 1), at(0, 1)), 2)
    const sobelX = tf.mul(tf.add(tf.add(falling, rising), across), 1 / 8)
    const sobelY = tf.mul(tf.add(tf.sub(falling, rising), down), 1 / 8)
    return tf.concat([x, sobelX, sobelY], 3)
  }

  function step(x, mask) {
    const before = living(x)
    const rows = perceive(x).reshape([batch * side * side, 3 * channels])
    const change = tf.add(tf.matMul(tf.relu(tf.add(tf.matMul(rows, w1), b1)), w2), b2)
    return keepLiving(before)(tf.add(x, tf.mul(change.reshape([batch, side, side, channels]), mask)))
  }

  const mask = given => t => {
    if (!given) return tf.less(tf.randomUniform([batch, side, side, 1]), 0.5).toFloat()
    const size = batch * side * side
    return tf.tensor4d(given.slice(t * size, (t + 1) * size), [batch, side, side, 1])
  }

  return {
    masks: () => array('masks'),
    async forward(steps) {
      let x = x0.clone()
      for (let t = 0; t < steps; t++) {
        const before = x
        x = tf.tidy(() => step(before, mask()(t)))
        before.dispose()
      }
      await x.data()
      x.dispose()
    },
    async gradients(steps, given) {
      const { value, grads } = tf.variableGrads(() => {
        let x = x0
        for (let t = 0; t < steps; t++) x = step(x, mask(given)(t))
        return tf.mean(tf.squaredDifference(tf.slice(x, [0, 0, 0, 0], [-1, -1, -1, 4]), target))
      }, params)
      const all = params.map(p => grads[p.name])
      const order = tf.tidy(() => {
        const inverse = w1Rows.map((_, row) => w1Rows.indexOf(row))
        return tf.gather(all[0], inverse)
      })
      const [w1Grad, ...rest] = await Promise.all([order, ...all.slice(1)].map(g => g.data()))
      const loss = (await value.data())[0]
      tf.dispose([value, order, ...all])
      return { loss, grads: [w1Grad, ...rest] }
    },
  }
}

const opened = new Map()
function caseOf({ folder }) {
  if (!opened.has(folder)) opened.set(folder, open(folder))
  return opened.get(folder)
}

async function train(request) {
  const { gradients: run } = caseOf(request)
  const { value: _, ...time } = await timed(() => run(request.steps))
  return time
}

async function forward(request) {
  const { forward: run } = caseOf(request)
  const { value: _, ...time } = await timed(() => run(request.steps))
  return time
}

async function gradients(request) {
  const { gradients: run, masks } = caseOf(request)
  const { loss, grads: [w1, b1, w2, b2] } = await run(request.steps, masks())
  return { loss, grads: { w1: [...w1], b1: [...b1], w2: [...w2], b2: [...b2] } }
}

await serve({ train, forward, gradients })
