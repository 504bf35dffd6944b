import type { UserConfig } from 'tsdown'
import { leanForTsdown } from './scripts/lean-wgsl.mjs'

// One graph for all entries, so that the core exists once however it is imported. What package.json lists as a
// dependency, the optional `webgpu` too, stays an import; `neutral` keeps Node's shims out of what a browser loads.
// The bundler puts a comment behind the field before it, where TypeScript no longer takes it for that of the next one.
const commentsOnTheirLines = {
  name: 'comments-on-their-lines',
  generateBundle(_: unknown, bundle: Record<string, { type: string; code?: string }>): void {
    for (const [file, chunk] of Object.entries(bundle)) {
      if (file.endsWith('.d.ts') && chunk.code) chunk.code = chunk.code.replace(/(;|\{) (?=\/\*\*)/g, '$1\n  ')
    }
  },
}

const config: UserConfig = {
  plugins: [leanForTsdown, commentsOnTheirLines],
  entry: {
    index: 'src/index.ts',
    ops: 'src/tensor/ops/index.ts',
    nca: 'src/nca/index.ts',
    data: 'src/nca/data/index.ts',
    'experiment/index': 'src/experiment/index.ts',
    'node/index': 'src/node/index.ts',
    'cli/main': 'src/cli/main.ts',
  },
  platform: 'neutral',
  target: 'es2023',
  dts: true,
  deps: { neverBundle: /^node:/ },
  outExtensions: () => ({ js: '.js', dts: '.d.ts' }),
  logLevel: 'warn',
}

export default config
