/**
 * Files that are either old or new, never half-written.
 *
 * The bytes go to a temporary file in the same folder (a rename is atomic only within one file system), are forced to
 * the disk, and only then take the name. The folder is forced to the disk too, since it is the folder that holds the
 * name (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
 */

import { randomUUID } from 'node:crypto'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** What could not be written, and why: a disk that is full, a folder that is gone. */
export class WriteError extends Error {}

/** Throws one: `await file.sync().catch(cannotWrite(path))`. */
export function cannotWrite(path: string): (cause: unknown) => never {
  return cause => { throw new WriteError(`file: cannot write ${path} (${(cause as Error).message})`, { cause }) }
}

/**
 * Writes a file so that a crash at any moment leaves the old content or the new, and a failed write leaves the old one
 * and no temporary file. (A process killed while writing leaves its `.cellgrad-….tmp`; the first write of a later process
 * into that folder removes it, if it is more than an hour old.)
 *
 * @throws `file: cannot write out/lizard.png (ENOENT: no such file or directory…)`; the cause is attached
 */
export async function writeFileAtomic(path: string, bytes: Uint8Array | string): Promise<void> {
  const folder = dirname(path)
  const temporary = join(folder, `.cellgrad-${randomUUID()}.tmp`)
  try {
    await removeLeft(folder)
    await writeAndSync(temporary, bytes)
    await rename(temporary, path)
    await syncFolder(folder)
  } catch (cause) {
    await rm(temporary, { force: true }).catch(() => {}) // the first failure is the one to tell
    cannotWrite(path)(cause)
  }
}

/** Folders that this process has looked through. */
const seen = new Set<string>()

/** Removes what killed processes left in a folder, once. No write takes an hour, on this computer or on another. */
async function removeLeft(folder: string): Promise<void> {
  if (seen.has(folder)) return
  seen.add(folder)
  const names = await readdir(folder).catch(() => []) // the write itself tells what is wrong with the folder
  const left = names.filter(name => /^\.cellgrad-.*\.tmp$/.test(name)).map(name => join(folder, name))
  for (const path of left) {
    const changed = await stat(path).then(({ mtimeMs }) => mtimeMs, () => Infinity) // it may be gone by now
    if (changed < Date.now() - 3_600_000) await rm(path, { force: true })
  }
}

async function writeAndSync(path: string, bytes: Uint8Array | string): Promise<void> {
  const file = await open(path, 'wx')
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return // Windows opens no folders; NTFS journals the rename itself
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}
