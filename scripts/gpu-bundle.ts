/**
 * The GPU tests and the benchmarks as one module each, for a machine without packages (pack-gpu.mjs).
 */
import { fileURLToPath } from 'node:url'
import { build, type Metafile } from 'esbuild'

const root = fileURLToPath(new URL('..', import.meta.url))

/** What is bundled: the tests of bench/gpu/vitest.mjs, and `npm run bench`. */
export const programs = {
  tests: `
    import './tests/setup.ts'
    import './tests/webgpu/operators.test.ts'
    import './tests/webgpu/rollout.test.ts'
    import { runTests } from 'vitest'
    await runTests()
  `,
  bench: `import './bench/run.ts'`,
}

/** Replacements for modules that look for things that a GPU machine lacks: a software driver, the sources of the operators. */
const standIns = {
  'tests/webgpu/software-adapter.ts': 'export const useSoftwareAdapter = () => {}',
  'tests/operators/all.ts': 'export const operators = new Set()',
}

/** Writes a program to a file, and returns esbuild's metadata. */
export async function bundle(program: keyof typeof programs, outfile: string): Promise<Metafile> {
  const { metafile } = await build({
    stdin: { contents: programs[program], resolveDir: root, loader: 'ts' }, absWorkingDir: root, outfile, metafile: true,
    bundle: true, format: 'esm', platform: 'node', target: 'node20', logLevel: 'warning',
    ignoreAnnotations: true, // the package says that its files have no side effects, which tests have
    external: ['webgpu', '@observablehq/plot', 'linkedom'],
    alias: { vitest: `${root}bench/gpu/vitest.mjs` },
    plugins: [{
      name: 'stand-ins',
      setup(hooks) {
        for (const [file, contents] of Object.entries(standIns)) {
          hooks.onLoad({ filter: new RegExp(`${file}$`) }, () => ({ contents }))
        }
      },
    }],
  })
  return metafile
}
