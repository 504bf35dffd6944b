// The script of a page with a canvas of 72×72 pixels, to be bundled (Vite, esbuild) and served beside a model file. It grows a
// pattern on the canvas, one step in each frame of the screen.
import { decodeModel, foldIn, imageToPixels, key, seed, step, tensorToImage } from 'cellgrad'

const context = document.querySelector('canvas')!.getContext('2d')!
const file = await fetch('lizard-1f98e.safetensors')
const { rule, params } = decodeModel(new Uint8Array(await file.arrayBuffer()))

let x = seed(rule, { height: 72, width: 72 })
for (let t = 0; t < 200; t++) {
  x = step(rule, params, x, { key: foldIn(key(0), t), t })
  context.putImageData(new ImageData(imageToPixels(await tensorToImage(x)), 72), 0, 0)
  await new Promise(requestAnimationFrame)
}
