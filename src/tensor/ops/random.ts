/**
 * Random tensors: counter-based draws, element i from counter (0, i). With (x, y) = threefry(key, (0, i)),
 *
 *   bits        x ⊕ y
 *   uniform     float32: k / 2²³, k the upper 23 of these 32 bits; float64: the upper 52 of the 64 bits (x, y) / 2⁵²
 *   bernoulli   uniform < p, in float32
 *   normal      √2·erf⁻¹(u), u = (4k + 1) / 2²⁴ − 1, which is exact in float32 and never −1 or 1
 *
 * These are JAX's numbers (its partitionable threefry): `uniform` bit for bit in [0, 1), and up to the last bits when scaled
 * to other bounds; `normal` up to the rounding of erf⁻¹, in float64 too the numbers that JAX draws in float32.
 */
import type { Call, DType, Shader } from '../../backends/backend.ts'
import { central, tail } from '../../backends/erfinv.ts'
import { normalWgsl } from '../../backends/wgsl/normal.ts'
import { threefryWgsl } from '../../backends/wgsl/threefry.ts'
import { add, mul } from './arithmetic.ts'
import { less } from './compare.ts'
import { defineOp, refuse, type Op } from '../op.ts'
import { check, checkOptions, isNumber, keysOf, numberFrom } from '../../backends/options.ts'
import { checkShape, sizeOf, type Shape } from '../shape.ts'
import { place, placementKinds, type Placement, type Tensor } from '../tensor.ts'
import { apply } from '../trace.ts'
import { checkKey, threefry, wordAt, type Key } from '../key.ts'

/** The attributes of a draw, which has no inputs except a key. */
export type Drawn = { readonly shape: Shape; readonly dtype: DType }

/** The shader that computes out[i] from the `bits` of counter (0, i). */
function drawWgsl({ out, scalars: [k0, k1] }: Call<Drawn>, wgsl: string, functions = ''): Shader {
  return {
    inputs: [],
    threads: sizeOf(out.shape),
    u32: { k0, k1 },
    source: `${threefryWgsl} ${functions}
      fn main(i: u32) {
        let words = threefry(vec2u(u.k0, u.k1), vec2u(0, i));
        let bits = words.x ^ words.y;
        ${wgsl}
      }`,
  }
}

/** bits: scalars [k0, k1]. */
export const bitsOp: Op<Drawn> = /* @__PURE__ */ defineOp<Drawn>({
  name: 'bits',
  infer: (_, drawn) => drawn,
  cpu: (_, out, { scalars: [k0, k1] }) => { for (let i = 0; i < out.length; i++) out[i] = wordAt(k0, k1, 0, i) },
  wgsl: call => drawWgsl(call, 'out[i] = bits;'),
  vjp: null,
})

/** uniform in [0, 1): scalars [k0, k1]. */
export const uniformOp: Op<Drawn> = defineOp<Drawn>({
  name: 'uniform',
  infer: (_, drawn) => drawn,
  cpu: (_, out, { scalars: [k0, k1] }) => {
    const double = out instanceof Float64Array
    for (let i = 0; i < out.length; i++) {
      const [x, y] = threefry(k0, k1, 0, i)
      out[i] = double ? (x * 2 ** 20 + (y >>> 12)) / 2 ** 52 : ((x ^ y) >>> 9) / 2 ** 23
    }
  },
  wgsl: call => drawWgsl(call, 'out[i] = f32(bits >> 9) / 0x800000;'),
  vjp: null,
})

/** normal: mean 0, variance 1. scalars [k0, k1]. */
export const normalOp: Op<Drawn> = defineOp<Drawn>({
  name: 'normal',
  infer: (_, drawn) => drawn,
  cpu: (_, out, { scalars: [k0, k1] }) => {
    for (let i = 0; i < out.length; i++) {
      const k = wordAt(k0, k1, 0, i) >>> 9
      out[i] = Math.SQRT2 * erfinv((4 * k + 1) / 2 ** 24 - 1)
    }
  },
  wgsl: call => drawWgsl(call, 'out[i] = normalOf(bits);', normalWgsl),
  vjp: null,
})

/** The x with erf(x) = p, to single precision. */
function erfinv(p: number): number {
  const w = -Math.log((1 - p) * (1 + p))
  const at = w < 5 ? w - 2.5 : Math.sqrt(w) - 3
  return p * (w < 5 ? central : tail).reduce((sum, c) => sum * at + c, 0)
}

function draw(op: Op<Drawn>, k: Key, shape: Shape, placement: Placement): Tensor {
  checkKey(op.name, k)
  checkShape(op.name, shape)
  const { dtype, backend } = place(placement, op.name)
  // `like` may be a mask, in whose type fractions would be cut off.
  if (dtype !== 'float32' && dtype !== 'float64') refuse(op.name, `draws float32 or float64, not ${dtype}`)
  return apply(op, [], { shape, dtype }, k, backend)
}

/** 32 random bits per element, uint32. */
export function bits(k: Key, shape: Shape, placement: Omit<Placement, 'dtype'> = {}): Tensor {
  checkKey('bits', k)
  checkShape('bits', shape)
  const { dtype, backend } = place(placement, 'bits', 'uint32')
  return apply(bitsOp, [], { shape, dtype }, k, backend)
}

export type UniformOptions = Placement & {
  /** The least number that may be drawn, default 0. */
  low?: number
  /** The numbers drawn are below it, default 1; at least `low`. */
  high?: number
}

const uniformOptions = keysOf<UniformOptions>({ ...placementKinds, low: numberFrom(), high: numberFrom() })

/**
 * Uniform numbers in [low, high), [0, 1) by default. With other bounds a number may be rounded up to `high`, as in JAX.
 *
 * @throws for integer element types
 * @example uniform(k, [8], { low: -1, high: 1 })
 */
export function uniform(k: Key, shape: Shape, options: UniformOptions = {}): Tensor {
  checkOptions('uniform', options, uniformOptions)
  const { low = 0, high = 1, ...placement } = options
  check(low <= high, 'uniform', 'low', low, `at most high, ${high}`)
  const u = draw(uniformOp, k, shape, placement)
  return low === 0 && high === 1 ? u : add(mul(u, high - low), low)
}

export type NormalOptions = Placement & {
  /** Default 0. */
  mean?: number
  /** The standard deviation, a number ≥ 0, default 1. */
  std?: number
}

const normalOptions = keysOf<NormalOptions>({ ...placementKinds, mean: numberFrom(), std: numberFrom(0) })

/**
 * Normal numbers with the given mean and standard deviation, 0 and 1 by default.
 *
 * @throws for integer element types
 * @example normal(k, [128, 16], { std: 1e-3 })
 */
export function normal(k: Key, shape: Shape, options: NormalOptions = {}): Tensor {
  checkOptions('normal', options, normalOptions)
  const { mean = 0, std = 1, ...placement } = options
  const z = draw(normalOp, k, shape, placement)
  return mean === 0 && std === 1 ? z : add(mul(z, std), mean)
}

/**
 * A mask, uint32, in which each element is 1 with probability p.
 *
 * @throws where p is not in [0, 1]
 * @example bernoulli(k, [b, 1, 1, 1], 0.5)
 */
export function bernoulli(k: Key, shape: Shape, p: number, placement: Omit<Placement, 'dtype'> = {}): Tensor {
  checkRate('bernoulli', p)
  return less(uniform(k, shape, place(placement, 'bernoulli', 'float32')), p)
}

/** Throws unless p is a probability. */
export function checkRate(op: string, p: number): void {
  if (!(isNumber(p, 0) && p <= 1)) refuse(op, `a probability is a number from 0 to 1, got ${p}`)
}
