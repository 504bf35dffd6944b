/**
 * WGSL: the hidden layer, some vectors of it at a time, and the weights. Rows of weights are read by all invocations of
 * a workgroup alike, which is what uniform buffers are made for.
 */
import type { Activation } from '../../rollout.ts'
import { withFunctions } from '../functions.ts'
import { literal, repeat } from './cells.ts'
import type { Sizes } from './sizes.ts'

/** The functions `activate(z)` and `slope(z, h)`, its derivative where h = activate(z). */
export function activationWgsl(activation: Activation, leak: number): string {
  const functions: Record<Activation, readonly [string, string]> = {
    linear: ['z', 'vec4f(1.0)'],
    // A NaN stays one: max(z, 0) would hide it.
    relu: ['select(z, vec4f(), z <= vec4f())', 'select(vec4f(), vec4f(1.0), h > vec4f())'],
    leakyRelu: [
      `select(${literal(leak)} * z, z, z > vec4f())`, `select(vec4f(${literal(leak)}), vec4f(1.0), z > vec4f())`,
    ],
    tanh: [each('hyperbolicTangent'), '1.0 - h * h'],
    sigmoid: [each('logistic'), 'h * (1.0 - h)'],
  }
  const [value, derivative] = functions[activation]
  return withFunctions(`
fn activate(z: vec4f) -> vec4f { return ${value}; }
fn slope(z: vec4f, h: vec4f) -> vec4f { return ${derivative}; }`)
}

function each(name: string): string {
  return `vec4f(${name}(z.x), ${name}(z.y), ${name}(z.z), ${name}(z.w))`
}

/** The same for each row that an invocation has taken. */
export function eachRow({ rowsAtOnce }: Sizes, text: (r: number) => string): string {
  return repeat(rowsAtOnce, text, ' ')
}

/** Where b1, W2 and b2 begin in `rest`. */
export const declareRest: string = `
const w2 = H;
const b2 = H + 4u * H * C;`

/** Declares `z0_0 …`, the sums of the hidden vectors j … of each row; `z1_2` is vector j + 2 of the second row. */
export function hiddenWgsl(sizes: Sizes): string {
  const { N, hiddenAtOnce, mostWrittenOut } = sizes
  const each = (text: (r: number) => string): string => eachRow(sizes, text)
  const add = (i: string): string => `
      ${each(r => `let v${r} = y[${r}u * N + ${i}];`)}
      let row = 4u * ${i} * H + j;
      ${repeat(4, e => repeat(hiddenAtOnce, q => (
        `{ let w = w1[row + ${e}u * H + ${q}u]; ${each(r => `z${r}_${q} += v${r}[${e}] * w;`)} }`
      ), '\n      '), '\n      ')}`
  return `
    ${each(r => repeat(hiddenAtOnce, q => `var z${r}_${q} = rest[j + ${q}u];`, ' '))}
    ${N <= mostWrittenOut ? repeat(N, i => `{${add(`${i}u`)} }`) : `for (var i = 0u; i < N; i++) {${add('i')} }`}`
}
