/**
 * Trees: tensors inside plain objects and arrays, nested as the user likes.
 *
 * Parameters, optimiser states and auxiliary results are trees. A leaf is anything that is not an array and not a plain
 * object: a tensor, a number, a function, an instance of a class. Paths are dotted, as in `update.w1`.
 */

function isPlainObject(x: unknown): x is Record<string, unknown> {
  if (typeof x !== 'object' || x === null) return false
  const proto: unknown = Object.getPrototypeOf(x)
  return proto === Object.prototype || proto === null
}

/**
 * The same tree with every leaf replaced. Object keys keep their order.
 *
 * @example mapTree({ a: 1, b: [2, 3] }, (leaf, path) => `${path}=${leaf}`)  // { a: 'a=1', b: ['b.0=2', 'b.1=3'] }
 */
export function mapTree<T>(tree: T, fn: (leaf: unknown, path: string) => unknown, path = ''): T {
  const at = (key: string | number): string => (path === '' ? `${key}` : `${path}.${key}`)
  if (Array.isArray(tree)) return tree.map((x, i) => mapTree(x, fn, at(i))) as T
  if (isPlainObject(tree)) {
    return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, mapTree(x, fn, at(key))])) as T
  }
  return fn(tree, path) as T
}

/** Calls `fn` for every leaf, in order. */
export function eachLeaf(tree: unknown, fn: (leaf: unknown, path: string) => void, path = ''): void {
  const at = (key: string | number): string => (path === '' ? `${key}` : `${path}.${key}`)
  if (Array.isArray(tree)) tree.forEach((x, i) => eachLeaf(x, fn, at(i)))
  else if (isPlainObject(tree)) for (const key of Object.keys(tree)) eachLeaf(tree[key], fn, at(key))
  else fn(tree, path)
}
