/**
 * Whole numbers: int32 and uint32 are computed modulo 2³², as in processors and WGSL.
 *
 * JavaScript computes with float64, which holds 53 of the 64 bits of a product. `Math.imul` gives the lower 32 bits of one
 * product. Sums of products use the loops for floating-point numbers, which are exact as long as their numbers are small:
 * with operands in parts of 11 bits, a = a₀ + 2¹¹ a₁ + 2²² a₂,
 *
 *   Σ a·b = Σ_{i+j<3} 2^{11(i+j)} Σ a_i·b_j   (mod 2³²)
 *
 * a product of two parts is below 2²², and float64 adds up 2³¹ of them without rounding.
 */
import type { Call, CpuKernel, Data } from '../../backends/backend.ts'

/** Whether these are whole numbers. */
export function areWhole(x: Data): x is Int32Array | Uint32Array {
  return x instanceof Int32Array || x instanceof Uint32Array
}

/** a^b for whole numbers, modulo 2³². For negative b the fraction is cut off, which leaves 0 unless a is ±1. */
export function wholePower(a: number, b: number): number {
  if (b < 0) return Math.abs(a) === 1 ? (b % 2 === 0 ? 1 : a) : 0
  let y = 1
  for (let n = b, square = a; n > 0; n = Math.floor(n / 2)) {
    if (n % 2 === 1) y = Math.imul(y, square)
    square = Math.imul(square, square)
  }
  return y
}

/**
 * The kernel of a loop that sums products in double precision; its results must be linear in each of the first two inputs. For
 * whole numbers it is exact. `sums` begin at zero.
 *
 * @param added the position of an input that is added to the results, if there is one
 */
export function exactProducts<A>(
  loop: (inputs: readonly Data[], sums: Float64Array, call: Call<A>) => void,
  added: (attrs: A) => number | undefined = () => undefined,
): CpuKernel<A> {
  return (inputs, out, call) => {
    const sums = new Float64Array(out.length)
    if (!areWhole(out)) {
      loop(inputs, sums, call)
      return out.set(sums)
    }
    const [as, bs] = [inputs[0], inputs[1]].map(parts)
    const once = added(call.attrs)
    out.fill(0)
    for (let i = 0; i < 3; i++) {
      for (let j = 0; i + j < 3; j++) {
        const rest = inputs.slice(2).map((x, k) => (k + 2 === once && i + j > 0 ? new Float64Array(x.length) : x))
        loop([as[i], bs[j], ...rest], sums.fill(0), call)
        const unit = 2 ** (11 * (i + j))
        for (let k = 0; k < sums.length; k++) out[k] += (sums[k] * unit) | 0
      }
    }
  }
}

/** The parts of 11 bits, the lowest first. */
function parts(x: Data): Float64Array[] {
  return [0, 11, 22].map(shift => Float64Array.from(x, v => (v >>> shift) & 0x7ff))
}
