/**
 * `cellgrad grow`: a trained rule at work, in the terminal or as a file.
 */
import { extname } from 'node:path'
import type { ArgDef, ArgsDef, CommandDef } from 'citty'
import type { Image } from '../nca/files/image.ts'
import { key } from '../tensor/key.ts'
import { play, saveGif, writeFilmStrip } from '../node/animation.ts'
import type { PlayOptions } from '../node/animation.ts'
import { bundledModels, findAsset, listAssets } from '../node/assets.ts'
import { readModel } from '../node/model.ts'
import { backendMeanings, backendNames, computing } from './computer.ts'
import type { BackendName } from './computer.ts'
import { block, isLive, pictureLines } from './screen.ts'
import { numberFlag, UsageError } from './usage.ts'
import type { Command, Given } from './usage.ts'

const flag = (valueHint: string, description: string): ArgDef => ({ type: 'string', valueHint, description })

const args: ArgsDef = {
  model: {
    type: 'positional',
    required: false,
    description: 'A trained model: an emoji or its name, if bundled, or a file (default: 🦎)',
  },
  steps: flag('n', 'Steps to grow (default: 200)'),
  size: flag('n', 'Rows and columns of the grid (default: those of the training)'),
  seed: flag('n', 'Seed of which cells update when (default: 0)'),
  backend: flag('name', `What computes: ${backendMeanings} (default: cpu)`),
  angle: flag('degrees', 'Rotates what cells sense, and with it the pattern (default: 0)'),
  damage: flag('step', 'Erases a circle after so many steps; without a number, at half time (default: no damage)'),
  out: flag('file', 'Writes what is seen: .gif, or .png for the last picture (default: none)'),
  strip: flag('n', 'Makes the .png a film strip of n pictures (default: 1)'),
  columns: flag('n', 'Pictures in a row of the film strip (default: all)'),
  every: flag('n', 'Steps from one picture of a .gif to the next (default: 2)'),
  scale: flag('n', 'Pixels per cell along each side in a file (default: 4)'),
}

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
    await computing({ backend: backendOf(given.backend) }, async ({ backend, name }) => {
      const model = await readModel(path, { backend })
      const sized = { ...options, size: options.size || Number(model.provenance.grid ?? 72) }
      if (given.backend !== undefined) console.log(`Computing on: ${name}`)
      await show(model, sized)
      if (given.out !== undefined) {
        await write(given.out, model, sized, pictures)
        console.log(given.out)
      }
    })
  },
}

export const grow: Command = { definition, implied: { damage: halfTime } }

type Model = Awaited<ReturnType<typeof readModel>>

function backendOf(given = 'cpu'): BackendName {
  const found = backendNames.find(name => name === given)
  if (found) return found
  throw new UsageError(
    `cellgrad grow: --backend is ${JSON.stringify(given)}, expected one of ${backendNames.join(', ')}`,
  )
}

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
    const all = listAssets(models) || 'none'
    throw new Error(
      `grow: no bundled model is called ${JSON.stringify(what)}; there are ${all}. A file ends in .safetensors`,
    )
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
  // An exit, unlike the end that a signal brings by itself, shows the cursor again.
  process.once('SIGINT', () => process.exit(130))
  process.once('SIGTERM', () => process.exit(143))
  const millisecondsPerStep = 40
  let due = performance.now()
  for await (const { step, image } of play(rule, params, options)) {
    const damaged = step >= (options.damageAt ?? Infinity) ? `  damaged after ${options.damageAt}` : ''
    screen.draw([...pictureLines(image, output), `step ${step}/${options.steps}${damaged}`])
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

async function write(out: string, { rule, params }: Model, options: PlayOptions, pictures: Pictures): Promise<void> {
  const { strip, columns, every, scale } = pictures
  if (extname(out) === '.gif') return saveGif(out, rule, params, { ...options, every, scale })
  const at = Array.from({ length: strip }, (_, i) => Math.round(((i + 1) * options.steps) / strip))
  await writeFilmStrip(out, rule, params, { ...options, at, columns: Math.min(columns, strip), scale })
}
