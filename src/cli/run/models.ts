/**
 * The models that commands accept: bundled ones, files, and those of runs.
 */
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { check, didYouMean, isWhole } from '../../backends/options.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { bundledModels, findAsset, listAssets } from '../../node/assets.ts'
import { files } from './run-folder.ts'
import type { Given } from '../input/command.ts'
import { toNumber } from '../input/usage.ts'
import { say } from '../terminal/output.ts'

/** The most rows and columns of a grid. */
export const mostCells = 4096

/** The size of the square grid on which a model was trained; 72 if its file does not say. */
export function gridOf({ provenance: { grid = '72' } }: Model, path: string): number {
  const size = toNumber(grid)
  check(isWhole(size, 1) && size <= mostCells, path, 'its metadata field "grid"', grid, `a whole number from 1 to ${mostCells}`)
  return size as number
}

/** The path of a model: of a bundled one by emoji, name or, if only one begins so, the first words of its name; of a run's by its folder or checkpoint, or the path itself. */
export async function modelPath(command: string, what: string): Promise<string> {
  const models = await bundledModels()
  const found = findAsset(models, what)
  if (found) return found.path
  const folder = isFolder(what) ? what : basename(what) === files.checkpoint ? dirname(what) : null
  if (folder !== null) {
    const path = join(folder, files.model)
    if (existsSync(path)) return path
    throw new Error(`${command}: ${folder} holds no ${files.model}; train saves one at every checkpoint and when it ends`)
  }
  if (extname(what) === '.safetensors') return what
  const longer = models.filter(({ name }) => name.startsWith(`${what}-`)) // a claim has several
  if (longer.length === 1) {
    say(longer[0].name)
    return longer[0].path
  }
  const hint = longer.length > 0
    ? `; did you mean ${longer.map(({ name }) => JSON.stringify(name)).join(' or ')}?`
    : didYouMean(what, models.map(({ name }) => name))
  throw new Error(`${command}: no bundled model is called ${JSON.stringify(what)}${hint} (there are ${listAssets(models) || 'none'}; a file ends in .safetensors)`)
}

/** Refuses a flag whose file cannot be written, before the time to compute the file is spent. */
export function checkOut(given: Given, flag: string, endings: readonly string[]): void {
  const out = given.text[flag]
  if (out === undefined) return
  const refuse = (expected: string): never => given.refuse(`--${flag} is ${JSON.stringify(out)}, expected ${expected}`)
  if (!endings.includes(extname(out))) refuse(`a file that ends in ${endings.join(' or ')}`)
  if (!isFolder(dirname(out))) refuse(`a file in a folder that exists; there is no folder ${dirname(out)}`)
  if (isFolder(out)) refuse('a file; this is a folder')
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
}
