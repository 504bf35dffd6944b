/**
 * The surroundings of a run, on which it depends besides its configuration: the version of cellgrad, how numbers are rounded,
 * and its data. All computers of a sweep must have the same surroundings. Redis may also have files of a run that was trained in
 * other surroundings; they are not used.
 */
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { isObject } from '../../backends/options.ts'
import { parseJson } from '../../nca/files/json.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { bundledEmoji, findAsset, version } from '../../node/assets.ts'
import type { BackendName } from '../../experiment/config/computers.ts'
import type { JsonObject } from '../../experiment/flat.ts'
import { isGrowing, runConfigOf, type RunConfig } from '../../experiment/tasks/values.ts'
import { supports } from '../../backends/wasm/module.ts'
import { hashOf } from '../run/about.ts'
import { pathsOf } from '../run/lesson.ts'

export type Surroundings = {
  readonly cellgrad: string
  /** The backend: each rounds differently. */
  readonly backend: BackendName
  /** Whether the CPU uses fused multiply-add, which decides the last bits. */
  readonly fma: boolean
  /** The SHA-256 of each file or folder of data by its path. */
  readonly data: Readonly<Record<string, string>>
}

const hashes = new Map<string, Promise<string>>()

/** The surroundings of a run on this computer; a process reads each data file only once. */
export async function surroundingsOf(config: JsonObject): Promise<Surroundings> {
  const checked = runConfigOf(config)
  const paths = 'config' in checked ? await dataOf(checked.config) : []
  const fma = 'config' in checked && checked.config.fma !== 'off' && supports('fma')
  const backend = 'config' in checked ? checked.config.backend : 'cpu'
  const data = paths.map(async path => {
    const hash = hashes.get(path) ?? hashOf(path)
    hashes.set(path, hash)
    return [path, await hash] as const
  })
  return { cellgrad: version, backend, fma, data: Object.fromEntries(await Promise.all(data)) }
}

/** The files and folders that a run learns from. */
async function dataOf(config: RunConfig): Promise<string[]> {
  if (!isGrowing(config)) return pathsOf(config)
  const { data: { target }, train: { from } } = config
  const own = findAsset(await bundledEmoji(), target) ? [] : [target]
  return [...own, ...(from === null ? [] : [from])].filter(path => existsSync(path))
}

/** How a worker's surroundings differ from those of the sweep, in a sentence; null if they do not. */
export function differenceOf(here: Surroundings, there: Surroundings): string | null {
  if (here.cellgrad !== there.cellgrad) return `worker: this is cellgrad ${here.cellgrad}, but the sweep is cellgrad ${there.cellgrad}`
  if (here.backend !== there.backend) {
    return `worker: --backend is ${here.backend}, but the runs of the sweep say backend: ${there.backend}, which rounds otherwise`
  }
  if (here.fma !== there.fma) {
    return `worker: this Node (${process.version}) ${here.fma ? 'fuses' : 'does not fuse'} multiplications and additions, unlike that of the sweep, which decides the last bits (fma: off in the base: nobody does)`
  }
  const path = Object.keys(there.data).find(name => here.data[name] !== there.data[name])
  if (path === undefined) return null
  return path in here.data ? `worker: ${path} is not here as the sweep has it` : `worker: there is no ${path} here, which the sweep has`
}

/** SWEEP/data.json: the hashes of the data of a sweep's runs, by path, from when they were first used. */
const dataFile = 'data.json'

/**
 * Checks that the data of a sweep's runs are the same as when the runs in its folder were trained, and records new ones: runs that
 * learned from different data must not be compared.
 *
 * @throws if data have changed
 */
export async function holdData(folder: string, configs: readonly JsonObject[]): Promise<void> {
  const path = join(folder, dataFile)
  const before = existsSync(path) ? noted(path, await readFile(path, 'utf8')) : {}
  const now = Object.assign({}, ...await Promise.all(configs.map(async config => (await surroundingsOf(config)).data))) as Surroundings['data']
  const changed = Object.keys(now).find(name => Object.hasOwn(before, name) && before[name] !== now[name])
  if (changed !== undefined) throw new Error(`sweep: ${changed} is not what it was when ${folder} was begun; put it back, or choose another folder (--out)`)
  const all = { ...before, ...now }
  if (Object.keys(all).length > Object.keys(before).length) await writeFileAtomic(path, `${JSON.stringify(all, null, 2)}\n`)
}

function noted(path: string, text: string): Surroundings['data'] {
  try {
    const data = parseJson(text, 2)
    if (isObject(data)) return data as Surroundings['data']
  } catch {} // reported below
  throw new Error(`sweep: ${path} is spoilt, expected hashes by the paths of data; without it the sweep goes on, and takes its data for the same`)
}
