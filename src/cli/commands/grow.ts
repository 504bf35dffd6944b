/**
 * `cellgrad grow`: runs a trained rule, and shows it in the terminal or writes it to a file.
 */
import { extname } from 'node:path'
import type { ArgsDef } from 'citty'
import type { Image } from '../../nca/files/image.ts'
import { inStages } from '../../nca/cascade.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { shrinking } from '../../nca/latent/autoencoder.ts'
import { key } from '../../tensor/key.ts'
import { play, saveGif, writeFilmStrip, type PlayOptions } from '../../node/animation.ts'
import { readModel } from '../../node/model.ts'
import { backendMeanings, backendNames } from '../../experiment/config/computers.ts'
import { computing } from '../input/computer.ts'
import { signals } from '../terminal/interrupt.ts'
import { checkOut, modelPath } from '../run/models.ts'
import { beginningOf, viewOfModel } from '../run/played.ts'
import { say } from '../terminal/output.ts'
import { block, isLive, pictureLines } from '../terminal/screen.ts'
import { argument, command, flag, type Command, type Given } from '../input/command.ts'

const args: ArgsDef = {
  model: argument('A trained model: a file, the folder of a run, or the emoji or name of a bundled one, which a wrong name lists (default: 🦎)'),
  steps: flag('n', 'Steps to grow (default: 200)'),
  size: flag('n', 'Rows and columns of the grid (default: those of the training)'),
  example: flag('n|name', 'Which example of the file, or which condition, it begins with (default: 0)'),
  seed: flag('n', 'Seed of the randomness, which decides when cells update (default: 0)'),
  backend: flag('name', `What computes: ${backendMeanings} (default: cpu)`),
  angle: flag('degrees', 'Rotates what cells sense, and with it the pattern (default: 0)'),
  damage: flag('step', 'Erases a circle after so many steps; without a number, at half time (default: no damage)'),
  out: flag('file', 'Writes the pictures: .gif, or .png for the last one (default: none)'),
  strip: flag('n', 'Makes the .png a film strip of n pictures (default: 1)'),
  columns: flag('n', 'Pictures in a row of the film strip (default: all)'),
  every: flag('n', 'Steps from one picture of a .gif to the next (default: 2)'),
  scale: flag('n', 'Pixels per cell, or per pixel of a decoded picture, along each side in a file (default: 4)'),
}

const halfTime = 'half'

// The limits of pictures and steps: more would take too much memory or time.
const most = { steps: 1_000_000, scale: 1024, pixels: 25_000_000, gifPixels: 250_000_000 }

export const grow: Command = command('grow', 'Grow a pattern from one cell with a trained model', args, async given => {
  const { number, text: { damage, out, model: what = '🦎' } } = given
  const steps = number('steps', 200, { least: 1, most: most.steps })
  const damageAt = damage === undefined ? undefined
    : damage === halfTime ? Math.max(1, Math.floor(steps / 2))
    : number('damage', 0, { least: 1, most: most.steps })
  const strip = number('strip', 1, { least: 1, most: steps })
  const pictures = {
    strip,
    columns: Math.min(number('columns', strip, { least: 1, most: most.steps }), strip),
    every: number('every', 2, { least: 1, most: most.steps }),
    scale: number('scale', 4, { least: 1, most: most.scale }),
  }
  const options = {
    steps, damageAt,
    key: key(number('seed', 0, { least: 0, most: Number.MAX_SAFE_INTEGER })),
    angle: number('angle', 0, { least: -1e6, most: 1e6, whole: false }) * Math.PI / 180,
  }
  checkOut(given, 'out', ['.gif', '.png'])
  const path = await modelPath('grow', what)
  await computing({ backend: given.oneOf('backend', backendNames, 'cpu') }, async ({ backend, name }) => {
    // Pictures have 8 bits a channel: what was trained in float64 is played in float32, fast and on any backend.
    const model = await readModel(path, { backend, dtype: 'float32' })
    const { sizes, state } = beginningOf(given, model, path)
    if (out !== undefined) checkPixels(given, out, pixelsOf(model, sizes), options.steps, pictures)
    const played = { ...options, start: state(), view: viewOfModel(model), size: sizes.at(-1)! }
    if (given.text.backend !== undefined) say(`Computing on: ${name}`)
    await show(model, played)
    if (out === undefined) return
    await write(out, model, played, pictures)
    say(out)
  })
}, { damage: halfTime })

/** Pixels of a picture: one for each cell in view, or those of the decoded image. */
function pixelsOf({ codec }: Model, sizes: readonly number[]): number {
  return sizes.slice(-2).reduce((a, b) => a * b) * (codec ? shrinking(codec.autoencoder) ** 2 : 1)
}

/** Refuses pictures that would be too large for the memory. */
function checkPixels({ refuse }: Given, out: string, each: number, steps: number, { strip, columns, every, scale }: Pictures): void {
  const isGif = extname(out) === '.gif'
  const count = isGif ? Math.ceil(steps / every) + 1 : columns * Math.ceil(strip / columns)
  const bound = isGif ? most.gifPixels : most.pixels
  const pixels = count * each * scale ** 2
  if (pixels <= bound) return
  refuse(`${out} would have ${pixels} pixels, at most ${bound} are possible; choose a smaller --scale${isGif ? ', a smaller --size or a larger --every' : ', --size or --strip'}`)
}

/** Plays in the terminal; another output gets a line now and then. Ends early if the output can no longer be written. */
async function show({ rule, params, codec, cascade }: Model, options: PlayOptions): Promise<void> {
  const visibles = codec ? 'pixels' : rule.channels.rgba === 4 ? 'cells' : null // other views are opaque everywhere
  const output = process.stdout, runs = inStages(rule, cascade)
  let lost = false
  output.once('error', () => { lost = true })
  if (!isLive(output)) {
    for await (const { step, image } of play(runs, params, { ...options, every: Math.ceil(options.steps / 10) })) {
      if (lost) return
      say(`step ${step}/${options.steps}${visibles ? `  ${visible(image)} ${visibles}` : ''}`)
    }
    return
  }
  const screen = block(output)
  // Exit on a signal, so that the block's exit handler shows the cursor again; the signal alone would not run it.
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(signals[name]))
  const millisecondsPerStep = 40
  let due = performance.now()
  for await (const { step, image } of play(runs, params, options)) {
    if (lost) return
    const damaged = step >= (options.damageAt ?? Infinity) ? `  damaged after ${options.damageAt}` : ''
    screen.draw([...pictureLines(image, output), `step ${step}/${options.steps}${damaged}`])
    due = Math.max(due + millisecondsPerStep, performance.now())
    await new Promise(resolve => setTimeout(resolve, due - performance.now()))
  }
  screen.end()
}

/** The number of visible cells or pixels. */
function visible({ data }: Image): number {
  let count = 0
  for (let i = 3; i < data.length; i += 4) count += +(data[i] > 0.1)
  return count
}

type Pictures = { strip: number; columns: number; every: number; scale: number }

async function write(out: string, { rule, params, cascade }: Model, options: PlayOptions, pictures: Pictures): Promise<void> {
  const runs = inStages(rule, cascade)
  const { strip, columns, every, scale } = pictures
  if (extname(out) === '.gif') return saveGif(out, runs, params, { ...options, every, scale })
  const { steps, ...moment } = options
  const at = Array.from({ length: strip }, (_, i) => Math.round(((i + 1) * steps) / strip))
  await writeFilmStrip(out, runs, params, { ...moment, at, columns, scale })
}
