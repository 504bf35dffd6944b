import type { UserConfig } from 'tsdown'

// One graph for the three entries, so that the core exists once however it is imported. What package.json lists as a
// dependency, the optional `webgpu` too, stays an import; `neutral` keeps Node's shims out of what a browser loads.
const config: UserConfig = {
  entry: { index: 'src/index.ts', 'node/index': 'src/node/index.ts', 'cli/main': 'src/cli/main.ts' },
  platform: 'neutral',
  target: 'es2023',
  dts: true,
  deps: { neverBundle: /^node:/ },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  logLevel: 'warn',
}

export default config
