// Removes comments and spaces from WGSL, which the sources contain in readable form but pages need not load. The library is
// built without them, and its size is measured without them.

import { readFileSync } from 'node:fs'
import ts from 'typescript'

/** Sources in which all templates of several lines are WGSL. */
const shaders = /[\\/]src[\\/](tensor|autograd|backends)[\\/].*\.ts$/

/** A source, TypeScript or JavaScript, without indentation and without comments on lines of their own. */
function leanWgsl(source) {
  return source.replace(/^[ \t]+/gm, '').replace(/^\/\/.*\n/gm, '').replace(/^\/\*\*[^]*?\*\/\n/gm, '').replace(/;[ \t]*\/\/ .*$/gm, ';')
}

/** Sources that consist almost entirely of WGSL. */
const onlyShaders = /[\\/]src[\\/]backends[\\/](wgsl|webgpu[\\/]program)[\\/].*\.ts$/

/** WGSL without comments at the ends of lines, and without spaces and line breaks that have no meaning. */
function squeezed(wgsl) {
  return wgsl.replace(/[ \t]+\/\/ .*$/gm, '').replace(/ ?([;{,])\n/g, '$1')
    .replace(/ ?(&&|\|\||[=!<>+*|&]?=|<<|>>|[*<>,;{}?:|&]) /g, '$1').replace(/ ([-+]) (?=[\w(])/g, '$1')
}

/** Squeezed WGSL with further spaces removed, around characters that mean something else in TypeScript. */
function tighter(wgsl) {
  return wgsl.replace(/}\n/g, '}').replace(/ ([%^/]|->) ?(?=[\w(])/g, '$1').replace(/\b(if|for|while|switch|return) \(/g, '$1(')
}

/** A source whose templates of several lines are squeezed as far as possible; code within their `${}` stays as it is. */
function withTemplatesSqueezed(source) {
  const file = ts.createSourceFile('source.ts', source, ts.ScriptTarget.Latest)
  const edits = []
  const visit = node => {
    const parts = ts.isTemplateExpression(node) ? [node.head, ...node.templateSpans.map(({ literal }) => literal)]
      : ts.isNoSubstitutionTemplateLiteral(node) ? [node] : []
    // Without the delimiters of the parts: `, } and ${, `.
    const texts = parts.map(part => [part.getStart(file) + 1, part.end - (part === parts.at(-1) ? 1 : 2)])
    if (texts.some(([from, to]) => source.slice(from, to).includes('\n'))) edits.push(...texts)
    ts.forEachChild(node, visit)
  }
  visit(file)
  const inOrder = edits.toSorted(([a], [b]) => b - a)
  return inOrder.reduce((all, [from, to]) => all.slice(0, from) + tighter(squeezed(all.slice(from, to))) + all.slice(to), source)
}

/** A source with everything removed that has no meaning. */
function leanSource(source, path) {
  const lean = withTemplatesSqueezed(leanWgsl(source))
  return onlyShaders.test(path) ? squeezed(lean) : lean
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
