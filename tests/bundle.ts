// Bundles the programs that tests start as processes of their own, once for all: their sources take longer to load than
// most of what is tested. The bundle stands where an installed copy would, among the packages that it imports.

import { mkdirSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the bundle; see bundled.ts. */
    readonly bundle: string
  }
}

const programs = [
  'src/cli/main.ts', 'src/index.ts', 'tests/tensor/collected.ts', 'tests/tensor/hand-written-loop.ts',
  'tests/webgpu/collected.ts', 'tests/webgpu/ending.ts', 'tests/webgpu/gpu.ts',
]

const root = fileURLToPath(new URL('..', import.meta.url))

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const folder = mkdtempSync(join(cache, 'programs-'))
  await build({
    absWorkingDir: root, entryPoints: programs, outbase: root, outdir: folder, outExtension: { '.js': '.mjs' },
    bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external',
    // What a file looks for by its own place, two folders deep, it finds from there.
    define: { 'import.meta.url': JSON.stringify(new URL('../src/cli/main.ts', import.meta.url).href) },
    logLevel: 'warning',
  })
  provide('bundle', folder)
  return () => rm(folder, { recursive: true })
}
