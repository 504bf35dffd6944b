/**
 * Files read whole, up to a limit: neither a file that is too long nor one that never ends, such as /dev/zero, fills
 * the memory.
 */
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { dirname, parse } from 'node:path'
import { nearest } from '../backends/options.ts'

/**
 * The bytes of a file; `what` begins the messages.
 *
 * @throws `png: cannot read lizard.png (ENOENT: no such file or directory…)`, the cause attached, or that it is longer
 * than `maxBytes`
 * @example const bytes = await readFileUpTo('model', 'lizard.safetensors', 2 ** 30)
 */
export async function readFileUpTo(what: string, path: string, maxBytes: number): Promise<Uint8Array> {
  const fail = cannotRead(what, path)
  const file = await open(path).catch(fail)
  try {
    const stat = await file.stat()
    if (stat.isFile() && stat.size > maxBytes) throw tooLong(what, path, `has ${stat.size} bytes`, maxBytes)
    const bytes = stat.isFile() && stat.size > 0
      ? await file.readFile().catch(fail)
      : await readPieces(file, maxBytes).catch(fail)
    if (bytes.length > maxBytes) throw tooLong(what, path, `has more than ${maxBytes} bytes`, maxBytes)
    return bytes
  } finally {
    await file.close()
  }
}

/** What is said of a path that cannot be read: why, and where there is nothing of this name, the nearest of its kind beside it. */
export function cannotRead(what: string, path: string): (cause: NodeJS.ErrnoException) => Promise<never> {
  return async cause => {
    const { name, ext } = parse(path)
    const beside = cause.code === 'ENOENT' ? await readdir(dirname(path)).catch(() => []) : []
    const near = nearest(name, beside.map(other => parse(other)).filter(other => other.ext === ext).map(other => other.name))
    const hint = near === undefined ? '' : `; did you mean "${near}${ext}"?`
    throw new Error(`${what}: cannot read ${path} (${cause.message})${hint}`, { cause })
  }
}

/** Of what has no length of its own (a pipe, a device): all of it, or what shows that it is longer than the limit. */
async function readPieces(file: FileHandle, maxBytes: number): Promise<Uint8Array> {
  const pieces: Uint8Array[] = []
  const buffer = new Uint8Array(2 ** 16)
  for (let length = 0; length <= maxBytes;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, null)
    if (bytesRead === 0) break
    pieces.push(buffer.slice(0, bytesRead))
    length += bytesRead
  }
  return Buffer.concat(pieces)
}

/** What is said of a file that passes its limit. */
export function tooLong(what: string, path: string, has: string, maxBytes: number): Error {
  return new Error(`${what}: ${path} ${has}, expected at most ${maxBytes}.`)
}
