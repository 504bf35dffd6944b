// What a page loads has no use for the comments and the indentation of WGSL, which stands in the sources as a reader wants
// it. The library is built without them, and its size is measured so.

import { readFileSync } from 'node:fs'

/** Sources whose templates of several lines are all WGSL. */
const shaders = /[\\/]src[\\/](tensor|autograd|backends)[\\/].*\.ts$/

/** A source, TypeScript or JavaScript, without indents and without comments that have lines of their own. */
function leanWgsl(source) {
  return source.replace(/^[ \t]+/gm, '').replace(/^\/\/.*\n/gm, '').replace(/^\/\*\*[^]*?\*\/\n/gm, '').replace(/;[ \t]*\/\/ .*$/gm, ';')
}

/** Sources of nearly nothing but WGSL. */
const onlyShaders = /[\\/]src[\\/]backends[\\/](wgsl|webgpu[\\/]program)[\\/].*\.ts$/

/** A source without what has no meaning, where it is nearly all WGSL also without spaces around operators. */
function leanSource(source, path) {
  const lean = leanWgsl(source)
  if (!onlyShaders.test(path)) return lean
  return lean.replace(/[ \t]+\/\/ .*$/gm, '').replace(/ ?([;{,])\n/g, '$1')
    .replace(/ ?(&&|\|\||[=!<>+*|&]?=|<<|>>|[*<>,;{}?:|&]) /g, '$1').replace(/ ([-+]) (?=[\w(])/g, '$1')
}

/** For esbuild. */
export const leanForEsbuild = {
  name: 'lean-wgsl',
  setup: build => build.onLoad({ filter: shaders }, ({ path }) => ({ contents: leanSource(readFileSync(path, 'utf8'), path), loader: 'ts' })),
}

/** For tsdown. */
export const leanForTsdown = {
  name: 'lean-wgsl',
  transform: (code, id) => (shaders.test(id) && !id.endsWith('.d.ts') ? { code: leanSource(code, id), map: null } : null),
}
