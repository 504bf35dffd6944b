/**
 * WGSL: reductions, in which each result combines many terms.
 */
import type { Shader } from '../backend.ts'
import { lanes } from '../webgpu/shader.ts'
import { longSum } from './long-sum.ts'

/** How partial results are combined: their WGSL type, and an associative expression of two of them, `a` and `b`. */
export type Fold = readonly [type: string, wgsl: string]

/**
 * The shader of `count` results of n terms each: a thread for each result or, with many terms, a workgroup whose lanes share
 * them. The source declares `reduce(j: u32, lane: u32, lanes: u32)`, which takes the terms lane, lane + lanes, … of result j.
 * Each fold is available there as a function `name(lane: u32, mine: type) -> type`, which combines the partial results of all
 * lanes in a tree of fixed form and returns the result to all of them: the same terms give the same bits. `Part` is the type
 * of a lane's own sums of `sums` numbers; see `longSum`.
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
