import type { ViteUserConfig } from 'vitest/config'

// The tests of Studio in a browser, one file a room, one file at a time: each has a Chromium of its own.
const config: ViteUserConfig = {
  resolve: { tsconfigPaths: true },
  test: {
    include: ['tests/studio/*.test.ts'],
    pool: 'forks',
    // Browsers fuse multiplications and additions: so must Node, if states are to be the same bit for bit.
    execArgv: ['--experimental-wasm-relaxed-simd'],
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 10_000 } }, // what a visitor would wait for, on a busy machine
  },
}

export default config
