/**
 * Writes files atomically: after a crash a file is either the old one or the new one, never half-written.
 *
 * The bytes go to a temporary file in the same folder (a rename is atomic only within one file system), are forced to
 * the disk, and only then get the final name. The folder is forced to the disk too, since the name is stored in the
 * folder (Pillai et al., "All File Systems Are Not Created Equal", OSDI 2014).
 */

import { randomUUID } from 'node:crypto'
import { open, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'

/** The error of a file that could not be written, because of a full disk or a folder that is gone, for example. */
export class WriteError extends Error {}

/** A function for `catch` that throws a WriteError: `await file.sync().catch(cannotWrite(path))`. */
export function cannotWrite(path: string): (cause: unknown) => never {
  return cause => { throw new WriteError(`file: cannot write ${path} (${(cause as Error).message})`, { cause }) }
}

/**
 * Writes a file so that a crash at any moment leaves either the old content or the new, and a failed write leaves the old
 * content and no temporary file. (A process killed while writing leaves its `.cellgrad-….tmp`; the first write of a later process
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
    await rm(temporary, { force: true }).catch(() => {}) // the first error is the one to report
    cannotWrite(path)(cause)
  }
}

/** The folders that this process has already cleaned up. */
const seen = new Set<string>()

/** Removes the temporary files of killed processes from a folder, once. A file older than an hour is no longer being written. */
async function removeLeft(folder: string): Promise<void> {
  if (seen.has(folder)) return
  seen.add(folder)
  const names = await readdir(folder).catch(() => []) // the write itself will report what is wrong with the folder
  const left = names.filter(name => /^\.cellgrad-.*\.tmp$/.test(name)).map(name => join(folder, name))
  for (const path of left) {
    const changed = await stat(path).then(({ mtimeMs }) => mtimeMs, () => Infinity) // it may be gone already
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
