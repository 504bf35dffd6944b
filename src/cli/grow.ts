/**
 * `cellgrad grow`: a trained rule at work, in the terminal or as a file.
 */
import { extname } from 'node:path'
import type { ArgsDef, CommandDef } from 'citty'
import type { Image } from '../nca/image.ts'
import { key } from '../tensor/key.ts'
import { play, saveGif, writeFilmStrip } from '../node/animation.ts'
import type { PlayOptions } from '../node/animation.ts'
import { bundledModels, findAsset, listAssets } from '../node/assets.ts'
import { readModel } from '../node/model.ts'
import { block, isLive, pictureLines } from './screen.ts'
import { numberFlag, UsageError } from './usage.ts'
import type { Command, Given } from './usage.ts'

const args = {
  model: { type: 'positional', required: false, description: 'A trained model: an emoji or its name, if bundled, or a file (default: 🦎)' },
  steps: { type: 'string', valueHint: 'n', description: 'Steps to grow (default: 200)' },
  size: { type: 'string', valueHint: 'n', description: 'Rows and columns of the grid (default: those of the training)' },
  seed: { type: 'string', valueHint: 'n', description: 'Seed of which cells update when (default: 0)' },
  angle: { type: 'string', valueHint: 'degrees', description: 'Rotates what cells sense, and with it the pattern (default: 0)' },
  damage: { type: 'string', valueHint: 'step', description: 'Erases a circle after so many steps; without a number, at half time (default: no damage)' },
  out: { type: 'string', valueHint: 'file', description: 'Writes what is seen: .gif, or .png for the last picture (default: none)' },
  strip: { type: 'string', valueHint: 'n', description: 'Makes the .png a film strip of n pictures (default: 1)' },
  columns: { type: 'string', valueHint: 'n', description: 'Pictures in a row of the film strip (default: all)' },
  every: { type: 'string', valueHint: 'n', description: 'Steps from one picture of a .gif to the next (default: 2)' },
  scale: { type: 'string', valueHint: 'n', description: 'Pixels per cell along each side in a file (default: 4)' },
} satisfies ArgsDef

const halfTime = 'half'

const definition: CommandDef = {
  meta: { name: 'grow', description: 'Grow a pattern from one cell with a trained model' },
  args,
  async run({ args: parsed }) {
    const given = parsed as unknown as Given
    const number = (flag: string, otherwise: number, range: { least?: number; whole?: boolean }): number =>
      numberFlag('cellgrad grow', given, flag, otherwise, range)
    const steps = number('steps', 200, { least: 1 })
    const damageAt = given.damage === undefined ? undefined
      : given.damage === halfTime ? Math.max(1, Math.floor(steps / 2)) : number('damage', 0, { least: 1 })
    const pictures = {
      strip: number('strip', 1, { least: 1 }),
      columns: number('columns', Infinity, { least: 1 }),
      every: number('every', 2, { least: 1 }),
      scale: number('scale', 4, { least: 1 }),
    }
    const options = {
      steps, damageAt, size: number('size', 0, { least: 1 }), key: key(number('seed', 0, { least: 0 })),
      angle: number('angle', 0, { whole: false }) * Math.PI / 180,
    }
    checkOut(given.out)
    const path = await modelPath(given.model ?? '🦎')
    const model = await readModel(path)
    const sized = { ...options, size: options.size || Number(model.provenance.grid ?? 72) }
    await show(model, sized)
    if (given.out !== undefined) {
      await write(given.out, model, sized, pictures)
      console.log(given.out)
    }
  },
}

export const grow: Command = { definition, implied: { damage: halfTime } }

type Model = Awaited<ReturnType<typeof readModel>>

function checkOut(out: string | undefined): void {
  if (out !== undefined && !['.gif', '.png'].includes(extname(out))) {
    throw new UsageError(`cellgrad grow: --out is ${JSON.stringify(out)}, expected a file that ends in .gif or .png`)
  }
}

/** The file of a bundled model, by emoji or name, or the path itself. */
async function modelPath(what: string): Promise<string> {
  const models = await bundledModels()
  const found = findAsset(models, what)
  if (!found && extname(what) !== '.safetensors') {
    throw new Error(`grow: there is no bundled model ${JSON.stringify(what)}; there are ${listAssets(models) || 'none'}. A file ends in .safetensors`)
  }
  return found?.path ?? what
}

/** Plays in the terminal; elsewhere a line now and then. */
async function show({ rule, params }: Model, options: PlayOptions): Promise<void> {
  const output = process.stdout
  if (!isLive(output)) {
    for await (const { step, image } of play(rule, params, { ...options, every: Math.ceil(options.steps / 10) })) {
      output.write(`step ${step}/${options.steps}  ${visibleCells(image)} cells\n`)
    }
    return
  }
  const screen = block(output)
  for (const [name, status] of [['SIGINT', 130], ['SIGTERM', 143]] as const) process.once(name, () => process.exit(status)) // shows the cursor
  const millisecondsPerStep = 40
  let due = performance.now()
  for await (const { step, image } of play(rule, params, options)) {
    const remark = options.damageAt !== undefined && step >= options.damageAt ? `  damaged after ${options.damageAt}` : ''
    screen.draw([...pictureLines(image, output), `step ${step}/${options.steps}${remark}`])
    due = Math.max(due + millisecondsPerStep, performance.now())
    await new Promise(resolve => setTimeout(resolve, due - performance.now()))
  }
  screen.end()
}

/** Cells that can be seen. */
function visibleCells({ data }: Image): number {
  let count = 0
  for (let i = 3; i < data.length; i += 4) count += +(data[i] > 0.1)
  return count
}

type Pictures = { strip: number; columns: number; every: number; scale: number }

async function write(out: string, { rule, params }: Model, options: PlayOptions, { strip, columns, every, scale }: Pictures): Promise<void> {
  if (extname(out) === '.gif') return saveGif(out, rule, params, { ...options, every, scale })
  const at = Array.from({ length: strip }, (_, i) => Math.round(((i + 1) * options.steps) / strip))
  await writeFilmStrip(out, rule, params, { ...options, at, columns: Math.min(columns, strip), scale })
}
