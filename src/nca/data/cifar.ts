/**
 * CIFAR-10 in its binary version (Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009).
 *
 *     1 byte        the class, from 0 to 9          (these four for each picture, one picture after the other)
 *     1024 bytes    red, row by row
 *     1024 bytes    green
 *     1024 bytes    blue
 */
import { byteLimit, checkBytes, type ByteLimit } from '../files/limits.ts'
import { checkLimit } from './bytes.ts'

const side = 32, pixels = side * side, record = 1 + 3 * pixels

/** Colour pictures, each with its class. */
export type Cifar = {
  /** `[n,32,32,3]`, from 0 to 1 */
  readonly images: Float32Array
  /** `[n]`, from 0 to 9: airplane, automobile, bird, cat, deer, dog, frog, horse, ship, truck */
  readonly labels: Uint8Array
  readonly n: number
}

/**
 * Decodes the bytes of a batch file of CIFAR-10; `where` names it in messages. A picture is stored colour by colour in the file
 * and returned pixel by pixel, the layout of states.
 *
 * @throws one sentence, where the bytes are not a whole number of pictures, or a class is above 9
 * @example const { images, labels, n } = decodeCifar10(bytes, 'data_batch_1.bin')   // examplesOf(images, [32, 32, 3])
 */
export function decodeCifar10(bytes: Uint8Array, where: string = 'input', options: ByteLimit = {}): Cifar {
  checkBytes('decodeCifar10', bytes)
  const maxBytes = byteLimit('decodeCifar10', options)
  const n = bytes.length / record
  if (n === 0 || !Number.isInteger(n)) {
    throw new Error(`cifar: ${where} has ${bytes.length} bytes, expected ${record} for each picture.`)
  }
  checkLimit(`cifar: ${where}`, [n, side, side, 3], 'float32', 4, maxBytes)
  const images = new Float32Array(n * 3 * pixels), labels = new Uint8Array(n)
  for (let i = 0; i < n; i++) {
    const from = i * record
    labels[i] = bytes[from]
    if (labels[i] > 9) throw new Error(`cifar: ${where} has the class ${labels[i]} for picture ${i}, expected one from 0 to 9.`)
    for (let p = 0; p < pixels; p++) {
      for (let c = 0; c < 3; c++) images[(i * pixels + p) * 3 + c] = bytes[from + 1 + c * pixels + p] / 255
    }
  }
  return { images, labels, n }
}
