// A small disk: a file system in memory, which on Linux only root can mount. If that fails, the tests that need one say so and
// are skipped.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A disk of so many KB on a new folder; null if none can be mounted. */
export function smallDisk(kilobytes: number): string | null {
  const at = mkdtempSync(join(tmpdir(), 'cellgrad-disk-'))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${kilobytes}k`, 'tmpfs', at], { stdio: 'pipe' })
    return at
  } catch (error) {
    rmdirSync(at)
    console.warn(`SKIPPED, the tests of a full disk: no small disk can be mounted here (${(error as Error).message.trim()})`)
    return null
  }
}

export function removeDisk(disk: string | null): void {
  if (disk === null) return
  execFileSync('umount', [disk])
  rmdirSync(disk)
}
