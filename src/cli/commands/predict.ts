/**
 * `cellgrad predict`: what a trained rule makes of pictures and volumes: an image of its output channels, or the class of
 * each cell, and of the whole.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ArgsDef } from 'citty'
import { didYouMean } from '../../backends/options.ts'
import { encodeNpy } from '../../nca/data/npy.ts'
import { predict as run } from '../../nca/tasks/evaluate.ts'
import { seenCells } from '../../nca/tasks/classify.ts'
import { examplesOf, pick, statesOf } from '../../nca/tasks/examples.ts'
import type { Examples } from '../../nca/tasks/examples.ts'
import { roleChannels } from '../../nca/rule/channels.ts'
import type { DataParams, DataRule } from '../../nca/rule/types.ts'
import { vote } from '../../nca/losses/metrics.ts'
import { takeRole } from '../../nca/state.ts'
import { readImage } from '../../node/pictures/picture.ts'
import { readNifti, readNpy } from '../../node/data/data.ts'
import { readModel } from '../../node/model.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { writePng } from '../../node/pictures/png.ts'
import { fromImages } from '../../node/data/task-data.ts'
import { scope } from '../../tensor/lifetime.ts'
import { argMax } from '../../tensor/ops/reduce.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { coloured, seen } from '../../experiment/tasks/seen.ts'
import { files } from '../run/run-folder.ts'
import { say } from '../terminal/output.ts'
import { argument, command, flag } from '../input/command.ts'
import { UsageError } from '../input/usage.ts'
import type { Command } from '../input/command.ts'

const args: ArgsDef = {
  model: argument('A model, or the folder of a run', { required: true }),
  input: argument('A picture (PNG, JPEG, WebP, GIF, BMP), a volume (.nii, .nii.gz), an array (.npy), or a folder of such', { required: true }),
  out: flag('folder', 'Where results are written, by the names of the inputs (default: predicted)'),
  steps: flag('n', 'Steps of the rule (default: the mean of those that it was trained for)'),
}

export const predict: Command = command('predict', 'Apply a trained rule to pictures and volumes', args, async given => {
  const { model: path = '', input = '', out = 'predicted' } = given.text
  const inRun = [files.best, files.model].map(name => join(path, name)).find(file => existsSync(file))
  const { rule, params, provenance } = await readModel(inRun ?? path)
  const [, least, end] = /^(\d+) to (\d+)$/.exec(provenance.steps ?? '') ?? ['', '64', '96']
  const steps = given.number('steps', Math.round((Number(least) + Number(end) - 1) / 2), { least: 0, most: 1e6 })
  const role = ['image', 'input'].find(name => rule.frozen.includes(name))
  if (role === undefined) {
    const hint = didYouMean('input', rule.frozen)
    return given.refuse(`${path} is a rule without an input: none of its frozen roles is image or input${hint} (cellgrad grow plays it)`)
  }
  await mkdir(out, { recursive: true })
  for (const one of await inputsOf(input)) await predictOne(one, out, { rule, params, steps, role })
})

/** The files of a folder that can be read, or the one. */
async function inputsOf(path: string): Promise<string[]> {
  if (!existsSync(path)) throw new UsageError(`cellgrad predict: there is no file or folder ${path}`)
  if (!(await stat(path)).isDirectory()) return [path]
  const names = (await readdir(path)).filter(name => /\.(png|jpe?g|webp|gif|bmp|npy|nii|nii\.gz)$/i.test(name)).sort()
  if (names.length === 0) throw new UsageError(`cellgrad predict: there are no pictures, volumes or arrays in ${path}`)
  return names.map(name => join(path, name))
}

type Applied = { readonly rule: DataRule; readonly params: DataParams; readonly steps: number; readonly role: string }

async function predictOne(input: string, out: string, { rule, params, steps, role }: Applied): Promise<void> {
  const example = await readInput(input, rule, role)
  const task = { examples: 1, seeds: () => statesOf(rule, role, pick(example, [0], {})), loss: () => { throw new Error('predict: nothing is judged') } }
  const x = scope(() => run(rule, task, params, { steps }))
  const file = join(out, basename(input).replace(/\.(nii\.gz|\w+)$/, ''))
  if (role === 'image') await writeClasses(file, input, rule, x)
  else await writeOutput(file, rule, scope(() => takeRole(rule, x, 'output')))
}

async function readInput(path: string, rule: DataRule, role: string): Promise<Examples> {
  const [from, to] = roleChannels(rule.channels, role)
  if (/\.nii(\.gz)?$/.test(path)) return asExample(path, rule, to - from, await readNifti(path))
  if (path.endsWith('.npy')) return asExample(path, rule, to - from, await readNpy(path))
  return fromImages([await readImage(path)], to - from)
}

/** An array with as many axes as the grid, and one for channels where there are several. */
function asExample(path: string, { grid }: DataRule, m: number, { shape, data }: { shape: readonly number[]; data: ArrayLike<number> }): Examples {
  const whole = shape.length === grid && m === 1 ? [...shape, 1] : shape
  if (whole.length !== grid + 1 || whole[grid] !== m) {
    throw new Error(`predict: ${path} is [${shape.join(',')}], expected ${grid} axes of cells${m === 1 ? '' : ` and ${m} channels`}, as the rule has.`)
  }
  return examplesOf(Float32Array.from(data), whole)
}

async function writeClasses(file: string, input: string, rule: DataRule, x: Tensor): Promise<void> {
  const scores = scope(() => takeRole(rule, x, 'classes'))
  const mask = scope(() => seenCells(rule, x))
  const [[whole], cells, there] = [await scope(() => vote(scores, { mask })).data(), await scope(() => argMax(scores)).data(), await mask.data()]
  say(`${input}: class ${whole}`)
  if (rule.grid === 2) await written(`${file}.png`, path => writePng(path, coloured(x.shape[2], x.shape[1], cells, there)))
  else await written(`${file}.npy`, path => writeFileAtomic(path, encodeNpy({ shape: x.shape.slice(1, -1), data: Int32Array.from(cells, (c, i) => (there[i] ? c : -1)) })))
}

async function writeOutput(file: string, rule: DataRule, y: Tensor): Promise<void> {
  if (rule.grid === 2) await written(`${file}.png`, async path => writePng(path, await seen(() => y)))
  else await written(`${file}.npy`, async path => writeFileAtomic(path, encodeNpy({ shape: y.shape.slice(1), data: await y.data() as Float32Array })))
}

async function written(path: string, write: (path: string) => Promise<void>): Promise<void> {
  await write(path)
  say(path)
}
