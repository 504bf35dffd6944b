/**
 * Reads whole files up to a limit, so that neither a very long file nor an endless one, such as /dev/zero, can fill the
 * memory.
 */
import { open, readdir, type FileHandle } from 'node:fs/promises'
import { dirname, parse } from 'node:path'
import { nearest } from '../backends/options.ts'

/**
 * Reads the bytes of a file; `what` begins the messages.
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

/** A function for `catch` that says why a path cannot be read and, if nothing has this name, suggests a similar one beside it. */
export function cannotRead(what: string, path: string): (cause: NodeJS.ErrnoException) => Promise<never> {
  return async cause => {
    const { name, ext } = parse(path)
    const beside = cause.code === 'ENOENT' ? await readdir(dirname(path)).catch(() => []) : []
    const near = nearest(name, beside.map(other => parse(other)).filter(other => other.ext === ext).map(other => other.name))
    const hint = near === undefined ? '' : `; did you mean "${near}${ext}"?`
    throw new Error(`${what}: cannot read ${path} (${cause.message})${hint}`, { cause })
  }
}

/** Reads a file without a known length (a pipe, a device): all of it, or just more than the limit if it is longer. */
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

/** The error for a file that exceeds its limit. */
export function tooLong(what: string, path: string, has: string, maxBytes: number): Error {
  return new Error(`${what}: ${path} ${has}, expected at most ${maxBytes}.`)
}
