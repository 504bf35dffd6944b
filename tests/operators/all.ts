// All operators of the library.

import { readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Op } from '../../src/tensor/op.ts'

/** The files that may define operators. */
export const files: readonly string[] = ['tensor', 'autograd', 'nca']
  .map(layer => join(resolve('src'), layer))
  .flatMap(folder => (readdirSync(folder, { recursive: true }) as string[]).map(file => join(folder, file)))
  .filter(file => file.endsWith('.ts'))

const modules = await Promise.all(files.map(file => import(file) as Promise<Record<string, unknown>>))

/** Every operator that one of them exports. */
export const operators: ReadonlySet<Op<never>> =
  new Set(modules.flatMap(exported => Object.values(exported).filter(isOp)))

function isOp(x: unknown): x is Op<never> {
  return typeof x === 'object' && x !== null && 'infer' in x && 'cpu' in x && 'vjp' in x
}
