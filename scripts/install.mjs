// Installs the dependencies if they are missing or differ from package-lock.json; otherwise prints and does nothing.
//
// `npm start` and `npm test` run this first, so that both work on a fresh clone. The installed packages are listed in
// node_modules/.package-lock.json, which npm maintains, and compared one by one: file times would mislead, because npm
// itself, git and archives write the two files in any order. Optional packages may be absent, since not every system can
// have them. So that an optional package added by a newer package-lock.json is not taken for such a one, this script
// stores the checksum of the package-lock.json for which it has installed.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'

/** The packages that a lock file lists, by their path in node_modules; empty if there is no such file. */
function packagesOf(path) {
  try {
    const { packages } = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'))
    return packages
  } catch (error) {
    if (error.code === 'ENOENT') return {}
    throw error
  }
}

const wanted = packagesOf('../package-lock.json')
const installed = packagesOf('../node_modules/.package-lock.json')

const stamp = new URL('../node_modules/.installed-for', import.meta.url)
const sum = createHash('sha256').update(readFileSync(new URL('../package-lock.json', import.meta.url))).digest('hex')
const triedBefore = !existsSync(stamp) || readFileSync(stamp, 'utf8') === sum

// '' is this package itself.
const upToDate = triedBefore && Object.entries(wanted).every(([path, { version, optional }]) => {
  if (path === '') return true
  return installed[path] ? installed[path].version === version : optional
})

if (!upToDate) {
  console.log('Installing dependencies (npm ci)')
  const npm = process.env.npm_execpath // set by npm for its scripts; npm itself is a .cmd file on Windows
  const args = ['ci', '--include=dev', '--loglevel=error']
  const { status } = npm
    ? spawnSync(process.execPath, [npm, ...args], { stdio: 'inherit' })
    : spawnSync('npm', args, { stdio: 'inherit', shell: true })
  if (status === 0) writeFileSync(stamp, sum)
  process.exit(status ?? 1)
}
