/**
 * WGSL: matrix products, four by four numbers at a time.
 */
import type { Shader } from '../backend.ts'
import { reduction } from './reduction.ts'

/**
 * A WGSL function `writeFour(row: u32, column: u32, values: vec4<T>)`: writes four numbers of a row, from this column on. The
 * output has `u.m` columns; numbers beyond the last are not written.
 */
export const writeFour: string = `
  fn writeFour(row: u32, column: u32, values: vec4<T>) {
    ${[0, 1, 2, 3].map(k => `
    if (column + ${k} < u.m) { out[row * u.m + column + ${k}] = values[${k}]; }`).join('')}
  }`

/** The value of `paired` (below) for a row of zeros that is in no table, one beyond the border. */
export const beyond = -2

/**
 * The shader of the matrices out[t, i, j] = Σ_r left[s, i] · right[r, j], `[taps, n, m]`, where r runs over many more
 * rows than there are columns i and j, and s is the row that r is paired with in matrix t. The tables are the inputs
 * `left` and `right`. The source declares `paired(t: u32, r: u32) -> i32`, which returns s, or −1 if r does not count, or
 * `beyond` if it is paired with a row of zeros.
 *
 * One reduction computes 4 × 4 sums, so that four numbers from each table give sixteen products. Sums beyond the last column
 * are not written.
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
          // Zeros are selected, not written as constants, since a compiler may take 0 times anything for 0.
          let a = u32(max(s, 0)) * u.n + i;
          ${each(k => `t.parts[${k}] += select(T(), left[a + ${k}], s >= 0) * row;`)}
          carry(&t);
        }
        complete(&t);
        ${each(k => `t.parts[${k}] = total(lane, t.parts[${k}]);`)}
        if (lane > 0) { return; }
        ${each(k => `if (i + ${k} < u.n) { writeFour(tap * u.n + i + ${k}, j, t.parts[${k}]); }`)}
      }`,
  }, ['vec4<T>', 4])
}
