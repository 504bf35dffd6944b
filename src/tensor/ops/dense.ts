/**
 * dense: the same small matrix for every cell, out[r,:] = x[r,:]·W + b.
 *
 * This is a 1×1 convolution, and nearly all of the arithmetic of a neural cellular automaton. Rows r are the cells of the
 * batch. An optional mask selects the cells to compute; the others are zero and cost nothing. In a cellular automaton only
 * cells that are alive and fire can change, often one in ten.
 *
 * With M the diagonal 0/1 matrix of the mask (the identity without one), X [rows,in], W [in,out], g = ∂L/∂out:
 *
 *   out = M(XW + 1bᵀ)       ∂L/∂X = M g Wᵀ       ∂L/∂W = (MX)ᵀ g = denseFilter(X, g)       ∂L/∂b = Σ_r (M g)_r
 *
 * ∂L/∂X is a dense layer again, with Wᵀ; ∂L/∂W is the second operator, whose own derivatives are dense layers. So the
 * pair is closed under differentiation.
 */
import type { Spec } from '../../backends/backend.ts'
import { defineOp, refuse, requireTensor, sameDtype, type Op } from '../op.ts'
import { checkOptions, keysOf } from '../../backends/options.ts'
import { isFloat, isLarge } from '../../backends/wasm/simd/conditions.ts'
import { packRuns, productByRuns } from '../../backends/wasm/simd/product.ts'
import { ceilTo } from '../../backends/ceil-to.ts'
import { addTo, eachTile, loadRows, storeRows, tileRows } from '../../backends/wasm/simd/rows.ts'
import { sameShape, sizeOf } from '../shape.ts'
import { aTensor, type Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { ones } from './create.ts'
import { reshape } from './reshape.ts'
import { transpose } from './transpose.ts'
import { fewTerms, longSum } from '../../backends/wgsl/long-sum.ts'
import { tallProduct, writeFour } from '../../backends/wgsl/matrix.ts'
import { exactProducts } from './whole.ts'
import { checkMask, maskInputs } from './window.ts'

/** Whether the third input is a bias. */
type Dense = { readonly bias: boolean }

/**
 * out = M(XW + 1bᵀ). inputs: x […cells, in], w [in, out], with `bias` b [out], optional mask […cells], and last the
 * optional mask for the derivatives.
 */
export const denseOp: Op<Dense> = defineOp<Dense>({
  name: 'dense',
  infer: (inputs, attrs): Spec => {
    const { x, w, bias } = parts(inputs, attrs)
    sameDtype('dense', { x, weights: w, ...(bias && { bias }) })
    if (w.shape.length !== 2) refuse('dense', 'weights must be [in, out]', { x, weights: w })
    if (x.shape.at(-1) !== w.shape[0]) {
      refuse('dense', `weights expect ${w.shape[0]} channels, x has ${x.shape.at(-1)}`, { x, weights: w })
    }
    if (bias && !sameShape(bias.shape, [w.shape[1]])) refuse('dense', 'the bias must be [out]', { bias, weights: w })
    return { shape: [...x.shape.slice(0, -1), w.shape[1]], dtype: x.dtype }
  },
  cpu: exactProducts((inputs, sums, { inputs: [, { shape: [n, m] }], attrs }) => {
    const { x, w, bias, mask } = parts(inputs, attrs)
    for (let r = 0, o = 0; o < sums.length; r++) {
      const masked = mask !== undefined && mask[r] === 0
      for (let j = 0; j < m; j++, o++) {
        let t = bias && !masked ? bias[j] : 0
        if (!masked) for (let i = 0; i < n; i++) t += x[r * n + i] * w[i * m + j]
        sums[o] = t
      }
    }
  }, ({ bias }) => (bias ? 2 : undefined)),
  simd: room => (inputs, out, { inputs: [, { shape: [n, m] }], attrs }) => {
    const { x, w, bias, mask } = parts(inputs, attrs)
    if (!isFloat(x) || !isFloat(w) || !isFloat(out) || !isLarge(out.length / m, n, m)) return false
    const columns = ceilTo(m, 8), size = tileRows(Math.max(n, columns))
    const { kernels, floats, at: [a, panels, b, c] } =
      room(4 * size * n, 4 * n * columns, 4 * columns, 4 * size * columns)
    packRuns(floats, panels / 4, w, n, m, m, 1)
    if (bias) floats.set(bias, b / 4)
    if (mask) out.fill(0)
    eachTile(0, out.length / m, mask, size, tile => {
      loadRows(x, n, tile, floats, a / 4, n)
      productByRuns(kernels, floats, tile.count, n, columns, a, n, panels, bias ? b : 0, c)
      storeRows(out, m, tile, floats, c / 4, columns)
    })
    return true
  },
  // A thread for 4 × 4 numbers: four rows, four columns. Those that lie beyond the end are not written.
  wgsl: ({ inputs: [, { shape: [n, m] }, ...optional], out, attrs: { bias } }) => {
    const count = sizeOf(out.shape) / m
    const blocks = Math.ceil(m / 4)
    const masked = optional.length > +bias
    const block = [0, 1, 2, 3]
    const long = n > fewTerms
    const sum = (k: number): string => (long ? `t.parts[${k}]` : `t${k}`)
    return {
      inputs: ['x', 'w', ...(bias ? ['b'] : []), 'mask', 'gradMask'],
      threads: Math.ceil(count / 4) * blocks,
      u32: { n, m, count, blocks },
      source: `${long ? longSum('vec4<T>', 4, n) : ''} ${writeFour}
        fn main(i: u32) {
          let r = i / u.blocks * 4;
          let j = i % u.blocks * 4;
          let start = ${bias ? 'vec4(b[j], b[j + 1], b[j + 2], b[j + 3])' : 'vec4<T>()'};
          ${long ? 'var t: Part;' : block.map(k => `var t${k} = start;`).join('\n')}
          let some = ${masked ? block.map(k => `mask[r + ${k}]`).join(' | ') : '1u'};
          let terms = select(u.n, 0, some == 0);
          for (var c = 0u; c < terms; c++) {
            let k = c * u.m + j;
            let v = vec4(w[k], w[k + 1], w[k + 2], w[k + 3]);
            ${block.map(k => `${sum(k)} += x[(r + ${k}) * u.n + c] * v;`).join('\n')}
            ${long ? 'carry(&t);' : ''}
          }
          ${long ? `complete(&t); ${block.map(k => `${sum(k)} += start;`).join(' ')}` : ''}
          ${block.map(k => `
          if (r + ${k} < u.count) {
            writeFour(r + ${k}, j, ${masked ? `select(${sum(k)}, vec4<T>(), mask[r + ${k}] == 0)` : sum(k)});
          }`).join('')}
        }`,
    }
  },
  vjp: [
    {
      uses: [1, 2, 3, 4],
      grad: (g, { inputs, attrs }) => denseProduct(g, transpose(inputs[1], [1, 0]), parts(inputs, attrs).gradMask),
    },
    { uses: [0, 2, 3, 4], grad: (g, { inputs, attrs }) => denseFilter(inputs[0], g, parts(inputs, attrs).gradMask) },
    // The third input is a bias wherever this runs, since a mask is not differentiated. Summing the rows of g is 1ᵀ M g.
    {
      uses: [3, 4],
      grad: (g, { inputs, attrs }) => {
        const column = ones([...g.shape.slice(0, -1), 1], { like: g })
        return reshape(denseFilter(column, g, parts(inputs, attrs).gradMask), [-1])
      },
    },
    null,
    null,
  ],
})

/** The inputs by name. Derivatives go through the rows that are computed, unless there is a mask for them. */
function parts<T>([x, w, ...optional]: readonly T[], { bias: hasBias }: Dense): {
  x: T; w: T; bias: T | undefined; mask: T | undefined; gradMask: T | undefined
} {
  const bias = hasBias ? optional.shift() : undefined
  const [mask, gradMask = mask] = optional
  return { x, w, bias, mask, gradMask }
}

/**
 * out = (M X)ᵀ Y, the derivative of a dense layer's weights. inputs: x […cells, in], y […cells, out], optional mask.
 */
export const denseFilterOp: Op<null> = defineOp<null>({
  name: 'denseFilter',
  infer: ([x, y, mask]): Spec => {
    sameDtype('denseFilter', { x, y })
    if (!sameShape(x.shape.slice(0, -1), y.shape.slice(0, -1))) {
      refuse('denseFilter', 'x and y have different rows', { x, y })
    }
    checkMask('denseFilter', mask, x.shape.slice(0, -1))
    return { shape: [x.shape.at(-1)!, y.shape.at(-1)!], dtype: x.dtype }
  },
  cpu: exactProducts(([x, y, mask], sums, { out: { shape: [n, m] }, inputs: [{ shape }] }) => {
    const count = sizeOf(shape) / n
    for (let r = 0; r < count; r++) {
      if (mask && mask[r] === 0) continue
      for (let i = 0; i < n; i++) {
        const value = x[r * n + i]
        for (let j = 0; j < m; j++) sums[i * m + j] += value * y[r * m + j]
      }
    }
  }),
  // Sums within a tile of rows are in float32; the sums of tiles are added in double precision.
  simd: room => ([x, y, mask], out, { out: { shape: [n, m] } }) => {
    if (!isFloat(x) || !isFloat(y) || !isFloat(out) || !isLarge(x.length / n, n, m)) return false
    const left = ceilTo(n, 4), right = ceilTo(m, 8), size = tileRows(Math.max(left, right))
    const { kernels, floats, at: [a, b, g] } = room(4 * size * left, 4 * size * right, 4 * left * right)
    const sums = new Float64Array(n * m)
    eachTile(0, x.length / n, mask, size, tile => {
      loadRows(x, n, tile, floats, a / 4, left)
      loadRows(y, m, tile, floats, b / 4, right)
      kernels.zero(g, 4 * left * right)
      kernels.productTN(tile.count, left, right, a, 4 * left, b, 4 * right, g, 4 * right)
      addTo(sums, n, m, floats, g / 4, right)
    })
    out.set(sums)
    return true
  },
  wgsl: ({ inputs: [{ shape }, , mask], out: { shape: [n, m] } }) => tallProduct([1, n, m], sizeOf(shape) / n, {
    inputs: ['left', 'right', 'mask'],
    source: `fn paired(t: u32, r: u32) -> i32 { return ${mask ? 'select(i32(r), -1, mask[r] == 0)' : 'i32(r)'}; }`,
  }),
  // ⟨(MX)ᵀY, g⟩ = ⟨X, M Y gᵀ⟩ = ⟨Y, M X g⟩
  vjp: [
    { uses: [1, 2], grad: (g, { inputs: [, y, mask] }) => denseProduct(y, transpose(g, [1, 0]), mask) },
    { uses: [0, 2], grad: (g, { inputs: [x, , mask] }) => denseProduct(x, g, mask) },
    null,
  ],
})

/** A dense layer without bias. */
export function denseProduct(x: Tensor, w: Tensor, mask?: Tensor): Tensor {
  return apply(denseOp, mask ? [x, w, mask] : [x, w], { bias: false })
}

function denseFilter(x: Tensor, y: Tensor, mask?: Tensor): Tensor {
  return apply(denseFilterOp, mask ? [x, y, mask] : [x, y], null)
}

export type DenseOptions = {
  /** Bias `[out]`. */
  bias?: Tensor
  /** Cells to compute, a mask of the shape of x without channels; the others are 0, bias included, and cost nothing. */
  mask?: Tensor
  /**
   * The cells among them through which derivatives go, a mask like `mask`, which is the default. It may leave out only cells
   * whose cotangent is 0 anyway, for instance because they die in the step: then the derivative is the same, without their NaNs.
   */
  gradMask?: Tensor
}

const denseOptions = keysOf<DenseOptions>({ bias: aTensor, mask: aTensor, gradMask: aTensor })

/**
 * One linear layer at every cell: out = x·w + bias.
 *
 * @param x `[..., in]`, usually `[b,h,w,in]`
 * @param w `[in, out]`
 * @returns `[..., out]`
 * @throws where the channels of x and w differ, or the mask does not fit
 * @example dense(x, w, { bias, mask: and(alive, fire) })
 */
export function dense(x: Tensor, w: Tensor, options: DenseOptions = {}): Tensor {
  checkOptions('dense', options, denseOptions)
  const { bias, mask, gradMask } = options
  requireTensor('dense', 'x', x)
  const masks = maskInputs('dense', mask, gradMask, x.shape.slice(0, -1))
  return apply(denseOp, [x, w, ...(bias ? [bias] : []), ...masks], { bias: bias !== undefined })
}
