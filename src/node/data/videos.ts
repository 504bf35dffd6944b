/**
 * Videos in shades of grey: an .npy or .npz file, a folder with the frames of one video in the order of their names, or a folder
 * with such a folder for each video.
 */
import { check } from '../../backends/options.ts'
import { examplesOf, type Examples } from '../../nca/tasks/examples.ts'
import { readImageFolder } from './data.ts'
import { pictureValues } from './image-pairs.ts'
import { existing, isFolder } from './named.ts'
import { readContents, valuesOf } from './volumes.ts'

/**
 * Reads the videos of an experiment, each `[frames,h,w]`. Videos of pictures are cut to the length of the shortest.
 *
 * @throws if the file cannot be read or contains no videos; the sentence names it
 */
export async function readVideos(path: string, size: number | null, limit: number | null): Promise<Examples> {
  return isFolder(existing(path)) ? ofPictures(path, size, limit) : ofArray(path, size, limit)
}

async function ofArray(path: string, size: number | null, limit: number | null): Promise<Examples> {
  check(size === null, 'data', 'size', size, 'null, for an array, which stays as it is')
  const { shape, data } = await readContents(path)
  const [n, ...each] = shape.length === 3 ? [1, ...shape] : shape
  if (each.length !== 3) throw new Error(`video: ${path} is [${shape.join(',')}], expected [videos,frames,height,width].`)
  const values = data.subarray(0, Math.min(n, limit ?? n) * each.reduce((a, b) => a * b, 1))
  return examplesOf(new Float32Array(valuesOf({ shape, data: values }).data), each)
}

// Frame 10 comes after frame 9, with or without leading zeros.
const byNumber = new Intl.Collator('en', { numeric: true })

async function ofPictures(path: string, size: number | null, limit: number | null): Promise<Examples> {
  const { images, names, classes, labels } = await readImageFolder(path, size === null ? {} : { size })
  const order = names.map((_, i) => i).sort((a, b) => byNumber.compare(names[a], names[b]))
  const videos = classes.length === 0 ? [order] : classes.map((_, video) => order.filter(i => labels[i] === video))
  const frames = Math.min(...videos.map(({ length }) => length))
  const { width, height } = images[0]
  const some = videos.slice(0, limit ?? videos.length).map(video => {
    const numbers = new Float32Array(frames * height * width)
    video.slice(0, frames).forEach((id, i) => numbers.set(pictureValues(images[id], 1).data, i * height * width))
    return numbers
  })
  return { n: some.length, shape: [frames, height, width], of: i => some[i] }
}
