import type { ViteUserConfig } from 'vitest/config'

// CELLGRAD_RUNS is the number of cases a property is tried on (see tests/setup.ts); the time limit grows with it.
const runs = Number(process.env.CELLGRAD_RUNS || 30)
// CELLGRAD_REPORT names a file for a machine-readable report beside the usual output.
const report = process.env.CELLGRAD_REPORT

const config: ViteUserConfig = {
  resolve: { tsconfigPaths: true }, // `cellgrad` is src/index.ts here
  test: {
    include: ['tests/**/*.test.ts'],
    globalSetup: ['tests/bundle.ts'],
    exclude: ['tests/studio/**'], // npm run test:studio
    setupFiles: ['tests/setup.ts'],
    // Processes, not threads: the WebGPU bindings hold process-wide state that does not survive a worker's end.
    pool: 'forks',
    // Test files share their process: most of them would take longer to load the sources than to test. A file puts back
    // what it changes in the process.
    isolate: false,
    maxWorkers: 2,
    testTimeout: 60_000 * Math.max(1, runs / 30),
    hookTimeout: 60_000,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    coverage: { provider: 'v8', include: ['src/**'], reporter: ['text'] },
  },
}

export default config
