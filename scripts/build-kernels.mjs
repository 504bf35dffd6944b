// Builds the parts of src/backends/wasm that must be compiled, and writes them to src/backends/wasm/generated.ts:
//
//   builds         the WebAssembly module, compiled from assembly/ by AssemblyScript: with and without fused
//                  multiply-add. Bytes are written as characters: the most frequent ones, opcodes and small numbers, as
//                  one character, the others as two, the first of which is the page of the second. So the module is text
//                  in which gzip still finds repetitions, which base64 would hide
//   sharedAt       for each, the offset of the byte that says whether memory is shared between threads: 1 for no, 3 for yes
//   thread         the code of a thread, worker.ts, bundled into one self-contained function
//
//     npm run build:kernels              after a change of those sources; the result is committed
//     npm run build:kernels -- --check   fails if the committed file is not what the sources give

import asc from 'assemblyscript/asc'
import { build } from 'esbuild'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('../src/backends/wasm/', import.meta.url))
const target = `${folder}generated.ts`

const always = [
  '-O3s', '--noAssert', '--runtime', 'stub', '--importMemory', '--initialMemory', '1', '--maximumMemory', '65536',
  '--enable', 'simd', '--enable', 'bulk-memory',
]
const variants = {
  plain: [],
  fma: ['--enable', 'relaxed-simd'],
}
const shared = ['--enable', 'threads', '--sharedMemory']

async function compile(options) {
  let binary
  const files = ['index.ts', '--baseDir', `${folder}assembly`, '--outFile', 'kernels.wasm']
  const { error, stderr } = await asc.main([...files, ...always, ...options], {
    writeFile: (_, data) => { binary = data },
  })
  if (error) throw new Error(`assembly: ${stderr.toString()}`)
  return Buffer.from(binary)
}

/** A page's size, and the characters of its places and of three page marks: '(' … '[', 'a' … '~' (see src/backends/wasm/module.ts). */
const page = 79
const character = place => String.fromCharCode(place + (place < 52 ? 40 : 45))

/** Bytes as text. Pages begin at 0xfc, so that the first has the prefix of all SIMD instructions, and the bytes from 0 on. */
function textOf(bytes) {
  return Array.from(bytes, byte => {
    const place = (byte + 4) % 256, number = Math.floor(place / page)
    return (number > 0 ? character(page + number - 1) : '') + character(place % page)
  }).join('')
}

const builds = []
const flags = []
for (const [name, options] of Object.entries(variants)) {
  const own = await compile(options)
  const other = await compile([...options, ...shared])
  const differing = [...own.keys()].filter(i => own[i] !== other[i])
  if (own.length !== other.length || differing.length !== 1 || own[differing[0]] !== 1 || other[differing[0]] !== 3) {
    throw new Error(`assembly: the build ${name} for shared memory differs in more than the flag of its memory.`)
  }
  flags.push(`${name}: ${differing[0]}`)
  builds.push(`  ${name}: '${textOf(own)}',`)
}

const { outputFiles } = await build({
  entryPoints: [`${folder}worker.ts`], bundle: true, write: false, format: 'iife', platform: 'node', target: 'es2023',
  minify: true, charset: 'utf8',
})

const text = `// Made by \`npm run build:kernels\` from assembly/ and worker.ts. Do not edit.
// @ts-nocheck: the function is JavaScript
import type { Thread } from './worker.ts'

export const builds: Readonly<Record<'plain' | 'fma', string>> = {
${builds.join('\n')}
}
export const sharedAt: Readonly<Record<'plain' | 'fma', number>> = { ${flags.join(', ')} }
export const thread: (expose: (thread: Thread) => void) => void = function (expose) {
${outputFiles[0].text.trim()}
}
`

if (!process.argv.includes('--check')) writeFileSync(target, text)
else if (readFileSync(target, 'utf8') !== text) {
  console.error('src/backends/wasm/generated.ts is out of date; run: npm run build:kernels')
  process.exitCode = 1
}
