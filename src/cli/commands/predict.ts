/**
 * `cellgrad predict`: what a trained rule makes of pictures and volumes: an image of its output channels, or the class of
 * each cell, and of the whole; or what its head says of the whole.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ArgsDef } from 'citty'
import { didYouMean, isObject } from '../../backends/options.ts'
import { parseJson } from '../../nca/files/json.ts'
import { encodeNpy } from '../../nca/data/npy.ts'
import { readHead } from '../../nca/head.ts'
import { predict as run } from '../../nca/tasks/evaluate.ts'
import { uncertainty } from '../../nca/tasks/uncertainty.ts'
import { seenCells } from '../../nca/tasks/classify.ts'
import { examplesOf, pick, statesOf, type Examples } from '../../nca/tasks/examples.ts'
import { roleChannels } from '../../nca/rule/channels.ts'
import type { DataParams, DataRule } from '../../nca/rule/types.ts'
import { vote } from '../../nca/losses/metrics.ts'
import { takeRole } from '../../nca/state.ts'
import { readGiven } from '../../node/data/image-pairs.ts'
import { isArray, stemOf } from '../../node/data/named.ts'
import { readModel } from '../../node/model.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { writePng } from '../../node/pictures/png.ts'
import { scope } from '../../tensor/lifetime.ts'
import { mul } from '../../tensor/ops/arithmetic.ts'
import { argMax, softmax } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { outputsOf } from '../../experiment/tasks/experiment.ts'
import { coloured, nearness, seen, seenClasses } from '../../experiment/tasks/seen.ts'
import { amountsOf, mapOf, toldClasses, toldOutput } from '../../experiment/tasks/told.ts'
import { files } from '../run/run-folder.ts'
import { say } from '../terminal/output.ts'
import { argument, command, flag, type Command } from '../input/command.ts'
import { UsageError } from '../input/usage.ts'

const args: ArgsDef = {
  model: argument('A model, or the folder of a run', { required: true }),
  'input…': argument('Pictures (PNG, JPEG, WebP, GIF, BMP), volumes (.nii, .nii.gz), arrays (.npy, .npz), or folders of such', { required: true }),
  out: flag('folder', 'Where results are written, by the names of the inputs (default: predicted)'),
  steps: flag('n', 'Steps of the rule (default: the mean of those that it was trained for)'),
  runs: flag('n', 'Writes beside each result how much so many runs differ in each cell: NAME.uncertainty.png, white for a deviation of ½, or .npy (default: none)'),
}

export const predict: Command = command('predict', 'Apply a trained rule to pictures and volumes', args, async given => {
  const { model: path = '', out = 'predicted' } = given.text
  const [, ...inputs] = given.words
  const inRun = [files.best, files.model].map(name => join(path, name)).find(file => existsSync(file))
  const { rule, params, provenance } = await readModel(inRun ?? path)
  const [, least, end] = /^(\d+) to (\d+)$/.exec(provenance.steps ?? '') ?? ['', '64', '96']
  const steps = given.number('steps', Math.round((Number(least) + Number(end) - 1) / 2), { least: 0, most: 1e6 })
  const runs = given.text.runs === undefined ? null : given.number('runs', 0, { least: 2, most: 1000 })
  const role = ['image', 'input'].find(name => rule.frozen.includes(name))
  if (role === undefined) {
    const hint = didYouMean('input', rule.frozen)
    return given.refuse(`${path} is a rule without an input: none of its frozen roles is image or input${hint} (cellgrad grow plays it)`)
  }
  const data = provenance.data === undefined ? {} : parseJson(provenance.data, 4)
  const asked = isObject(data) ? data : {}
  const all = (await Promise.all(inputs.map(inputsOf))).flat()
  const twin = all.find((path, i) => all.findIndex(other => nameOf(other) === nameOf(path)) < i)
  if (twin !== undefined) given.refuse(`what is made of ${twin} would be called ${nameOf(twin)}, as what is made of another input; give them one after the other, each with an --out`)
  await mkdir(out, { recursive: true })
  for (const one of all) await predictOne(one, out, { rule, params, steps, runs, role, asked })
})

/** What the result of an input is called. */
function nameOf(input: string): string {
  return stemOf(basename(input))
}

/** The files of a folder that can be read, or the one. */
async function inputsOf(path: string): Promise<string[]> {
  if (!existsSync(path)) throw new UsageError(`cellgrad predict: there is no file or folder ${path}`)
  if (!(await stat(path)).isDirectory()) return [path]
  const names = (await readdir(path)).filter(name => /\.(png|jpe?g|webp|gif|bmp)$/i.test(name) || isArray(name)).sort()
  if (names.length === 0) throw new UsageError(`cellgrad predict: there are no pictures, volumes or arrays in ${path}`)
  return names.map(name => join(path, name))
}

type Applied = {
  readonly rule: DataRule
  readonly params: DataParams
  readonly steps: number
  /** Runs by which it is said how sure the rule is; null: none. */
  readonly runs: number | null
  readonly role: string
  /** The data that it was trained with, as its experiment says: of which loss its outputs are, and whether numbers are standardised. */
  readonly asked: Readonly<Record<string, unknown>>
}

async function predictOne(input: string, out: string, applied: Applied): Promise<void> {
  const { rule, params, steps, runs, role, asked } = applied
  const example = await readInput(input, applied)
  const task = { examples: 1, seeds: () => statesOf(rule, role, pick(example, [0], {})), loss: () => { throw new Error('predict: nothing is judged') } }
  const x = scope(() => run(rule, task, params, { steps }))
  const file = join(out, nameOf(input))
  if (rule.head) say(`${input}: class ${(await scope(() => argMax(readHead(rule, params, x))).data())[0]}`)
  else if (role === 'image') await writeClasses(file, input, rule, x)
  else await writeOutput(file, rule, asked.loss, scope(() => takeRole(rule, x, 'output')))
  if (runs === null) return
  const of = (states: Tensor): Tensor => (rule.head ? softmax(readHead(rule, params, states)) : role === 'image' ? toldClasses(rule, states) : toldOutput(asked.loss, takeRole(rule, states, 'output')))
  const { map, nqm } = scope(() => {
    const { std, nqm } = uncertainty(rule, task, params, { steps, runs, of })
    return { map: mapOf(std), nqm }
  })
  say(`${input}: NQM ${Number((await nqm.data())[0].toPrecision(4))}`)
  if (!rule.head) await writeMap(`${file}.uncertainty`, rule, map) // of a head's answer there is no map
}

/** Deviations of cells: of a plane in shades of grey, where white is ½, the greatest of numbers from 0 to 1. */
async function writeMap(file: string, rule: DataRule, map: Tensor): Promise<void> {
  if (rule.grid === 2) await written(`${file}.png`, async path => writePng(path, await seen(() => reshape(mul(2, map), [...map.shape, 1]))))
  else await written(`${file}.npy`, async path => writeFileAtomic(path, encodeNpy({ shape: map.shape.slice(1), data: await map.data() as Float32Array })))
}

async function readInput(path: string, { rule, role, asked }: Applied): Promise<Examples> {
  const [from, to] = roleChannels(rule.channels, role)
  const size = isArray(path) || typeof asked.size !== 'number' ? null : asked.size
  const [{ shape, data }, ...others] = await readGiven(path, { grid: rule.grid, m: to - from, size, standardise: asked.standardise === true })
  if (others.length > 0) throw new Error(`predict: ${path} has ${others.length + 1} examples, expected one.`)
  return examplesOf(Float32Array.from(data), shape)
}

async function writeClasses(file: string, input: string, rule: DataRule, x: Tensor): Promise<void> {
  const scores = scope(() => takeRole(rule, x, 'classes'))
  const mask = scope(() => seenCells(rule, x))
  const [[whole], cells, there] = [await scope(() => vote(scores, { mask })).data(), await scope(() => argMax(scores)).data(), await mask.data()]
  say(`${input}: class ${whole}`)
  if (rule.grid === 2) await written(`${file}.png`, path => writePng(path, coloured(x.shape[2], x.shape[1], cells, there)))
  else await written(`${file}.npy`, path => writeFileAtomic(path, encodeNpy({ shape: x.shape.slice(1, -1), data: Int32Array.from(cells, (c, i) => (there[i] ? c : -1)) })))
}

/** What is in output channels: values; the probabilities of masks; or the numbers of the likeliest classes. */
async function writeOutput(file: string, rule: DataRule, loss: unknown, y: Tensor): Promise<void> {
  const kind = outputsOf(loss)
  const made = scope(() => (kind === 'classes' ? argMax(y) : amountsOf(loss, y)))
  if (rule.grid === 2) await written(`${file}.png`, async path => writePng(path, await (kind === 'classes' ? seenClasses(() => argMax(y)) : seen(() => (kind === 'depths' ? nearness(made) : made)))))
  else await written(`${file}.npy`, async path => writeFileAtomic(path, encodeNpy({ shape: made.shape.slice(1), data: await made.data() as Float32Array | Int32Array })))
}

async function written(path: string, write: (path: string) => Promise<void>): Promise<void> {
  await write(path)
  say(path)
}
