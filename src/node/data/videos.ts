/**
 * Videos in shades of grey: an .npy or .npz file, or a folder with the frames of one, in the order of their names, or with a folder for
 * each.
 */
import { statSync } from 'node:fs'
import { check } from '../../backends/options.ts'
import { examplesOf, type Examples } from '../../nca/tasks/examples.ts'
import { readImageFolder } from './data.ts'
import { pictureValues } from './image-pairs.ts'
import { readContents, valuesOf } from './volumes.ts'

/**
 * Reads the videos of an experiment, `[frames,h,w]` each: those of pictures are all as long as the shortest.
 *
 * @throws one sentence that names the file, where it cannot be read or holds no videos
 */
export async function readVideos(path: string, size: number | null, limit: number | null): Promise<Examples> {
  const isFolder = statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false
  return isFolder ? ofPictures(path, size, limit) : ofArray(path, size, limit)
}

async function ofArray(path: string, size: number | null, limit: number | null): Promise<Examples> {
  check(size === null, 'data', 'size', size, 'null, for an array, which stays as it is')
  const { shape, data } = await readContents(path)
  const [n, ...each] = shape.length === 3 ? [1, ...shape] : shape
  if (each.length !== 3) throw new Error(`video: ${path} is [${shape.join(',')}], expected [videos,frames,height,width].`)
  const values = data.subarray(0, Math.min(n, limit ?? n) * each.reduce((a, b) => a * b, 1))
  return examplesOf(Float32Array.from(valuesOf({ shape, data: values }).data), each)
}

async function ofPictures(path: string, size: number | null, limit: number | null): Promise<Examples> {
  const { images, classes, labels } = await readImageFolder(path, size === null ? {} : { size })
  const videos = classes.length === 0 ? [images] : classes.map((_, video) => images.filter((_, i) => labels[i] === video))
  const frames = Math.min(...videos.map(({ length }) => length))
  const { width, height } = images[0]
  const some = videos.slice(0, limit ?? videos.length).map(video => (
    Float32Array.from(video.slice(0, frames).flatMap(image => Array.from(pictureValues(image, 1).data)))
  ))
  return { n: some.length, shape: [frames, height, width], of: i => some[i] }
}
