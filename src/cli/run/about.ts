/**
 * about.json in a run's folder: everything besides its configuration that is needed to repeat it. There is an entry for each
 * time that it was begun or resumed, since each may be on another machine.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream, existsSync } from 'node:fs'
import { readdir, readFile, stat } from 'node:fs/promises'
import { arch, cpus, platform, release } from 'node:os'
import { join } from 'node:path'
import { version } from '../../node/assets.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { files } from './run-folder.ts'

/** Where and with what a run was trained. */
export type About = {
  readonly began: string
  readonly command: readonly string[]
  readonly cellgrad: string
  readonly node: string
  readonly system: string
  readonly cpu: string
  /** The backend: `CPU, 2 threads`. */
  readonly computer: string
  /** The commit of the folder in which it was begun, with + if files differ from it; null outside a repository. */
  readonly git: string | null
  /** SHA-256 of each file or folder that it learns from, by its path. */
  readonly data: Readonly<Record<string, string>>
}

/** Adds an entry. */
export async function noteAbout(folder: string, computer: string, data: readonly string[]): Promise<void> {
  const path = join(folder, files.about)
  const before = existsSync(path) ? await readFile(path, 'utf8').then(text => JSON.parse(text) as About[]).catch(() => []) : []
  const about: About = {
    began: new Date().toISOString(), command: process.argv.slice(2), cellgrad: version, node: process.version,
    system: `${platform()} ${release()} ${arch()}`, cpu: cpus()[0]?.model.trim() ?? '', computer, git: revision(),
    data: Object.fromEntries(await Promise.all(data.map(async path => [path, await hashOf(path)]))) as About['data'],
  }
  await writeFileAtomic(path, `${JSON.stringify([...before, about], null, 2)}\n`)
}

function revision(): string | null {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 5000 }).trim()
  try {
    return git('rev-parse', 'HEAD') + (git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+')
  } catch {
    return null // no repository, or no git
  }
}

/** The SHA-256 of a file's bytes; for a folder, of the names and hashes of everything in it, in order. */
export async function hashOf(path: string): Promise<string> {
  const hash = createHash('sha256')
  if ((await stat(path)).isDirectory()) {
    for (const name of (await readdir(path)).filter(name => !name.startsWith('.')).sort()) hash.update(`${name}\n${await hashOf(join(path, name))}\n`)
  } else for await (const part of createReadStream(path)) hash.update(part as Buffer)
  return hash.digest('hex')
}
