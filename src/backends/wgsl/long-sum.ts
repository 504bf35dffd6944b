/**
 * WGSL: sums of many terms without loss of digits.
 *
 * A running sum of n terms makes n roundings, and of equal terms all in one direction: the sum of 2²² times 0.1 would be
 * wrong in its fourth digit. So runs of a few terms are put into a tree of fixed form, in which two sums of equally many
 * runs become one, as digits carry in a binary counter. The error is at most about 16 + 2 log₂ n roundings of the sum of
 * the magnitudes (Higham, "The accuracy of floating point summation", 1993), and the same terms give the same bits.
 */

/** Terms that are added one after the other before their sum goes into the tree, and levels of the tree. */
const run = 16, levels = 26

/** Terms that products of matrices add one after the other: as many as an automaton perceives. More are a long sum. */
export const fewTerms = 256

/**
 * A WGSL type `Part`: sums of `count` numbers of a type at once. Terms are added to `parts`; after each, `carry(&s)`
 * puts a run into the tree when it is full, and `complete(&s)` leaves the whole in `parts`.
 *
 * @param terms how many terms there are; few need no tree
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

