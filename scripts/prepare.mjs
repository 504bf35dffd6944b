// Builds dist/, which is not in the repository. npm runs this after `npm install` in a clone, and before it packs what
// somebody installs by a git URL: without it both would end well and leave a package that cannot be imported.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const builder = fileURLToPath(new URL('../node_modules/tsdown/dist/run.mjs', import.meta.url))
const { devDependencies } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8'))

/** The builder as it is installed or, where development dependencies are left out, fetched for this once. */
function build() {
  const args = ['--logLevel', 'error']
  const options = { cwd: root, stdio: 'inherit' }
  if (existsSync(builder)) return spawnSync(process.execPath, [builder, ...args], options)
  const packages = ['tsdown', 'typescript'].map(name => `--package=${name}@${devDependencies[name]}`)
  return spawnSync('npm', ['exec', '--yes', ...packages, '--', 'tsdown', ...args], { ...options, shell: true })
}

/**
 * Builds the page. It needs packages that are bundled into it, so that it is left out where there are no development
 * dependencies; `cellgrad studio` says so there.
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
