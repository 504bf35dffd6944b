/**
 * The parts of a brain: the INIA19 atlas of the rhesus monkey (Rohlfing et al. 2012, CC-BY; `npm run data -- brain`), a scan in
 * which anatomists have named every region. The name of a region says to which of five parts it belongs.
 *
 *   image    the scan of a slice, means of 3×3 voxels, roughly from 0 to 1
 *   class    the most frequent class of these voxels
 *
 * The part of a cell does not follow from its brightness: cortex, nuclei and cerebellum are all grey.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { readNifti } from '../../src/node/index.ts'

/** The parts, and patterns for the names of their regions; regions that match none of them are the rest. */
const words: Readonly<Record<string, RegExp | null>> = {
  'the rest': null,
  'cerebellum': /cerebell(ar_white|ar_tonsil)|semilunar|quadrangular|simple_lobule|gracile_lobule|biventer|lobule_[IVX]|flocculus$|declive|folium|tuber$|uvula|nodulus|lingula|alar_central|dentate_nucleus/,
  'white matter': /^._(cerebral|frontal|occipital|temporal)_white|corpus_callosum|internal_capsule|extreme_capsule|external_capsule/,
  'nuclei': /caudate_nucleus|putamen|globus_pallidus|accumbens|thalamus$|pulvinar|claustrum|medial_dorsal_nucleus|lateral_geniculate_nucleus/,
  'cortex': /(?<!dentate_)gyrus|cuneus|parietal_lobule|insula|entorhinal_area/,
}

export const parts: readonly string[] = Object.keys(words)

/** Scan and classes on the same grid, `[x,y,z]`. */
export type Brain = { readonly shape: readonly number[]; readonly scan: Float32Array; readonly classes: Uint8Array }

/** Images `[n,…]` one after the other, of `cells` cells each, and their classes, cell by cell. */
export type Labelled = { readonly images: Float32Array; readonly labels: Uint8Array; readonly n: number }

export async function readBrain(folder: string): Promise<Brain> {
  if (!existsSync(folder)) throw new Error(`segmentation: there is no ${folder}; this fetches it: npm run data -- brain`)
  const atlasFile = join(folder, 'inia19-NeuroMaps.nii.gz')
  const scan = await readNifti(join(folder, 'inia19-t1-brain.nii.gz'))
  const atlas = await readNifti(atlasFile)
  const partOf = new Map([...namesIn(atlasFile)].map(([region, name]) => [region, Math.max(0, parts.findIndex(part => words[part]?.test(name)))]))
  return {
    shape: scan.shape,
    scan: Float32Array.from(scan.data, v => v / 150),
    classes: Uint8Array.from(atlas.data, region => partOf.get(region) ?? 0),
  }
}

/** The names of the atlas's regions, in lines after the header of its file: a number, a tab, a name. */
function namesIn(file: string): Map<number, string> {
  const bytes = gunzipSync(readFileSync(file)), header = 348
  const lines = bytes.subarray(header, bytes.readFloatLE(108)).toString('latin1').matchAll(/(\d+)\t(\w+)/g)
  return new Map([...lines].map(([, region, name]) => [Number(region), name]))
}

/** Voxels per cell along each axis of a slice, and the cells of a slice. */
const step = 3
export const rows = 55, columns = 68

/**
 * The wanted slices, if they show brain in at least a twentieth of their cells. Each is resampled in `ways` ways: as it is, and
 * rotated by up to 12°, scaled by up to a tenth, and, in every other way, mirrored left to right.
 */
export function slicesOf(brain: Brain, wanted: (z: number) => boolean, ways: number = 1): Labelled {
  const depth = brain.shape[2]
  const found: Slice[] = []
  for (let z = 0; z < depth; z++) {
    for (let way = 0; wanted(z) && way < ways; way++) {
      const slice = sliceOf(brain, z, way)
      if (slice.image.filter(v => v > 0.1).length >= rows * columns / 20) found.push(slice)
    }
  }
  return {
    images: Float32Array.from(found.flatMap(({ image }) => [...image])), labels: Uint8Array.from(found.flatMap(({ label }) => [...label])),
    n: found.length,
  }
}

/** Slices `[n,rows,columns,c]` with left and right exchanged. */
export function mirrored(slices: Float32Array, c: number): Float32Array {
  const row = columns * c
  return slices.map((_, i) => {
    const line = Math.floor(i / row), inSlice = line % rows
    return slices[(line - inSlice + rows - 1 - inSlice) * row + (i % row)]
  })
}

type Slice = { readonly image: Float32Array; readonly label: Uint8Array }

/** A slice, resampled in one of the ways. */
function sliceOf({ shape: [width, height, depth], scan, classes }: Brain, z: number, way: number): Slice {
  const image = new Float32Array(rows * columns), label = new Uint8Array(rows * columns)
  // Quasirandom numbers from −1 to 1, evenly spread in the plane: multiples of inverse powers of the plastic number (Roberts 2018).
  const [turn, growth] = [0.7548776662, 0.5698402910].map(part => (way === 0 ? 0 : 2 * ((way * part) % 1) - 1))
  const angle = turn * Math.PI / 15, scale = 1 + growth / 10
  const [cos, sin] = [Math.cos(angle) * scale, Math.sin(angle) * scale]
  for (let i = 0; i < image.length; i++) {
    const votes = parts.map(() => 0)
    for (let v = 0; v < step; v++) {
      for (let u = 0; u < step; u++) {
        const across = (step * Math.floor(i / columns) + v - width / 2) * (way % 2 === 0 ? 1 : -1), along = step * (i % columns) + u - height / 2
        const x = Math.round(width / 2 + cos * across - sin * along), y = Math.round(height / 2 + sin * across + cos * along)
        const isInside = x >= 0 && x < width && y >= 0 && y < height
        const at = (x * height + y) * depth + z
        if (isInside) image[i] += scan[at] / step ** 2
        votes[isInside ? classes[at] : 0]++
      }
    }
    label[i] = votes.indexOf(Math.max(...votes))
  }
  return { image, label }
}
