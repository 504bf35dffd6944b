// Packs everything that a machine with a GPU and without network needs to test and measure cellgrad into one folder of less
// than 60 MB: the built library, this Node, Dawn, the Vulkan loader, the GPU tests and the benchmarks. See bench/gpu/run.sh.
//
//     npm run pack:gpu -- FOLDER        a new folder; then run ./run.sh there

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { useSoftwareAdapter } from '../tests/webgpu/software-adapter.ts'
import { bundle } from './gpu-bundle.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const most = 60e6
const [folder] = process.argv.slice(2)
if (process.platform !== 'linux' || process.arch !== 'x64') fail('the machine must be Linux on x64, as the GPU machine is')
if (!folder) fail('expected a folder: npm run pack:gpu -- FOLDER')
if (existsSync(folder)) fail(`${folder} exists already`)

function fail(why) {
  console.error(`pack:gpu: ${why}`)
  process.exit(1)
}

function run(command, ...args) {
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: root, encoding: 'utf8' })
  if (status !== 0) fail(`${command} ${args.join(' ')} failed\n${error ?? stderr}`)
  return stdout
}

/** Copies a file of the repository, or a folder, to the same place in the pack. */
function take(path) {
  cpSync(join(root, path), join(folder, path), { recursive: true })
}

/** A program or library without its symbols, compressed. */
function shrink(file, to) {
  const stripped = join(tmpdir(), `cellgrad-pack-${process.pid}`)
  cpSync(realpathSync(file), stripped)
  run('strip', stripped)
  mkdirSync(dirname(join(folder, to)), { recursive: true })
  writeFileSync(join(folder, `${to}.gz`), gzipSync(readFileSync(stripped), { level: 9 }))
  rmSync(stripped)
}

run('npm', 'run', '--silent', 'build')
mkdirSync(folder, { recursive: true })
writeFileSync(join(folder, 'package.json'), JSON.stringify({ private: true, type: 'module' }))
for (const path of ['LICENSE', 'dist', 'bench/package.json', 'bench/servers']) take(path)
take('bench/gpu/describe.mjs')
for (const name of ['nca', 'nca_torch', 'works', 'server', 'gpu_pytorch', 'gpu_jax']) take(`python/${name}.py`)
for (const name of ['index.js', 'package.json', 'LICENSE.md']) take(`node_modules/webgpu/${name}`)
cpSync(join(root, 'bench/gpu/run.sh'), join(folder, 'run.sh'))

// The Vulkan loader, which is not part of NVIDIA's driver, with its libraries; and those that Node needs besides glibc.
useSoftwareAdapter()
cpSync(join(dirname(process.env.VK_ADD_DRIVER_FILES), 'libvulkan.so.1'), join(folder, 'lib/libvulkan.so.1'))
for (const part of ['EGL', 'GLX']) {
  const driver = { file_format_version: '1.0.0', ICD: { library_path: `lib${part}_nvidia.so.0`, api_version: '1.3.0' } }
  writeFileSync(join(folder, `lib/nvidia-${part.toLowerCase()}.json`), JSON.stringify(driver))
}
for (const name of ['libstdc++.so.6', 'libgcc_s.so.1']) {
  const line = run('ldd', process.execPath).split('\n').find(text => text.includes(name))
  if (line) cpSync(realpathSync(line.split(/\s+/)[3]), join(folder, 'lib/gcc', name))
}

await bundle('bench', join(folder, 'bench/lib/run.mjs'))
await bundle('tests', join(folder, 'bench/gpu/tests.mjs'))

shrink(process.execPath, 'node')
shrink(join(root, 'node_modules/webgpu/dist/linux-x64/dawn.node'), 'node_modules/webgpu/dist/linux-x64/dawn.node')

const bytes = readdirSync(folder, { recursive: true, withFileTypes: true })
  .filter(entry => entry.isFile())
  .reduce((sum, entry) => sum + statSync(join(entry.parentPath ?? entry.path, entry.name)).size, 0)
console.log(`${folder}: ${(bytes / 1e6).toFixed(1)} MB; on the GPU machine: ./run.sh`)
if (bytes > most) fail(`that is more than ${most / 1e6} MB`)
