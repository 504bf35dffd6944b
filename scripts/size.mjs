// How much of cellgrad a page loads: each of the pages below, bundled with its dependencies, minified and compressed.
//
//     npm run size               writes docs/results/size.md
//     npm run size -- --check    fails if a page is larger than its limit

import { build } from 'esbuild'
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { leanForEsbuild } from './lean-wgsl.mjs'

const root = fileURLToPath(new URL('..', import.meta.url))

const transforms = 'vjp, grad, valueAndGrad, valueAndGradAux, hvp, customVjp, checkpoint, scan'
const tensors = 'tensor, to, memory, scope, apply, defineOp, mapTree, key, split, foldIn'
const automata = 'growingRule, presets, defineRule, mlp, init, seed, step, rollout, rgba, erase'
const training = 'growingTrainer, train, adam, cosineDecay, warmUp, damageMask, encodeModel, decodeModel'
const pictures = 'fit, padImage, imageToTensor, tensorToImage, imageFromPixels, imageToPixels'

/** The measured pages: the exports that each uses, and the most kilobytes (of 1024 bytes) that it may load. */
const pages = [
  {
    what: 'core: tensors, all operators, transforms, the CPU',
    code: `export { ${transforms}, ${tensors}, cpu } from 'cellgrad'; export * from 'cellgrad/ops'`,
    most: 61,
  },
  {
    what: 'a page that grows a model: rules, rollouts, pictures, on the CPU or by WebGPU',
    code: `export { ${automata}, ${pictures}, decodeModel, key, cpu, webgpu } from 'cellgrad'`,
    most: 110,
  },
  {
    what: 'a page that trains one too, beside a critic if need be',
    code: `export { ${automata}, ${training}, ${pictures}, ${transforms}, key, cpu, webgpu } from 'cellgrad'`,
    most: 116, // more than the page above: fused backward passes, and rollouts that begin on coarse grids
  },
  { what: 'everything', code: "export * from 'cellgrad'", most: Infinity },
]

const rows = []
for (const { what, code, most } of pages) {
  const { outputFiles: [{ contents }] } = await build({
    stdin: { contents: code, resolveDir: root }, tsconfig: `${root}tsconfig.json`, external: ['webgpu', 'node:*'],
    bundle: true, minify: true, write: false, format: 'esm', target: 'es2023', plugins: [leanForEsbuild],
  })
  rows.push({ what, most, minified: contents.length / 1024, compressed: gzipSync(contents, { level: 9 }).length / 1024 })
}

const table = [
  '| | minified | and gzipped | at most |',
  '| --- | ---: | ---: | ---: |',
  ...rows.map(({ what, most, minified, compressed }) => (
    `| ${what} | ${minified.toFixed(0)} KB | ${compressed.toFixed(1)} KB | ${most === Infinity ? '' : `${most} KB`} |`)),
].join('\n')

const page = `# Size

What a page loads of cellgrad, bundled by esbuild, in kilobytes of 1024 bytes. \`npm run size\` writes this table, and the
package test holds it to its bounds. What a page does not import is not in its bundle.

${table}
`

if (process.argv.includes('--check')) console.log(table)
else writeFileSync(`${root}docs/results/size.md`, page)

for (const { what, most, compressed } of rows) {
  if (compressed <= most) continue
  console.error(`size: ${what}: ${compressed.toFixed(1)} KB, expected at most ${most} KB.`)
  process.exitCode = 1
}
