/**
 * WGSL: the layers, computed a few vectors at a time, and their weights:
 *
 *   h_0 = y          z_l = h_(l−1)·W_l + b_l          h_l = σ_l(z_l)          l = 1 … L
 *
 * All invocations of a workgroup read the same rows of weights, which is what uniform buffers are made for. Each vector of the
 * last hidden layer is added to the output as soon as it is computed; only the layers before it are kept, in private arrays.
 * So a network with one hidden layer keeps nothing.
 */
import type { Activation, Program } from '../../program.ts'
import { literal } from '../../wgsl/literal.ts'
import type { Sizes } from './sizes.ts'
import { unrolled } from './unrolled.ts'

/**
 * The functions `activate1(j, z)` … for vector j of each hidden layer, and `before1(j, d, h, z)` …: d times their derivative,
 * where h is their output. They differ between vectors only in a first layer with several views.
 */
export function activationsWgsl({ layers, perception: { views } }: Program, { ends }: Sizes): string {
  return layers.slice(0, -1).map((layer, i) => {
    const parts = i === 0 && views.length > 0 ? views : [layer]
    const texts = parts.map(({ activation, slope }) => activationWgsl(activation, literal(slope)))
    const choose = (which: 0 | 1): string => texts.map((text, n) => (
      `${n < texts.length - 1 ? `if (j < ${ends[n][0]}u) ` : ''}{ return ${text[which]}; }`)).join(' ')
    return `
fn activate${i + 1}(j: u32, z: vec4f) -> vec4f { ${choose(0)} }
fn before${i + 1}(j: u32, d: vec4f, h: vec4f, z: vec4f) -> vec4f { ${choose(1)} }`
  }).join('')
}

/** σ(z), and σ'(z)·d, from h = σ(z) where possible; where σ' is 0 it is a selection, not a product. */
function activationWgsl(activation: Activation, leak: string): readonly [string, string] {
  switch (activation) {
    case 'linear': return ['z', 'd']
    // NaN stays NaN: max(z, 0) would hide it.
    case 'relu': return ['select(z, vec4f(), z <= vec4f())', 'select(vec4f(), d, h > vec4f())']
    case 'leakyRelu':
      return [`select(${leak} * z, z, z > vec4f())`, `select(${leak} * d, d, h > vec4f())`]
    case 'tanh': return [each('hyperbolicTangent'), 'd * (1.0 - h * h)']
    case 'sigmoid': return [each('logistic'), 'd * h * (1.0 - h)']
    case 'softplus': return [each('softplus'), `d * ${each('logistic')}`]
    case 'gelu': case 'silu': return [each(activation), `d * ${each(`${activation}Slope`)}`]
  }
}

/** For each hidden layer, whether derivatives read its sums and not its outputs. */
export function bySums({ layers, perception: { views } }: Program): boolean[] {
  return layers.slice(0, -1).map((layer, i) => (i === 0 && views.length > 0 ? views : [layer])
    .some(({ activation }) => ['gelu', 'silu', 'softplus'].includes(activation)))
}

function each(name: string): string {
  return `vec4f(${name}(z.x), ${name}(z.y), ${name}(z.z), ${name}(z.w))`
}

/** For each number {e} of a vector, and other variables: a weight `w`, read once and used for each row {r}. */
export function eachWeight(
  { rowsAtOnce }: Sizes, others: Readonly<Record<string, number>>, weight: string, use: string,
): string {
  return unrolled({ e: 4, ...others }, `{ let w = ${weight}; ${unrolled({ r: rowsAtOnce }, use)} }`, '\n      ')
}

/** Constants with the offsets of b1, W2, b2 … in `rest`. */
export function declareRest({ rest }: Sizes): string {
  return '\n' + Object.entries(rest.at).map(([name, at]) => `const ${name} = ${at}u;`).join(' ')
}

/** The weight of layer l at a place of its matrix. */
export function weightWgsl(l: number, place: string): string {
  return l === 1 ? `w1[${place}]` : `rest[w${l} + ${place}]`
}

/**
 * `seenBy(j)`, if there are several views: the first perceived vector that output vector j of the first layer sees, and the one
 * after the last.
 */
function declareViews({ ends }: Sizes): string {
  if (ends.length < 2) return ''
  return `
fn seenBy(j: u32) -> vec2u {${ends.map(([outputs, perceived], i) => `
  if (j < ${outputs}u) { return vec2u(${i === 0 ? 0 : ends[i - 1][1]}u, ${perceived}u); }`).join('')}
  return vec2u();
}`
}

/** The head of a loop over the vectors i that vector j of layer l reads. */
export function eachInput({ widths, ends }: Sizes, l: number): string {
  return l === 1 && ends.length > 1
    ? 'let sight = seenBy(j); for (var i = sight.x; i < sight.y; i++)' : `for (var i = 0u; i < ${widths[l - 1]}u; i++)`
}

/** The input of layer l: an array of its vectors for each row. */
function inputOf(l: number): string {
  return l === 1 ? 'y' : `h${l - 1}`
}

/** Declares `z0_0 …`, the sums of vectors j … of layer l, for each row; `z1_2` is vector j + 2 of the second row. */
export function sumsWgsl(sizes: Sizes, l: number): string {
  const { widths, rowsAtOnce: r, hiddenAtOnce: q, mostWrittenOut, ends } = sizes
  const inputs = widths[l - 1]
  const add = (i: string): string => `{
      ${unrolled({ r }, `let v{r} = ${inputOf(l)}[{r}u * ${inputs}u + ${i}];`)}
      let row = 4u * ${i} * ${widths[l]}u + j;
      ${eachWeight(sizes, { q }, weightWgsl(l, `row + ({e}u * ${widths[l]}u + {q}u)`), 'z{r}_{q} += v{r}[{e}] * w;')} }`
  return `
    ${unrolled({ r, q }, `var z{r}_{q} = rest[b${l} + j + {q}u];`)}
    ${inputs <= mostWrittenOut && ends.length < 2 ? unrolled({ i: inputs }, add('{i}u'), '\n') : `${eachInput(sizes, l)} ${add('i')}`}`
}

/** `hide()` fills h1 …, the hidden layers that are kept, from y; and for those in `sums` also sums1 …. */
export function hideWgsl(sizes: Sizes, sums: readonly boolean[] = []): string {
  const { widths, hiddenAtOnce, rowsAtOnce } = sizes
  const kept = widths.slice(1, -2).map((width, i) => ({ l: i + 1, width }))
  return `${declareViews(sizes)}${kept.map(({ l, width }) => `
var<private> h${l}: array<vec4f, ${rowsAtOnce * width}>;${sums[l - 1] ? ` var<private> sums${l}: array<vec4f, ${rowsAtOnce * width}>;` : ''}`).join('')}
fn hide() {${kept.map(({ l, width }) => `
  for (var j = 0u; j < ${width}u; j += ${hiddenAtOnce}u) {${sumsWgsl(sizes, l)}
    ${unrolled({ r: rowsAtOnce, q: hiddenAtOnce }, `${sums[l - 1] ? `sums${l}[{r}u * ${width}u + {q}u + j] = z{r}_{q}; ` : ''}h${l}[{r}u * ${width}u + {q}u + j] = activate${l}(j, z{r}_{q});`)}
  }`).join('')}
}`
}
