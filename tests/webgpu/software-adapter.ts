// A GPU for machines without one: SwiftShader, a Vulkan driver that runs on the CPU.
//
// The development dependency @sparticuz/chromium carries it, with the Vulkan loader, for Linux on x64. Both are
// unpacked once. The driver is added to those of the machine, and Dawn ranks adapters that are software last, so that
// a real GPU is used where there is one. Elsewhere this does nothing: macOS and Windows bring a driver.
//
// `useSoftwareAdapter()` must run before anything imports the package `webgpu`.

import { existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { constants } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { brotliDecompressSync } from 'node:zlib'

const require = createRequire(import.meta.url)
const cache = fileURLToPath(new URL('../../node_modules/.cache/', import.meta.url))

export function useSoftwareAdapter(): void {
  if (process.platform !== 'linux' || process.arch !== 'x64') return
  const folder = unpacked()
  process.env.VK_ADD_DRIVER_FILES = join(folder, 'vk_swiftshader_icd.json')
  try {
    // The loader by its path, so that Dawn, which asks for it by its name, finds it in the process. It must stay there
    // (0x1000 is RTLD_NODELETE), although Node reports that it is not an addon, which is true.
    process.dlopen({ exports: {} }, join(folder, 'libvulkan.so.1'), constants.dlopen.RTLD_NOW | 0x1000)
  } catch (error) {
    if (!String(error).includes('did not self-register')) throw error
  }
}

/** The folder with the unpacked files. Written under another name first: other processes may be doing the same. */
function unpacked(): string {
  const bin = join(dirname(require.resolve('@sparticuz/chromium')), '../../bin')
  const archive = readFileSync(join(bin, 'swiftshader.tar.br'))
  const folder = join(cache, `swiftshader-${archive.length}`)
  if (existsSync(folder)) return folder
  mkdirSync(cache, { recursive: true })
  const temporary = mkdtempSync(`${folder}-`)
  for (const [name, data] of filesOf(brotliDecompressSync(archive))) writeFileSync(join(temporary, name), data)
  try {
    renameSync(temporary, folder)
  } catch (error) {
    if (!existsSync(folder)) throw error
    rmSync(temporary, { recursive: true })
  }
  return folder
}

/** The files of a tar archive: each is a header of 512 bytes, with its name and its size (octal), and blocks of 512. */
function* filesOf(tar: Buffer): Generator<[string, Buffer]> {
  const text = (from: number, length: number): string => tar.toString('latin1', from, from + length).split('\0', 1)[0]
  for (let at = 0; text(at, 100) !== '';) {
    const size = parseInt(text(at + 124, 12), 8)
    yield [text(at, 100), tar.subarray(at + 512, at + 512 + size)]
    at += 512 + Math.ceil(size / 512) * 512
  }
}
