import { fileURLToPath } from 'node:url'
import { defineConfig, type UserConfig } from 'vite'
import { declarations } from './declarations.ts'

const root = fileURLToPath(new URL('.', import.meta.url))

// Studio is a page of plain files with relative addresses, so that any host can serve it from any folder. It imports the
// library by its name, which stands for the sources here; so it uses only what every user can import.
const config: UserConfig = defineConfig({
  root,
  base: './',
  resolve: {
    alias: {
      'cellgrad/experiment': fileURLToPath(new URL('../src/experiment/index.ts', import.meta.url)),
      cellgrad: fileURLToPath(new URL('../src/index.ts', import.meta.url)),
    },
  },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [declarations()],
  worker: { format: 'es', plugins: () => [declarations()] },
  build: {
    outDir: '../dist/studio',
    emptyOutDir: true,
    target: 'es2023',
    assetsInlineLimit: 0, // pictures stay files of their own, which can be cached and looked at
    modulePreload: { polyfill: false },
  },
  logLevel: 'warn',
})

export default config
