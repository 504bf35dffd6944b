/**
 * White and grey matter: the INIA19 atlas of the rhesus brain (Rohlfing et al. 2012, CC-BY; `npm run data -- brain`), a scan in
 * which anatomists have named every region. Of each region only this is asked: it is white matter where it is bright on the
 * whole, its mean above 100, and grey matter elsewhere.
 *
 *   image    the scan of a slice, means of 3×3 voxels, about 0 to 1
 *   class    0 outside, 1 grey matter, 2 white matter: that of the region in the middle of these voxels
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readNifti } from '../../src/node/index.ts'

export const tissues = ['outside', 'grey matter', 'white matter'] as const

/** Scan and classes on one grid, `[x,y,z]`. */
export type Brain = { readonly shape: readonly number[]; readonly scan: Float32Array; readonly classes: Uint8Array }

/** Images `[n,…]` one after the other, of `cells` cells each, and their classes, cell by cell. */
export type Labelled = { readonly images: Float32Array; readonly labels: Uint8Array; readonly n: number }

export async function readBrain(folder: string): Promise<Brain> {
  if (!existsSync(folder)) throw new Error(`segmentation: there is no ${folder}; this fetches it: npm run data -- brain`)
  const scan = await readNifti(join(folder, 'inia19-t1-brain.nii.gz'))
  const atlas = await readNifti(join(folder, 'inia19-NeuroMaps.nii.gz'))
  const sums = new Map<number, { total: number; count: number }>()
  atlas.data.forEach((region, i) => {
    const sum = sums.get(region) ?? { total: 0, count: 0 }
    sums.set(region, { total: sum.total + scan.data[i], count: sum.count + 1 })
  })
  const classOf = new Map([...sums].map(([region, { total, count }]) => [region, region === 0 ? 0 : 1 + +(total / count > 100)]))
  return {
    shape: scan.shape,
    scan: Float32Array.from(scan.data, v => v / 150),
    classes: Uint8Array.from(atlas.data, region => classOf.get(region)!),
  }
}

/** Voxels of a cell along each axis of a slice, and cells of one. */
const step = 3
export const rows = 55, columns = 68

/**
 * The slices at these places, of every one in which there is brain in a twentieth of the cells. `ways` are in how many ways each is
 * cut into cells: from other voxels on, and mirrored, left for right; 1, or up to 6.
 */
export function slicesOf({ shape, scan, classes }: Brain, wanted: (z: number) => boolean, ways: number = 1): Labelled {
  const [, height, depth] = shape, cells = rows * columns
  const found: { image: Float32Array; label: Uint8Array }[] = []
  for (let z = 0; z < depth; z++) {
    for (let way = 0; wanted(z) && way < ways; way++) {
      const from = [0, 1, 2][way >> 1], mirrored = way % 2 === 1
      const at = (x: number, y: number): number => (x * height + y) * depth + z
      const image = new Float32Array(cells), label = new Uint8Array(cells)
      for (let i = 0; i < cells; i++) {
        const row = Math.floor(i / columns), x = from + step * (mirrored ? rows - 1 - row : row), y = from + step * (i % columns)
        for (let v = 0; v < step; v++) for (let u = 0; u < step; u++) image[i] += scan[at(x + v, y + u)] / step ** 2
        label[i] = classes[at(x + 1, y + 1)]
      }
      if (label.filter(c => c > 0).length >= cells / 20) found.push({ image, label })
    }
  }
  return {
    images: Float32Array.from(found.flatMap(({ image }) => [...image])), labels: Uint8Array.from(found.flatMap(({ label }) => [...label])),
    n: found.length,
  }
}
