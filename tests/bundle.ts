// Bundles, once for all tests, the programs that tests start as processes: loading their sources takes longer than most tests.
// The bundle is where an installed copy would be, among the packages that it imports.

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
    // Files that look for others relative to their own place, two folders deep, find them from there.
    define: { 'import.meta.url': JSON.stringify(new URL('../src/cli/main.ts', import.meta.url).href) },
    logLevel: 'warning',
  })
  provide('bundle', folder)
  return () => rm(folder, { recursive: true })
}
