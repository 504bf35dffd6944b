// Makes the command line into one program before the tests, since its sources take longer to load than most of what is
// tested. It stands where an installed copy would, among the packages that it imports; the GPU for tests is beside it.

import { mkdirSync, mkdtempSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import type { TestProject } from 'vitest/node'

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the bundled command line, with main.mjs and gpu.mjs. */
    readonly program: string
  }
}

const root = fileURLToPath(new URL('../..', import.meta.url))

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const cache = join(root, 'node_modules/.cache')
  mkdirSync(cache, { recursive: true })
  const outdir = mkdtempSync(join(cache, 'cellgrad-'))
  await build({
    absWorkingDir: root,
    entryPoints: { main: 'src/cli/main.ts', gpu: 'tests/webgpu/gpu.ts' },
    outdir, outExtension: { '.js': '.mjs' }, bundle: true, splitting: true, format: 'esm', platform: 'node', target: 'node20', packages: 'external',
    // What the sources look for beside themselves is beside them.
    define: { 'import.meta.url': JSON.stringify(new URL('../../src/cli/main.ts', import.meta.url).href) },
    logLevel: 'warning',
  })
  provide('program', outdir)
  return () => rm(outdir, { recursive: true })
}
