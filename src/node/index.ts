/**
 * cellgrad/node: files. Pictures, animations, models, checkpoints, data sets, and what is bundled with the package.
 */
export { writeFileAtomic } from './atomic-file.ts'
export { play, saveGif, visibleCircle, writeFilmStrip } from './animation.ts'
export type { Moment, PlayOptions } from './animation.ts'
export { emoji } from './assets.ts'
export { lossCurveSvg } from './chart.ts'
export type { LossCurve } from './chart.ts'
export { readIdx, readImageFolder, readMnist, readNifti, readNpy, readPairs } from './data.ts'
export type { ImageFolder, Mnist, Pairs } from './data.ts'
export { encodeGif, writeGif } from './gif.ts'
export type { GifOptions } from './gif.ts'
export { readCheckpoint, readModel, saveCheckpoint, saveModel } from './model.ts'
export { decodeImage, readImage } from './picture.ts'
export { decodePng, encodePng, readPng, writePng } from './png.ts'
export { colourDepth, halfBlocks } from './terminal.ts'
export type { ColourDepth, HalfBlockOptions } from './terminal.ts'
