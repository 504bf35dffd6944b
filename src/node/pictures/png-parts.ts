/**
 * The structure of a PNG file, checked before its pixels are decoded (W3C, "Portable Network Graphics Specification").
 *
 *     8 bytes   the signature
 *     chunks    u32 length, 4 letters, the data, CRC-32 of letters and data
 *       IHDR    width and height u32, depth, colour type, 0, 0, interlacing      first
 *       PLTE    the palette, 3 bytes a colour                                    colour type 3
 *       tRNS    alpha of the palette, or the colour that is transparent
 *       gAMA    u32: encoded value = light^(gamma / 100,000), unless there is sRGB, iCCP or cICP
 *       eXIf    see orientation.ts
 *       IDAT    together one zlib stream: the rows, each a byte that names its filter, then its pixels
 *       IEND    what comes after it is ignored
 *
 * pngjs, which decodes the pixels, trusts its input: it allocates what the header says, and returns uninitialised memory
 * where rows are missing. So the rows are inflated and counted here first, and pngjs gets only the chunks
 * that it needs, and only complete ones.
 */
import { crc32, inflateSync } from 'node:zlib'
import { checkPixels } from '../../nca/files/limits.ts'

/** A PNG file whose structure has been checked. */
export type PngParts = {
  readonly width: number
  readonly height: number
  readonly depth: number
  readonly colourType: number
  /** The number in gAMA; undefined if it is not to be applied. */
  readonly gamma: number | undefined
  readonly exif: Uint8Array | undefined
  /** The file with only the chunks that its pixels need. */
  readonly essential: Buffer
}

type Chunk = { readonly name: string; readonly data: Uint8Array; readonly whole: Uint8Array }

export const pngSignature: Uint8Array = Uint8Array.of(0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a)

// The samples of a pixel and the allowed depths, by colour type: grey, RGB, palette, grey with alpha, RGBA.
const colourTypes = new Map<number, readonly [samples: number, depths: readonly number[]]>([
  [0, [1, [1, 2, 4, 8, 16]]], [2, [3, [8, 16]]], [3, [1, [1, 2, 4, 8]]], [4, [2, [8, 16]]], [6, [4, [8, 16]]],
])

/**
 * Takes a PNG file apart; `where` begins the messages.
 *
 * @throws if it is damaged or truncated, has no pixels, or has more than `maxPixels`
 */
export function pngParts(bytes: Uint8Array, where: string, maxPixels: number): PngParts {
  const fail = (what: string): never => { throw new Error(`${where} ${what}.`) }
  const chunks = [...readChunks(bytes, fail)]
  const [{ name, data }] = chunks
  if (name !== 'IHDR' || data.length !== 13) fail('is damaged: it does not begin with a header of 13 bytes')
  const header = new DataView(data.buffer, data.byteOffset)
  const [width, height] = [header.getUint32(0), header.getUint32(4)]
  const [depth, colourType, compression, filter, interlace] = data.subarray(8)
  checkPixels(where, width, height, maxPixels)
  const [samples, depths] = colourTypes.get(colourType) ?? fail(`has the colour type ${colourType}, which there is not`)
  if (!depths.includes(depth)) fail(`has ${depth} bits for the colour type ${colourType}, expected ${depths.join(', ')}`)
  if (compression !== 0 || filter !== 0 || interlace > 1) {
    fail(`has the methods ${compression}, ${filter} and ${interlace}, expected 0, 0, and 0 or 1`)
  }
  const bits = samples * depth
  if (width * bits > 2 ** 31 - 8) fail(`is too wide: ${width} pixels of ${bits} bits`)

  const one = (wanted: string): Chunk | undefined => {
    const found = chunks.filter(chunk => chunk.name === wanted)
    if (found.length > 1) fail(`is damaged: it has ${found.length} chunks ${wanted}, expected one`)
    return found[0]
  }
  const unknown = chunks.find(chunk => /^[A-Z]/.test(chunk.name) && !critical.includes(chunk.name))
  if (unknown) fail(`needs the chunk ${unknown.name} to be understood, which is not of the standard`)
  const palette = colourType === 3 ? one('PLTE') ?? fail('is damaged: it has no palette') : undefined
  const colours = (palette?.data.length ?? 0) / 3
  if (palette && !(Number.isInteger(colours) && colours >= 1 && colours <= 256)) {
    fail(`is damaged: its palette has ${palette.data.length} bytes, expected 3 for each of 1 to 256 colours`)
  }
  const alpha = colourType <= 3 ? one('tRNS') : undefined
  const most = colourType === 3 ? colours : 2 * samples
  if (alpha && (colourType === 3 ? alpha.data.length > most : alpha.data.length !== most)) {
    fail(`is damaged: its transparency has ${alpha.data.length} bytes, expected ${most}`)
  }

  const pixels = chunks.filter(chunk => chunk.name === 'IDAT')
  checkMask(Buffer.concat(pixels.map(chunk => chunk.data)), passes(width, height, interlace === 1), bits, fail)
  one('IHDR')
  const essential = [chunks[0], palette, alpha, ...pixels, chunks.at(-1)].flatMap(chunk => (chunk ? [chunk.whole] : []))
  const gamma = ['sRGB', 'iCCP', 'cICP'].some(name => chunks.some(chunk => chunk.name === name)) ? undefined : one('gAMA')?.data
  return {
    width, height, depth, colourType,
    gamma: gamma?.length === 4 ? Buffer.from(gamma).readUInt32BE() : undefined,
    exif: one('eXIf')?.data,
    essential: Buffer.concat([pngSignature, ...essential]),
  }
}

const critical = ['IHDR', 'PLTE', 'IDAT', 'IEND']

/** The chunks up to IEND, with checked checksums. */
function* readChunks(bytes: Uint8Array, fail: (what: string) => never): Generator<Chunk> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let at = pngSignature.length; ;) {
    if (at + 12 > bytes.length) fail(`is truncated: it ends after ${bytes.length} bytes, without the chunk IEND`)
    const length = view.getUint32(at)
    const name = String.fromCharCode(...bytes.subarray(at + 4, at + 8))
    if (!/^[A-Za-z]{4}$/.test(name)) fail(`is damaged: there is no chunk at byte ${at}`)
    const end = at + 12 + length
    if (end > bytes.length) fail(`is truncated: the chunk ${name} ends at byte ${end}, the file at ${bytes.length}`)
    if (crc32(bytes.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      fail(`is damaged: the checksum of the chunk ${name} at byte ${at} is wrong`)
    }
    yield { name, data: bytes.subarray(at + 8, end - 4), whole: bytes.subarray(at, end) }
    if (name === 'IEND') return
    at = end
  }
}

type Pass = { readonly width: number; readonly height: number }

/** The passes in which an interlaced picture is stored (Adam7): pixels (x₀ + i·dx, y₀ + j·dy); empty passes are left out. */
function passes(width: number, height: number, interlaced: boolean): Pass[] {
  const starts = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]]
  return (interlaced ? starts : [[0, 0, 1, 1]])
    .map(([x, y, dx, dy]) => ({ width: Math.ceil((width - x) / dx), height: Math.ceil((height - y) / dy) }))
    .filter(pass => pass.width > 0 && pass.height > 0)
}

// The most bytes to which a byte of deflate can expand (zlib's technical details).
const mostInflation = 1032

/** Throws unless the stream has exactly these rows, no byte more or less, each with a valid filter. */
function checkMask(stream: Uint8Array, images: readonly Pass[], bits: number, fail: (what: string) => never): void {
  const row = ({ width }: Pass): number => 1 + Math.ceil((width * bits) / 8)
  const needed = images.reduce((sum, image) => sum + image.height * row(image), 0)
  if (stream.length * mostInflation < needed) {
    fail(`is truncated: its rows take ${needed} bytes, but ${stream.length} compressed ones cannot hold as many`)
  }
  const rows = inflate(stream, needed, fail)
  if (rows.length < needed) fail(`is truncated: its rows take ${needed} bytes, got ${rows.length}`)
  let at = 0
  for (const image of images) {
    for (let y = 0; y < image.height; y++, at += row(image)) {
      if (rows[at] > 4) fail(`is damaged: a row has the filter ${rows[at]}, expected 0 to 4`)
    }
  }
}

function inflate(stream: Uint8Array, needed: number, fail: (what: string) => never): Uint8Array {
  try {
    return inflateSync(stream, { maxOutputLength: needed })
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === 'ERR_BUFFER_TOO_LARGE') return fail(`is damaged: it has more rows than its header says`)
    return fail(`is damaged: its rows cannot be decompressed (${message})`)
  }
}
