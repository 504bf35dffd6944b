/**
 * What a run depends on besides its configuration: the version that trains it, how it rounds, and its data. The computers of a sweep must
 * agree on it, and what Redis holds of a run that was trained in others is not taken for this one's.
 */
import { existsSync } from 'node:fs'
import { bundledEmoji, findAsset, version } from '../../node/assets.ts'
import type { JsonObject } from '../../experiment/flat.ts'
import { isGrowing, runConfigOf, type RunConfig } from '../../experiment/tasks/values.ts'
import { supports } from '../../backends/wasm/module.ts'
import { hashOf } from '../run/about.ts'
import { pathsOf } from '../run/lesson.ts'

export type Surroundings = {
  readonly cellgrad: string
  /** Whether multiplications and additions are fused on the CPU, which decides the last bits. */
  readonly fma: boolean
  /** The SHA-256 of each file or folder of data by its path. */
  readonly data: Readonly<Record<string, string>>
}

const hashes = new Map<string, Promise<string>>()

/** Those of a run on this computer; data are read once in the life of a process. */
export async function surroundingsOf(config: JsonObject): Promise<Surroundings> {
  const checked = runConfigOf(config)
  const paths = 'config' in checked ? await dataOf(checked.config) : []
  const fma = 'config' in checked && checked.config.fma !== 'off' && supports('fma')
  const data = paths.map(async path => {
    const hash = hashes.get(path) ?? hashOf(path)
    hashes.set(path, hash)
    return [path, await hash] as const
  })
  return { cellgrad: version, fma, data: Object.fromEntries(await Promise.all(data)) }
}

/** The files and folders that a run learns from. */
async function dataOf(config: RunConfig): Promise<string[]> {
  if (!isGrowing(config)) return pathsOf(config)
  const { target } = config.data
  return existsSync(target) && !findAsset(await bundledEmoji(), target) ? [target] : []
}

/** How a worker's surroundings differ from those of the sweep, in a sentence; null where they do not. */
export function differenceOf(here: Surroundings, there: Surroundings): string | null {
  if (here.cellgrad !== there.cellgrad) return `worker: this is cellgrad ${here.cellgrad}, but the sweep is cellgrad ${there.cellgrad}`
  if (here.fma !== there.fma) {
    return `worker: this Node (${process.version}) ${here.fma ? 'fuses' : 'does not fuse'} multiplications and additions, unlike that of the sweep, which decides the last bits (fma: off in the base: nobody does)`
  }
  const path = Object.keys(there.data).find(name => here.data[name] !== there.data[name])
  if (path === undefined) return null
  return path in here.data ? `worker: ${path} is not here as the sweep has it` : `worker: there is no ${path} here, which the sweep has`
}
