/**
 * Data sets in their published file layouts: CIFAR-10's batches, the folds of nnU-Net.
 */
import { join } from 'node:path'
import { checkLimit } from '../../nca/data/bytes.ts'
import { decodeCifar10, type Cifar } from '../../nca/data/cifar.ts'
import { decodeSplits } from '../../nca/data/nnunet.ts'
import type { Split } from '../../nca/tasks/folds.ts'
import { checkOptions, flag, keysOf, wholeFrom } from '../../backends/options.ts'
import { readFileUpTo } from '../read-file.ts'

export type Cifar10Options = {
  /** The most bytes of all returned pictures together, default 2³⁰; the training pictures take 614 million. */
  readonly maxBytes?: number
  /** True (default) for the 50,000 training pictures, false for the 10,000 test pictures. */
  readonly train?: boolean
}

const cifar10Options = keysOf<Cifar10Options>({ maxBytes: wholeFrom(1), train: flag })

/**
 * Reads CIFAR-10 in its binary version, from the folder with `data_batch_1.bin` … `data_batch_5.bin` and `test_batch.bin`.
 *
 * @throws if a file is missing or damaged (the sentence names it), or all pictures together are beyond the limit
 * @example const { images, labels, n } = await readCifar10('data/cifar-10-batches-bin')   // 50,000
 */
export async function readCifar10(folder: string, options: Cifar10Options = {}): Promise<Cifar> {
  checkOptions('readCifar10', options, cifar10Options)
  const { train = true, maxBytes = 2 ** 30 } = options
  const names = train ? [1, 2, 3, 4, 5].map(i => `data_batch_${i}.bin`) : ['test_batch.bin']
  const parts: Cifar[] = []
  let n = 0
  for (const name of names) {
    const path = join(folder, name)
    const bytes = await readFileUpTo('cifar', path, maxBytes)
    checkLimit(`cifar: ${folder}`, [n + Math.floor(bytes.length / 3073), 32, 32, 3], 'float32', 4, maxBytes)
    parts.push(decodeCifar10(bytes, path, { maxBytes }))
    n += parts.at(-1)!.n
  }
  const images = new Float32Array(n * 32 * 32 * 3), labels = new Uint8Array(n)
  let at = 0
  for (const part of parts) {
    images.set(part.images, at * 32 * 32 * 3)
    labels.set(part.labels, at)
    at += part.n
  }
  return { images, labels, n }
}

/**
 * Reads the folds of a `splits_final.json`, as indices into the names of the examples.
 *
 * @throws if the file cannot be read or does not fit the examples; the sentence names it
 * @example const folds = await readSplits('splits_final.json', names)   // [{ train: [0, 2], test: [1] }, …]
 */
export async function readSplits(path: string, names: readonly string[]): Promise<Split[]> {
  return decodeSplits(new TextDecoder().decode(await readFileUpTo('splits', path, 2 ** 26)), names, path)
}
