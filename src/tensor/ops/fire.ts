/**
 * fire: which cells of an automaton act in a step.
 *
 *   out[sample, cell] = 1 where the draw at counter (sample, cell) is below p·2³², compared as integers
 *
 * Whether a cell fires depends only on the key, its sample and its place, not on the size of the batch, the number of
 * threads, the backend or the element type, and a recomputed step has the same mask.
 */
import { threefryWgsl } from '../../backends/wgsl/threefry.ts'
import { checkKey, wordAt, type Key } from '../key.ts'
import { defineOp, refuse, requireTensor, type Op } from '../op.ts'
import { sizeOf } from '../shape.ts'
import type { Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { checkRate, type Drawn } from './random.ts'

/** fire [b,h,w]: 1 where the draw at (sample, cell) is below the threshold. scalars [k0, k1, threshold in 0 … 2³²]. */
export const fireOp: Op<Drawn> = defineOp<Drawn>({
  name: 'fire',
  infer: (_, drawn) => drawn,
  cpu: (_, out, { out: { shape }, scalars: [k0, k1, threshold] }) => {
    const cells = sizeOf(shape.slice(1))
    for (let i = 0; i < out.length; i++) out[i] = +(wordAt(k0, k1, Math.floor(i / cells), i % cells) < threshold)
  },
  // The threshold 2³² does not fit into 32 bits; with it, all cells fire.
  wgsl: ({ out: { shape }, scalars: [k0, k1, threshold] }) => ({
    inputs: [],
    threads: sizeOf(shape),
    u32: { k0, k1, threshold: threshold % 2 ** 32, all: +(threshold === 2 ** 32), cells: sizeOf(shape.slice(1)) },
    source: `${threefryWgsl}
      fn main(i: u32) {
        let words = threefry(vec2u(u.k0, u.k1), vec2u(i / u.cells, i % u.cells));
        out[i] = max(u.all, u32((words.x ^ words.y) < u.threshold));
      }`,
  }),
  vjp: null,
})

/**
 * The fire mask of one step: `[b,h,w]` for a state `[b,h,w,c]`, 1 with probability `rate`, shared by all channels. Lines
 * `[b,w,c]` and volumes `[b,d,h,w,c]` have masks `[b,w]` and `[b,d,h,w]`.
 *
 * @param k the key of this step, usually `foldIn(k, t)`
 * @throws where the rate is not in [0, 1]
 * @example where(reshape(fire(k, x, 0.5), [...x.shape.slice(0, -1), 1]), add(x, dx), x)
 */
export function fire(k: Key, x: Tensor, rate: number): Tensor {
  checkKey('fire', k)
  requireTensor('fire', 'x', x)
  checkRate('fire', rate)
  if (x.shape.length < 3) refuse('fire', 'needs a state [b,h,w,c]', { x })
  const drawn: Drawn = { shape: x.shape.slice(0, -1), dtype: 'uint32' }
  return apply(fireOp, [], drawn, [...k, Math.round(rate * 2 ** 32)], x.backend)
}
