// Reads a case written by lib/cases.ts: case.json with the sizes, and raw float32 files.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The sizes of a case and a function that reads one of its arrays. */
export function readCase(folder) {
  const sizes = JSON.parse(readFileSync(join(folder, 'case.json'), 'utf8'))
  const array = name => {
    const bytes = readFileSync(join(folder, `${name}.bin`))
    return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength))
  }
  return { ...sizes, array }
}
