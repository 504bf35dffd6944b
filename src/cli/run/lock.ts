/**
 * The lock of a folder: only one process at a time trains in it.
 *
 * A process that wants the folder makes a lock file there, named after itself, and then looks for the lock files of others: of
 * two processes that do so at the same moment, at least one sees the other. A process that sees the lock of a living one removes
 * its own and tries again a few times, in case the other one gives way too.
 *
 * The system reuses process numbers. So a process is identified by its number, its start time (since the machine was started)
 * and its machine. A lock that was left behind by `kill -9` or a power cut is thus recognised as stale. The lock of another
 * machine (on a shared disk) cannot be checked from here; it counts as living.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** .cellgrad-584@2f6e0a1c-81934@machine.lock */
const lockName = /^\.cellgrad-(\d+)@([\w-]+)@(.+)\.lock$/
const here = encodeURIComponent(hostname())

/** The identity of this process, fit for a file name: 584@2f6e0a1c-81934@machine */
export function nameOfProcess(): string {
  return `${process.pid}@${startOf(process.pid)}@${here}`
}

/** Whether a name is the identity of a process of this machine that has ended. */
export function hasEnded(name: string): boolean {
  const [, pid, start, machine] = /^(\d+)@([\w-]+)@(.+)$/.exec(name) ?? []
  return machine === here && startOf(Number(pid)) !== start
}
const attempts = 5

/** The process that holds a lock. */
type Holder = { readonly pid: number; readonly file: string; readonly machine: string }

/**
 * Locks a folder for this process, and returns a function that releases it.
 *
 * @throws `train: out/x is being trained by process 584 since 01:00`
 */
export async function lock(folder: string): Promise<() => void> {
  const own = join(folder, `.cellgrad-${nameOfProcess()}.lock`)
  for (let attempt = 1; ; attempt++) {
    await writeFile(own, '', { flag: 'wx' })
    const other = await livingHolder(folder, own)
    if (!other) return () => rmSync(own, { force: true })
    const since = await stat(other.file).then(({ mtime }) => mtime, () => new Date())
    await rm(own, { force: true })
    if (attempt < attempts) await sleep(20 + 40 * Math.random())
    else throw new Error(`train: ${folder} is being trained by ${inWords(other)} since ${timeOf(since)}`)
  }
}

/** Another living process that holds the folder, if there is one. Stale locks are removed. */
async function livingHolder(folder: string, own: string): Promise<Holder | null> {
  let living: Holder | null = null
  for (const name of await readdir(folder)) {
    const [, pid, start, machine] = lockName.exec(name) ?? []
    const file = join(folder, name)
    if (pid === undefined || file === own) continue
    if (machine === here && startOf(Number(pid)) !== start) await rm(file, { force: true })
    else living = { pid: Number(pid), file, machine: decodeURIComponent(machine) }
  }
  return living
}

/** Whether a living process trains in a folder, as far as can be checked from here; changes nothing. */
export async function isTraining(folder: string): Promise<boolean> {
  return (await readdir(folder)).some(name => {
    const [, pid, start, machine] = lockName.exec(name) ?? []
    return pid !== undefined && (machine !== here || startOf(Number(pid)) === start)
  })
}

function inWords({ pid, machine, file }: Holder): string {
  return machine === hostname() ? `process ${pid}` : `process ${pid} of ${machine} (if not, delete ${file})`
}

/** The start time of a process, in letters and digits; null if there is no process with this number. */
export function startOf(pid: number): string | null {
  if (existsSync('/proc/self/stat')) return startInProc(pid)
  try {
    const words = execFileSync('ps', ['-o', 'lstart=', '-p', String(pid)], {
      encoding: 'utf8', env: { ...process.env, LC_ALL: 'C' }, stdio: ['ignore', 'pipe', 'ignore'],
    }).trim()
    return words === '' ? null : words.replaceAll(/\W+/g, '-')
  } catch {
    return null // ps fails with status 1 if there is no such process
  }
}

/**
 * On Linux: the id of the machine's boot, and the clock ticks from the boot to the start of the process. The fields of
 * /proc/<pid>/stat are counted from the end of the name, which may contain anything: 3 is the state, 22 the start (proc(5)). A
 * zombie, state Z, has ended already.
 */
function startInProc(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    if (['Z', 'X'].includes(fields[0])) return null
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').slice(0, 8)}-${fields[22 - 3]}`
  } catch {
    return null
  }
}

/** A time like 01:00, with the date if it is not today. */
function timeOf(moment: Date): string {
  const two = (n: number): string => String(n).padStart(2, '0')
  const clock = `${two(moment.getHours())}:${two(moment.getMinutes())}`
  if (moment.toDateString() === new Date().toDateString()) return clock
  return `${moment.getFullYear()}-${two(moment.getMonth() + 1)}-${two(moment.getDate())} ${clock}`
}
