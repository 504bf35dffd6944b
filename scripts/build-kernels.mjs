// Builds what src/backends/wasm cannot run from its sources, and writes it to src/backends/wasm/generated.ts:
//
//   builds         the WebAssembly module, compiled from assembly/ by AssemblyScript: with and without fused
//                  multiply-add, for memory that is shared between threads and memory that is not
//   workerSource   the program of a worker thread, bundled into one script
//
//     npm run build:kernels              after a change of those sources; the result is committed
//     npm run build:kernels -- --check   fails where the committed file is not what the sources give

import asc from 'assemblyscript/asc'
import { build } from 'esbuild'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../src/backends/wasm/', import.meta.url))
const target = `${folder}generated.ts`

const always = [
  '-O3', '--noAssert', '--runtime', 'stub', '--importMemory', '--initialMemory', '1', '--maximumMemory', '65536',
  '--enable', 'simd', '--enable', 'bulk-memory',
]
const variants = {
  plain: [],
  fma: ['--enable', 'relaxed-simd'],
  plainShared: ['--enable', 'threads', '--sharedMemory'],
  fmaShared: ['--enable', 'relaxed-simd', '--enable', 'threads', '--sharedMemory'],
}

async function compile(options) {
  let binary
  const files = ['index.ts', '--baseDir', `${folder}assembly`, '--outFile', 'kernels.wasm']
  const { error, stderr } = await asc.main([...files, ...always, ...options], {
    writeFile: (_, data) => { binary = data },
  })
  if (error) throw new Error(`assembly: ${stderr.toString()}`)
  return Buffer.from(binary).toString('base64')
}

const builds = []
for (const [name, options] of Object.entries(variants)) builds.push(`  ${name}: '${await compile(options)}',`)

const { outputFiles } = await build({
  entryPoints: [`${folder}worker.ts`], bundle: true, write: false, format: 'iife', platform: 'node', target: 'node20',
  minify: true, charset: 'utf8',
})

const text = `// Made by \`npm run build:kernels\` from assembly/ and worker.ts. Do not edit.
export const builds: Readonly<Record<'plain' | 'fma' | 'plainShared' | 'fmaShared', string>> = {
${builds.join('\n')}
}
export const workerSource: string = ${JSON.stringify(outputFiles[0].text)}
`

if (!process.argv.includes('--check')) writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  console.error('src/backends/wasm/generated.ts is out of date; run: npm run build:kernels')
  process.exitCode = 1
}
