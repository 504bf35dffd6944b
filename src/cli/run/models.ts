/**
 * The models that commands take: bundled ones, files, and what runs have learned.
 */
import { existsSync, statSync } from 'node:fs'
import { basename, dirname, extname, join } from 'node:path'
import { check, didYouMean, isWhole } from '../../backends/options.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { bundledModels, findAsset, listAssets } from '../../node/assets.ts'
import { files } from './run-folder.ts'
import type { Given } from '../input/command.ts'
import { toNumber } from '../input/usage.ts'

/** Rows and columns of a grid, at most. */
export const mostCells = 4096

/** Rows and columns of the grid that a model was trained on, 72 where its file does not say. */
export function gridOf({ provenance: { grid = '72' } }: Model, path: string): number {
  const size = toNumber(grid)
  check(isWhole(size, 1) && size <= mostCells, path, 'its metadata field "grid"', grid, `a whole number from 1 to ${mostCells}`)
  return size as number
}

/** The file of a bundled model, by emoji or name; the model of a run, by its folder or its checkpoint; or the path. */
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
  const [all, hint] = [listAssets(models) || 'none', didYouMean(what, models.map(({ name }) => name))]
  throw new Error(`${command}: no bundled model is called ${JSON.stringify(what)}${hint} (there are ${all}; a file ends in .safetensors)`)
}

/** Throws where a flag names a file that cannot be written: what it is made of takes time, and is not to be in vain. */
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
