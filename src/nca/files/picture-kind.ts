/**
 * What a file is, judged by its first bytes: the kinds of pictures that are read, and other files that people try.
 */
import { startOf } from '../data/bytes.ts'

/** The kinds of pictures that are read. */
export type PictureKind = 'PNG' | 'JPEG' | 'WebP' | 'GIF' | 'BMP'

const latin = (bytes: Uint8Array, from: number, to: number): string => String.fromCharCode(...bytes.subarray(from, to))

/** The kind of a picture, or undefined. */
export function pictureKind(bytes: Uint8Array): PictureKind | undefined {
  const start = latin(bytes, 0, 12)
  if (start.startsWith('\x89PNG\r\n\x1a\n')) return 'PNG'
  if (start.startsWith('\xff\xd8\xff')) return 'JPEG'
  if (/^RIFF.{4}WEBP$/s.test(start)) return 'WebP'
  if (/^GIF8[79]a/.test(start)) return 'GIF'
  return start.startsWith('BM') ? 'BMP' : undefined
}

// The position of the bytes that identify a kind, these bytes as text, and what a message says of the kind.
const others: readonly (readonly [at: number, words: readonly string[], what: string])[] = [
  [4, ['ftypavif', 'ftypavis'], 'an AVIF picture; save it as a PNG or JPEG'],
  [4, ['ftyphei', 'ftyphev', 'ftypmif1', 'ftypmsf1'], 'a HEIC picture, as iPhones take them; save it as a JPEG or PNG'],
  [4, ['ftyp'], 'a film; save one of its pictures as a PNG'],
  [0, ['II*\0', 'MM\0*', 'II+\0', 'MM\0+'], 'a TIFF picture; save it as a PNG'],
  [0, ['%PDF'], 'a PDF document; save its picture as a PNG'],
  [0, ['8BPS'], 'a Photoshop picture; export it as a PNG'],
  [0, ['gimp xcf'], 'a GIMP picture; export it as a PNG'],
  [0, ['\0\0\x01\0'], 'an icon (ICO); save it as a PNG'],
  [0, ['\xff\x0a', '\0\0\0\x0cJXL '], 'a JPEG XL picture; save it as a PNG or JPEG'],
  [0, ['\0\0\0\x0cjP  '], 'a JPEG 2000 picture; save it as a PNG or JPEG'],
  [0, ['version https://git-lfs'], 'a Git LFS pointer, not the file itself; fetch it with git lfs pull'],
  [0, ['PK\x03\x04'], 'a ZIP archive; unpack it'],
  [0, ['\x1f\x8b'], 'compressed (gzip); unpack it'],
]

/** What a message says of a file that cannot be read: 'an SVG drawing; export it as a PNG', or its first bytes. */
export function otherKind(bytes: Uint8Array): string {
  const start = latin(bytes, 0, 1000)
  const [, , what] = others.find(([at, words]) => words.some(word => start.startsWith(word, at))) ?? []
  if (what !== undefined) return what
  if (/^[^<]{0,3}\s*<(\?xml|!--|!DOCTYPE svg|svg)/i.test(start) && /<svg[\s>]/i.test(start)) {
    return 'an SVG drawing; export it as a PNG'
  }
  if (/^\s*<(!DOCTYPE )?html/i.test(start)) return 'a web page, not the picture on it; save the picture itself'
  return `no picture that is read (${startOf(bytes)})`
}
