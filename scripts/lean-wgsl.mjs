// What a page loads has no use for the comments and the indentation of WGSL, which stands in the sources as a reader wants
// it. The library is built without them, and its size is measured so.

import { readFileSync } from 'node:fs'

/** Sources whose templates of several lines are all WGSL. */
const shaders = /[\\/]src[\\/](tensor|autograd|backends)[\\/].*\.ts$/

/** A source, TypeScript or JavaScript, without indents and without comments of the form `//`. */
function leanWgsl(source) {
  return source.replace(/^[ \t]+/gm, '').replace(/^\/\/.*\n/gm, '').replace(/;[ \t]*\/\/ .*$/gm, ';')
}

/** For esbuild. */
export const leanForEsbuild = {
  name: 'lean-wgsl',
  setup: build => build.onLoad({ filter: shaders }, ({ path }) => ({ contents: leanWgsl(readFileSync(path, 'utf8')), loader: 'ts' })),
}

/** For tsdown. */
export const leanForTsdown = {
  name: 'lean-wgsl',
  transform: (code, id) => (shaders.test(id) && !id.endsWith('.d.ts') ? { code: leanWgsl(code), map: null } : null),
}
