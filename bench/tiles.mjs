/**
 * Tiles of the product kernel (src/backends/wasm/assembly/matrix.ts), tried in the Node that runs this: `npm run bench:tiles`, or
 * for another Node `path/to/node bench/tiles.mjs`.
 *
 * Of each tile, which keeps ROWS × 8 sums in vector registers, and each degree of unrolling, a kernel is compiled with and without
 * fused multiply-adds, and multiplies [120,48] by [48,128], both in the cache, in one thread. Prints GFLOP/s, the best of nine
 * rounds. How many sums are best depends on how V8 assigns registers, and so on its version.
 */
import asc from 'assemblyscript/asc'

const tiles = [[4, 1], [4, 2], [4, 4], [5, 1], [6, 1], [6, 2]] // rows, and steps of the inner dimension in each turn of the loop
const [rows, inner, columns] = [120, 48, 128]
const range = n => Array.from({ length: n }, (_, i) => i)

function kernel(height, unrolled) {
  const of = range(height)
  const step = u => `
        const l${u} = v128.load(b, ${32 * u}), h${u} = v128.load(b, ${32 * u + 16})
        ${of.map(i => `const x${i}_${u} = v128.load32_splat(a${i}, ${4 * u})
        low${i} = mad(x${i}_${u}, l${u}, low${i})
        high${i} = mad(x${i}_${u}, h${u}, high${i})`).join('\n        ')}`
  return `
export function tile${height}x8by${unrolled}(rows: usize, inner: usize, columns: usize, a: usize, panels: usize, c: usize): void {
  const aStride = inner << 2, cStride = columns << 2
  for (let j: usize = 0; j < columns; j += 8) {
    const panel = panels + (j >> 3) * (inner << 5), end = panel + (inner << 5)
    for (let i: usize = 0; i < rows; i += ${height}) {
      let b = panel, a0 = a + i * aStride, ${of.slice(1).map(k => `a${k} = a${k - 1} + aStride`).join(', ')}
      let ${of.map(k => `low${k} = f32x4.splat(0), high${k} = f32x4.splat(0)`).join(', ')}
      while (b < end) {
        ${range(unrolled).map(step).join('\n')}
        ${of.map(k => `a${k} += ${4 * unrolled}`).join('\n        ')}
        b += ${32 * unrolled}
      }
      let to = c + i * cStride + (j << 2)
      ${of.map(k => `v128.store(to, low${k})\n      v128.store(to, high${k}, 16)`).join('\n      to += cStride\n      ')}
    }
  }
}`
}

const source = `
@inline function mad(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c)
}
${tiles.map(([height, unrolled]) => kernel(height, unrolled)).join('\n')}`

async function compile(options) {
  const { binary, stderr } = await asc.compileString(source, {
    optimizeLevel: 3, shrinkLevel: 1, noAssert: true, runtime: 'stub', importMemory: true, initialMemory: 64, enable: ['simd', ...options],
  })
  if (!binary) throw new Error(`tiles: ${stderr.toString()}`)
  return binary
}

const memory = new WebAssembly.Memory({ initial: 64 })
const numbers = new Float32Array(memory.buffer)
for (const i of numbers.keys()) numbers[i] = Math.sin(i)

/** GFLOP/s of a kernel. */
function speed(run) {
  const turns = 300
  let best = Infinity
  for (let round = 0; round < 10; round++) {
    const began = performance.now()
    for (let turn = 0; turn < turns; turn++) run(rows, inner, columns, 2 ** 16, 2 ** 20, 2 ** 21)
    if (round > 0) best = Math.min(best, performance.now() - began)
  }
  return 2 * rows * inner * columns * turns / best / 1e6
}

console.log(`Node ${process.versions.node}, GFLOP/s of one thread`)
console.log('tile        plain  fused')
const builds = [await compile([]), await compile(['relaxed-simd'])]
const [plain, fused] = builds.map(build => (WebAssembly.validate(build)
  ? new WebAssembly.Instance(new WebAssembly.Module(build), { env: { memory, abort() {} } }).exports
  : null))
for (const [height, unrolled] of tiles) {
  const name = `tile${height}x8by${unrolled}`
  const [one, other] = [plain, fused].map(exports => (exports ? speed(exports[name]).toFixed(1) : '–').padStart(5))
  console.log(`${`${height}×8${unrolled > 1 ? ` by ${unrolled}` : ''}`.padEnd(11)} ${one}  ${other}`)
}
