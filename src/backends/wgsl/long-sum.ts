/**
 * WGSL: sums of many terms without loss of digits.
 *
 * A running sum of n terms is rounded n times, for equal terms always in the same direction: the sum of 2²² times 0.1 would be
 * wrong in its fourth digit. So the sums of short runs of terms are put into a tree of fixed form, in which two sums of equally
 * many runs are added, like carries in a binary counter. The error is at most about 16 + 2 log₂ n roundings of the sum of the
 * magnitudes (Higham, "The accuracy of floating point summation", 1993), and the same terms give the same bits.
 */

/** How many terms are added one after the other before their sum goes into the tree, and the levels of the tree. */
const run = 16, levels = 26

/** How many terms matrix products add one after the other, enough for the perception of an automaton. More are a long sum. */
export const fewTerms = 256

/**
 * A WGSL type `Part`: `count` sums of numbers of a type at once. Terms are added to `parts`; after each, `carry(&s)`
 * puts a full run into the tree, and at the end `complete(&s)` leaves the total in `parts`.
 *
 * @param terms the number of terms; few terms need no tree
 * @example `${longSum('f32', 1, n)} … var s: Part; for (…) { s.parts[0] += x[i]; carry(&s); } complete(&s);`
 */
export function longSum(type: string, count: number, terms: number): string {
  const each = (line: (k: number) => string): string => Array.from({ length: count }, (_, k) => line(k)).join(' ')
  if (terms <= 2 * run) {
    return `
    struct Part { parts: array<${type}, ${count}> }
    fn carry(s: ptr<function, Part>) {}
    fn complete(s: ptr<function, Part>) {}`
  }
  return `
    struct Part { parts: array<${type}, ${count}>, terms: u32, runs: u32, tree: array<array<${type}, ${count}>, ${levels}> }
    fn push(s: ptr<function, Part>) {
      var level = 0u;
      for (var n = (*s).runs; (n & 1) == 1; n >>= 1) {
        ${each(k => `(*s).parts[${k}] = (*s).tree[level][${k}] + (*s).parts[${k}];`)}
        level++;
      }
      (*s).tree[level] = (*s).parts;
      (*s).parts = array<${type}, ${count}>();
      (*s).runs++;
    }
    fn carry(s: ptr<function, Part>) {
      (*s).terms++;
      if ((*s).terms % ${run} == 0) { push(s); }
    }
    fn complete(s: ptr<function, Part>) {
      for (var level = 0u; level < ${levels}; level++) {
        if ((((*s).runs >> level) & 1) == 1) { ${each(k => `(*s).parts[${k}] += (*s).tree[level][${k}];`)} }
      }
    }`
}

