// Builds dist/, which is not in the repository. npm runs this after `npm install` in a clone, and before it packs a package
// that is installed by a git URL: without it both would succeed but leave a package that cannot be imported.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const builder = fileURLToPath(new URL('../node_modules/tsdown/dist/run.mjs', import.meta.url))
const { devDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** Runs the installed builder or, if development dependencies are omitted, one that is fetched for this purpose. */
function build() {
  const args = ['--logLevel', 'error']
  const options = { cwd: root, stdio: 'inherit' }
  if (existsSync(builder)) return spawnSync(process.execPath, [builder, ...args], options)
  const packages = ['tsdown', 'typescript'].map(name => `--package=${name}@${devDependencies[name]}`)
  return spawnSync('npm', ['exec', '--yes', ...packages, '--', 'tsdown', ...args], { ...options, shell: true })
}

/**
 * Builds the page of Studio. It needs the packages that are bundled into it, so without development dependencies it is skipped,
 * and `cellgrad studio` says so.
 */
function buildStudio() {
  const vite = fileURLToPath(new URL('../node_modules/vite/bin/vite.js', import.meta.url))
  if (!existsSync(vite)) return { status: 0 }
  return spawnSync(process.execPath, [vite, 'build', '--config', 'studio/vite.config.ts'], { cwd: root, stdio: 'inherit' })
}

const { status } = build()
if (status !== 0) console.error('cellgrad: dist/ could not be built, and without it nothing can import cellgrad.')
const studio = status === 0 ? buildStudio().status : 0
if (studio !== 0) console.error('cellgrad: dist/studio could not be built, and without it there is no cellgrad studio.')
process.exit(status || (studio ?? 1))
