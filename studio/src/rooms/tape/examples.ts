/**
 * Ten scripts, from x·x to a rule of your own. Each also runs in Node unchanged, where `printTape` prints the same tape.
 */
export type Example = { readonly name: string; readonly title: string; readonly text: string }

export const examples: readonly Example[] = [
  {
    name: 'square',
    title: 'x · x',
    text: `import { mul, tensor, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// The derivative of mul reads the other factor: for x · x that
// is x itself, twice. So x is kept once, and gets two cotangents.
const square = (x: Tensor) => mul(x, x)

traceOf(square, tensor([1, 2, 3]))
`,
  },
  {
    name: 'exp',
    title: 'Σ exp(w · x)',
    text: `import { exp, grad, mul, printTape, sum, tensor, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// exp keeps its own result, since ∂exp(u)/∂u = exp(u). A sum
// keeps nothing: each of its terms counts once, whatever it is.
const x = tensor([1, 2, 3])
const loss = (w: Tensor) => sum(exp(mul(w, x)))

const w = tensor([0, 0.5, 1])
console.log(printTape(traceOf(loss, w)))
console.log('gradient', grad(loss)(w))
`,
  },
  {
    name: 'layers',
    title: 'Two layers',
    text: `import { dense, key, mean, normal, relu, split, square, traceOf, zeros } from 'cellgrad'

// What a network keeps for its way back: the inputs of its layers.
const [k1, k2, k3] = split(key(0), 3)
const params = {
  w1: normal(k1, [4, 16]), b1: zeros([16]),
  w2: normal(k2, [16, 2]),
}
const batch = normal(k3, [8, 4])

function loss(p: typeof params) {
  const hidden = relu(dense(batch, p.w1, { bias: p.b1 }))
  return mean(square(dense(hidden, p.w2)))
}

traceOf(loss, params)
`,
  },
  {
    name: 'forgotten',
    title: 'What nobody needs',
    text: `import { add, exp, stopGradient, sum, tanh, tensor, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// No output depends on exp, so its row is forgotten with what it
// kept. What stopGradient returns is a constant to the tape.
function f(x: Tensor) {
  exp(x)
  return sum(add(tanh(x), stopGradient(tanh(x))))
}

traceOf(f, tensor([-1, 0, 1]))
`,
  },
  {
    name: 'classes',
    title: 'Softmax and cross-entropy',
    text: `import { crossEntropy, key, mean, normal, tensor, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// Scores of five samples, and the class of each. The gradient
// is the difference of predicted and true probabilities.
const scores = normal(key(1), [5, 3])
const classes = tensor([0, 1, 2, 1, 0], { dtype: 'int32' })

const loss = (s: Tensor) => mean(crossEntropy(s, classes))

traceOf(loss, scores)
`,
  },
  {
    name: 'perception',
    title: 'What a cell perceives',
    text: `import { concat, filter, key, mean, normal, square, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// Filters are linear: they keep nothing, and their cotangents go
// back through the same filter, mirrored.
const state = normal(key(2), [1, 16, 16, 2])

function energy(s: Tensor) {
  const dx = filter(s, 'sobelX')
  const dy = filter(s, 'sobelY')
  return mean(square(concat([dx, dy])))
}

traceOf(energy, state)
`,
  },
  {
    name: 'second',
    title: 'A gradient of a gradient',
    text: `import { grad, mul, sum, tensor, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// Derivative rules are made of operators, so a gradient is a
// function like any other: here is the tape of the gradient of Σ x³.
const cube = (x: Tensor) => sum(mul(mul(x, x), x))

traceOf(grad(cube), tensor([1, 2, 3]))
`,
  },
  {
    name: 'checkpoint',
    title: 'A checkpoint',
    text: `import { checkpoint, exp, mul, sin, sum, tensor, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// Both compute the same. A checkpoint keeps only its inputs, and
// runs again on the way back: it trades time for memory.
const block = (x: Tensor) => exp(sin(mul(x, x)))
const kept = (x: Tensor) => sum(block(block(x)))
const again = (x: Tensor) => sum(checkpoint(block)(checkpoint(block)(x)))

const x = tensor([0.1, 0.2, 0.3])
console.log('kept', traceOf(kept, x).bytes, 'bytes')
console.log('again', traceOf(again, x).bytes, 'bytes')
`,
  },
  {
    name: 'rollout',
    title: 'A rollout of 4 steps',
    text: `import { foldIn, growingRule, init, key, mean, mse, rgba, rollout, seed, step, traceOf, zeros } from 'cellgrad'

// Growing NCA for four steps: as the operators of the paper, and as
// the one fused operation that trains. Their gradients are equal.
const params = init(growingRule, key(0))
const start = seed(growingRule, { height: 16, width: 16 })
const target = zeros([16, 16, 4])

function composed(p: typeof params) {
  let s = start
  for (let t = 0; t < 4; t++) s = step(growingRule, p, s, { key: foldIn(key(1), t), t })
  return mean(mse(rgba(s), target))
}

function fused(p: typeof params) {
  return mean(mse(rgba(rollout(growingRule, p, start, key(1), { steps: 4 })), target))
}

traceOf(composed, params)
traceOf(fused, params)
`,
  },
  {
    name: 'rule',
    title: 'A rule of your own',
    text: `import { add, concat, customRule, dense, filter, full, key, mean, mul, normal, rollout, seed, square, tanh, traceOf } from 'cellgrad'
import type { Tensor } from 'cellgrad'

// A rule is a function of the state; its derivative comes with it.
const rule = customRule({
  channels: { rgb: 3, hidden: 5 },
  init: (k, placement) => ({
    diffuse: full([8], 0.1, placement),
    w: normal(k, [16, 8], { std: 0.1, ...placement }),
  }),
  step: (p: { diffuse: Tensor; w: Tensor }, x) => {
    const lap = filter(x, 'laplacian', { padding: 'circular' })
    return add(x, add(mul(p.diffuse, lap), tanh(dense(concat([x, lap]), p.w))))
  },
})

const params = rule.init(key(0), {})
const start = seed(rule, { height: 12, width: 12 })
const loss = (p: typeof params) => mean(square(rollout(rule, p, start, key(1), { steps: 4 })))

traceOf(loss, params)
`,
  },
]
