/**
 * Pieces of WGSL that several operators share: strided positions, reductions, and products of tall matrices.
 */
import type { Shader } from '../../backends/backend.ts'
import { longSum } from '../../backends/wgsl/long-sum.ts'
import { lanes } from '../../backends/webgpu/shader.ts'
import { joinAxes } from '../shape.ts'
import type { Shape } from '../shape.ts'

/**
 * A WGSL function `name(i: u32) -> u32`: the position of element i of an array of this shape whose axes are walked with
 * the given strides. Sizes and strides are uniforms (`u32`); the source knows only the number of axes.
 *
 * @example strided('at', [8, 72, 72, 16], broadcastStrides([16], [8, 72, 72, 16]))
 */
export function strided(
  name: string, shape: Shape, given: readonly number[],
): { wgsl: string; u32: Record<string, number> } {
  const { sizes, strides } = joinAxes(shape, given)
  const u32: Record<string, number> = {}
  const lines: string[] = []
  for (let axis = sizes.length - 1; axis > 0; axis--) {
    u32[`${name}Size${axis}`] = sizes[axis]
    lines.push(`at += rest % u.${name}Size${axis} * u.${name}Stride${axis}; rest /= u.${name}Size${axis};`)
  }
  strides.forEach((stride, axis) => { u32[`${name}Stride${axis}`] = stride })
  if (sizes.length > 0) lines.push(`at += rest * u.${name}Stride0;`)
  return { wgsl: `fn ${name}(i: u32) -> u32 { var rest = i; var at = 0u; ${lines.join(' ')} return at; }`, u32 }
}

/** How partial results become one: their WGSL type, and an associative expression of two of them, `a` and `b`. */
export type Fold = readonly [type: string, wgsl: string]

/**
 * The shader of `count` results that are made of n terms each: a thread for each result, or, where the terms are many,
 * a workgroup whose lanes share them. The source declares `reduce(j: u32, lane: u32, lanes: u32)`, which takes the
 * terms lane, lane + lanes, … of result j. Each fold is a function `name(lane: u32, mine: type) -> type` there, which
 * tells all lanes what their partial results make together, in a tree of fixed form: the same terms give the same bits.
 * `Part` is the type of a lane's own sums of `sums` numbers; see `longSum`.
 */
export function reduction(
  count: number, n: number, folds: Record<string, Fold>, { source, ...shader }: Omit<Shader, 'threads' | 'groups'>,
  sums?: readonly [type: string, count: number],
): Shader {
  const alone = n <= Math.min(count, 256)
  const part = sums ? longSum(...sums, alone ? n : Math.ceil(n / lanes)) : ''
  if (alone) {
    const each = Object.entries(folds).map(([name, [type]]) => (
      `fn ${name}(lane: u32, mine: ${type}) -> ${type} { return mine; }`))
    return { ...shader, threads: count, source: `${part} ${each.join('\n')} ${source} fn main(j: u32) { reduce(j, 0, 1); }` }
  }
  const together = Object.entries(folds).map(([name, [type, wgsl]]) => `
    var<workgroup> ${name}Parts: array<${type}, lanes>;
    fn ${name}(lane: u32, mine: ${type}) -> ${type} {
      workgroupBarrier(); // what was told before has been read
      ${name}Parts[lane] = mine;
      for (var half = lanes / 2; half > 0; half /= 2) {
        workgroupBarrier();
        if (lane < half) {
          let a = ${name}Parts[lane];
          let b = ${name}Parts[lane + half];
          ${name}Parts[lane] = ${wgsl};
        }
      }
      workgroupBarrier();
      return ${name}Parts[0];
    }`)
  return {
    ...shader,
    groups: count,
    source: `${part} ${together.join('\n')} ${source} fn main(j: u32, lane: u32) { reduce(j, lane, lanes); }`,
  }
}

/**
 * A WGSL function `writeFour(row: u32, column: u32, values: vec4<T>)`: four numbers of a row, from this column on. The
 * output has `u.m` columns; what lies beyond the last is left out.
 */
export const writeFour: string = `
  fn writeFour(row: u32, column: u32, values: vec4<T>) {
    ${[0, 1, 2, 3].map(k => `
    if (column + ${k} < u.m) { out[row * u.m + column + ${k}] = values[${k}]; }`).join('')}
  }`

/** What `paired` is, below, for a row of zeros that is in no table: one beyond the border. */
export const beyond = -2

/**
 * The shader of the matrices out[t, i, j] = Σ_r left[s, i] · right[r, j], `[taps, n, m]`, where r runs over many more
 * rows than there are columns i and j, and s is the row that r is paired with in matrix t. The tables are the inputs
 * `left` and `right`. The source declares `paired(t: u32, r: u32) -> i32`, which is s, or −1 where r does not count, or
 * `beyond` where it is paired with a row of zeros.
 *
 * One reduction makes 4 × 4 sums, so that four numbers from each table give sixteen products. Those that lie beyond the
 * last column are not written.
 *
 * @param count how many rows r there are
 */
export function tallProduct(
  [taps, n, m]: readonly number[], count: number, { source, u32, ...shader }: Omit<Shader, 'threads' | 'groups'>,
): Shader {
  const [high, wide] = [Math.ceil(n / 4), Math.ceil(m / 4)]
  const each = (line: (k: number) => string): string => [0, 1, 2, 3].map(line).join('\n')
  return reduction(taps * high * wide, count, { total: ['vec4<T>', 'a + b'] }, {
    ...shader,
    u32: { ...u32, count, n, m, high, wide },
    source: `${writeFour} ${source}
      fn reduce(group: u32, lane: u32, lanes: u32) {
        let tap = group / u.wide / u.high;
        let i = group / u.wide % u.high * 4;
        let j = group % u.wide * 4;
        var t: Part;
        for (var r = lane; r < u.count; r += lanes) {
          let s = paired(tap, r);
          if (s == -1) { continue; }
          let b = r * u.m + j;
          let row = vec4(right[b], right[b + 1], right[b + 2], right[b + 3]);
          if (s == ${beyond}) {
            ${each(k => `t.parts[${k}] += T() * row; // NaN where it is no number`)}
          } else {
            let a = u32(s) * u.n + i;
            ${each(k => `t.parts[${k}] += left[a + ${k}] * row;`)}
          }
          carry(&t);
        }
        complete(&t);
        ${each(k => `t.parts[${k}] = total(lane, t.parts[${k}]);`)}
        if (lane > 0) { return; }
        ${each(k => `if (i + ${k} < u.n) { writeFour(tap * u.n + i + ${k}, j, t.parts[${k}]); }`)}
      }`,
  }, ['vec4<T>', 4])
}
