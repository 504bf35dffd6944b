/**
 * Trees: tensors inside plain objects and arrays, nested as the user likes.
 *
 * Parameters, optimiser states and auxiliary results are trees. A leaf is anything that is not an array and not a plain
 * object: a tensor, a number, a function, an instance of a class. Paths are dotted, as in `update.w1`.
 */

/** How deep a tree may be nested. A deeper one most likely contains itself. */
export const deepestTree: number = 100

function checkDepth(depth: number, path: string): void {
  if (depth <= deepestTree) return
  throw new Error(`a tree is nested more than ${deepestTree} deep at ${path.slice(0, 40)}…; does it contain itself?`)
}

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
export function mapTree<T>(tree: T, fn: (leaf: unknown, path: string) => unknown): T {
  return zipTrees(tree, [], (leaf, _, path) => fn(leaf, path))
}

/**
 * `mapTree` over several trees at once. The first one gives the structure; `fn` gets its leaf and a list of what the others
 * have at the same path, undefined where they lack it. Keys are matched by name, whatever their order.
 *
 * @example zipTrees({ a: 1, b: 2 }, [{ b: 20, a: 10 }], (x, [y]) => x + y)  // { a: 11, b: 22 }
 */
export function zipTrees<T>(
  tree: T,
  others: readonly unknown[],
  fn: (leaf: unknown, others: readonly unknown[], path: string) => unknown,
  path = '',
  depth = 0,
): T {
  checkDepth(depth, path)
  const zip = (x: unknown, key: string | number): unknown => {
    const namesakes = others.map(other => (other as Record<string, unknown> | null | undefined)?.[key])
    return zipTrees(x, namesakes, fn, path === '' ? `${key}` : `${path}.${key}`, depth + 1)
  }
  if (Array.isArray(tree)) return tree.map(zip) as T
  if (isPlainObject(tree)) return Object.fromEntries(Object.entries(tree).map(([key, x]) => [key, zip(x, key)])) as T
  return fn(tree, others, path) as T
}

/** Calls `fn` for every leaf, in order. */
export function eachLeaf(tree: unknown, fn: (leaf: unknown, path: string) => void, path = '', depth = 0): void {
  checkDepth(depth, path)
  const at = (key: string | number): string => (path === '' ? `${key}` : `${path}.${key}`)
  if (Array.isArray(tree)) tree.forEach((x, i) => eachLeaf(x, fn, at(i), depth + 1))
  else if (isPlainObject(tree)) for (const key of Object.keys(tree)) eachLeaf(tree[key], fn, at(key), depth + 1)
  else fn(tree, path)
}
