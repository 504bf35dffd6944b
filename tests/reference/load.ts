/**
 * Reads the reference vectors that python/reference.py computed with PyTorch (and python.test.ts the last,
 * with NumPy); see the README beside this
 * file for what each array means. A file is JSON: `{ description, torchVersion, arrays: { name: { dtype, shape,
 * base64 } } }`, the bytes little-endian and row-major.
 */
import { readFileSync } from 'node:fs'

export type ReferenceName = 'growing-nca' | 'operators' | 'optimisers' | 'model-file'

export type ReferenceArray =
  | { dtype: 'float64'; shape: number[]; data: Float64Array }
  | { dtype: 'uint32'; shape: number[]; data: Uint32Array }

type StoredFile = { arrays: Record<string, { dtype: 'float64' | 'uint32'; shape: number[]; base64: string }> }

/**
 * All arrays of one reference file, by name. Scalars have shape `[]` and one element.
 *
 * @example
 * const { 'step1.state': state } = loadReference('growing-nca') // state.shape is [2, 9, 8, 16]
 */
export function loadReference(name: ReferenceName): Record<string, ReferenceArray> {
  const file = JSON.parse(readFileSync(new URL(`${name}.json`, import.meta.url), 'utf8')) as StoredFile
  const decoded = Object.entries(file.arrays).map(([key, { dtype, shape, base64 }]): [string, ReferenceArray] => {
    // A small Buffer is a window into a shared pool and need not be aligned for doubles; the copy owns its bytes.
    const { buffer } = Uint8Array.from(Buffer.from(base64, 'base64'))
    return dtype === 'float64'
      ? [key, { dtype, shape, data: new Float64Array(buffer) }]
      : [key, { dtype, shape, data: new Uint32Array(buffer) }]
  })
  return Object.fromEntries(decoded)
}
