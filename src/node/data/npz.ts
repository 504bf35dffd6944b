/**
 * NPZ, several arrays of NumPy in one file: a ZIP archive of .npy files, stored or deflated. MedMNIST uses this format.
 *
 * A ZIP file (PKWARE's APPNOTE 6.3) ends with a directory, which says where each entry begins:
 *
 *     …, entry: 'PK\3\4', 30 bytes and its name, the compressed bytes, …
 *     directory, for each entry: 'PK\1\2', 46 bytes and its name: method, sizes, offset of the entry
 *     the end: 'PK\5\6', 22 bytes: number of entries, offset of the directory
 */
import { promisify } from 'node:util'
import { crc32, inflateRaw } from 'node:zlib'
import { decodeNpy, type Npy } from '../../nca/data/npy.ts'
import { startOf } from '../../nca/data/bytes.ts'
import { byteLimit, type ByteLimit } from '../../nca/files/limits.ts'
import { inLine } from '../../backends/options.ts'
import { readFileUpTo } from '../read-file.ts'

/** An entry of the directory. */
type Entry = {
  readonly name: string
  readonly method: number
  readonly crc: number
  readonly packed: number
  readonly size: number
  readonly at: number
}

const entryHeader = 30, directoryHeader = 46, endHeader = 22
const mark = { entry: 0x04034b50, directory: 0x02014b50, end: 0x06054b50 }

/**
 * Reads the arrays of an .npz file by their names.
 *
 * @throws if the file cannot be read, is not an .npz file, is damaged, or all its arrays together are beyond the limit; the
 * sentence names it
 * @example
 * const { train_images, train_labels } = await readNpz('bloodmnist.npz')   // [11959,28,28,3] bytes, [11959,1]
 * examplesOf(Float32Array.from(train_images.data, v => v / 255), [28, 28, 3])
 */
export async function readNpz(path: string, options: ByteLimit = {}): Promise<Readonly<Record<string, Npy>>> {
  const maxBytes = byteLimit('readNpz', options)
  const bytes = await readFileUpTo('npz', path, maxBytes)
  const entries = directoryOf(bytes, path)
  const total = entries.reduce((sum, { size }) => sum + size, 0)
  if (total > maxBytes) throw new Error(`npz: ${path} holds ${total} bytes, expected at most ${maxBytes}; the option maxBytes raises the limit.`)
  const arrays: [string, Npy][] = []
  for (const entry of entries) {
    const where = `${path}, ${inLine(entry.name)}`
    arrays.push([entry.name.replace(/\.npy$/, ''), decodeNpy(await contents(bytes, entry, where), where, { maxBytes })])
  }
  return Object.fromEntries(arrays)
}

function directoryOf(bytes: Uint8Array, path: string): Entry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const fail = (): never => { throw new Error(`npz: ${path} is damaged: its directory is not where it should be.`) }
  if (bytes.length < endHeader || view.getUint32(0, true) !== mark.entry) {
    throw new Error(`npz: ${path} is not an .npz file (${startOf(bytes)}), expected 50 4b 03 04.`)
  }
  // A comment of up to 65,535 bytes may follow the end.
  let end = bytes.length - endHeader
  while (end >= 0 && end > bytes.length - endHeader - 65_536 && view.getUint32(end, true) !== mark.end) end--
  if (end < 0 || view.getUint32(end, true) !== mark.end) fail()
  const entries: Entry[] = []
  let at = view.getUint32(end + 16, true)
  for (let i = 0; i < view.getUint16(end + 10, true); i++) {
    if (at + directoryHeader > end || view.getUint32(at, true) !== mark.directory) fail()
    const nameLength = view.getUint16(at + 28, true)
    entries.push({
      name: new TextDecoder().decode(bytes.subarray(at + directoryHeader, at + directoryHeader + nameLength)),
      method: view.getUint16(at + 10, true), crc: view.getUint32(at + 16, true), packed: view.getUint32(at + 20, true), size: view.getUint32(at + 24, true),
      at: view.getUint32(at + 42, true),
    })
    at += directoryHeader + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true)
  }
  return entries
}

async function contents(bytes: Uint8Array, { method, crc, packed, size, at }: Entry, where: string): Promise<Uint8Array> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const damaged = (why: string): Error => new Error(`npz: ${where} is damaged (${why}).`)
  if (at + entryHeader > bytes.length || view.getUint32(at, true) !== mark.entry) throw damaged('it does not begin where it should')
  const start = at + entryHeader + view.getUint16(at + 26, true) + view.getUint16(at + 28, true)
  if (start + packed > bytes.length) throw damaged('it is truncated')
  const data = bytes.subarray(start, start + packed)
  if (method !== 0 && method !== 8) throw new Error(`npz: ${where} is compressed by method ${method}, expected 0, stored, or 8, deflated.`)
  // Allow one byte more than announced, to notice if there is more.
  const whole = method === 0 ? data : await promisify(inflateRaw)(data, { maxOutputLength: size + 1 }).catch((cause: Error) => { throw damaged(cause.message) })
  if (whole.length !== size) throw damaged(`it holds ${whole.length} bytes, and its directory says ${size}`)
  if (crc32(whole) !== crc) throw damaged('its checksum is another')
  return whole
}
