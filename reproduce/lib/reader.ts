/**
 * A reader of pictures: a classifier pixels → 64 ReLUs → classes, trained with cross-entropy within a minute. Trained on real MNIST
 * it reads generated digits; its accuracy on unseen real digits should be reported with that. Trained on the windows around cells
 * (`windows.ts`) it is a baseline for rules.
 */
import {
  adam, argMax, cosineDecay, crossEntropy, dense, drawInteger, foldIn, initOptimiser, key, mean, normal, relu, scope, tensor, updateParams,
  softmax, valueAndGrad, zeros, type Tensor,
} from '../../src/index.ts'

type Params = { readonly w1: Tensor; readonly b1: Tensor; readonly w2: Tensor; readonly b2: Tensor }

const units = 64, batch = 64

export type Reader = {
  /** The probabilities of all classes, `[n,classes]`, for pictures that are stored one after the other. */
  readonly probabilities: (pictures: Float32Array) => Promise<Float32Array>
  /** The accuracy on pictures with these labels, in per cent. */
  readonly accuracy: (pictures: Float32Array, labels: ArrayLike<number>) => Promise<number>
}

/** A reader trained on pictures of `pixels` numbers each, roughly from 0 to 1, and their labels. */
export function trainReader(
  pictures: Float32Array, labels: ArrayLike<number>, { pixels, iterations }: { readonly pixels: number; readonly iterations: number },
): Reader {
  const optimiser = adam({ rate: cosineDecay(2e-3, { length: iterations, final: 1e-4 }) }), draw = key(0)
  const classes = 1 + Array.from(labels).reduce((a, b) => Math.max(a, b))
  const of = (ids: readonly number[], from: Float32Array): Tensor => {
    const chosen = new Float32Array(ids.length * pixels)
    ids.forEach((id, i) => chosen.set(from.subarray(id * pixels, (id + 1) * pixels), i * pixels))
    return tensor(chosen, { shape: [ids.length, pixels] })
  }
  const logits = ({ w1, b1, w2, b2 }: Params, x: Tensor): Tensor => dense(relu(dense(x, w1, { bias: b1 })), w2, { bias: b2 })
  const first: Params = {
    w1: normal(key(1), [pixels, units], { std: Math.sqrt(2 / pixels) }), b1: zeros([units]),
    w2: normal(key(2), [units, classes], { std: Math.sqrt(1 / units) }), b2: zeros([classes]),
  }
  let now = { params: first, state: initOptimiser(optimiser, first) }
  for (let i = 0; i < iterations; i++) {
    now = scope(() => {
      const ids = Array.from({ length: batch }, (_, j) => drawInteger(foldIn(foldIn(draw, i), j), 0, labels.length))
      const wanted = tensor(Int32Array.from(ids, id => labels[id]))
      const [, grads] = valueAndGrad((p: Params) => mean(crossEntropy(logits(p, of(ids, pictures)), wanted)))(now.params)
      return updateParams(optimiser, now.state, now.params, grads)
    })
  }
  const logitsOf = (from: Float32Array): Tensor => logits(now.params, tensor(from, { shape: [from.length / pixels, pixels] }))
  return {
    probabilities: async from => Float32Array.from(await scope(() => softmax(logitsOf(from))).data()),
    async accuracy(from, wanted) {
      const said = [...await scope(() => argMax(logitsOf(from))).data()]
      return 100 * said.filter((label, i) => label === wanted[i]).length / said.length
    },
  }
}
