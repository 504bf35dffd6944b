/**
 * What a trained rule makes of a file, written as a file of its kind: planes as PNG, what is made of NIfTI as NIfTI that lies where
 * the scan lies, all else as .npy; and how sure it is of it.
 */
import { gzipSync } from 'node:zlib'
import { encodeNifti, type Volume } from '../../nca/data/nifti.ts'
import { encodeNpy } from '../../nca/data/npy.ts'
import { inStages } from '../../nca/cascade.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { guided } from '../../nca/guidance.ts'
import { readHead } from '../../nca/head.ts'
import { vote } from '../../nca/losses/metrics.ts'
import { roleChannels } from '../../nca/rule/channels.ts'
import type { CustomRule, DataParams, DataRule } from '../../nca/rule/types.ts'
import { slidingWindow } from '../../nca/sliding-window.ts'
import { setChannels, takeRole } from '../../nca/state.ts'
import { rollout } from '../../nca/step.ts'
import { seenCells } from '../../nca/tasks/classify.ts'
import { predict } from '../../nca/tasks/evaluate.ts'
import { pick, statesOf, type Examples } from '../../nca/tasks/examples.ts'
import { uncertainty } from '../../nca/tasks/uncertainty.ts'
import type { Task } from '../../nca/training/trainer-options.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { readNifti } from '../../node/data/data.ts'
import { readGiven } from '../../node/data/image-pairs.ts'
import { isArray } from '../../node/data/named.ts'
import { piecesOf, readContents } from '../../node/data/volumes.ts'
import { writePng } from '../../node/pictures/png.ts'
import { foldIn, key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { mul } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { argMax, softmax } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { outputsOf } from '../../experiment/tasks/experiment.ts'
import { coloured, nearness, seen, seenClasses } from '../../experiment/tasks/seen.ts'
import { amountsOf, mapOf, toldClasses, toldOutput } from '../../experiment/tasks/told.ts'
import { say } from '../terminal/output.ts'
import type { Compared } from './uncertain.ts'

export type Applied = {
  readonly rule: DataRule
  readonly params: DataParams
  /** Stages on coarse grids with which it begins. */
  readonly cascade: Model['cascade']
  readonly steps: number
  /** Runs, or last steps, by which it is said how sure the rule is; null: none. */
  readonly compared: Compared | null
  /** The scale of guidance, 1 for the rule itself. */
  readonly guidance: number
  /** Windows in which what is larger is seen; null: all of it at once. */
  readonly window: { readonly size: number; readonly overlap: number } | null
  /** The role that is given: 'image' of classes, else 'input'. */
  readonly role: string
  /** The data that it was trained with, as its experiment says: of which loss its outputs are, and whether numbers are standardised. */
  readonly asked: Readonly<Record<string, unknown>>
  /** What its classes are called, where it knows. */
  readonly classes: readonly string[]
}

/** Where a result is written, a path without ending. */
type Place = {
  readonly to: string
  /** Where its cells lie, if it is to be a NIfTI. */
  readonly affine: Volume['affine'] | null
  /** The axis of the input along which examples are its planes; null where they are no planes of a volume. */
  readonly across: number | null
}

/** Applies a rule to the examples of a file, and writes what it makes of them to a path without ending. */
export async function predictFile(input: string, to: string, applied: Applied): Promise<void> {
  const { rule, params, steps, compared, role, asked, classes } = applied
  const across = await acrossOf(input, applied)
  const task = await taskOf(input, across, applied)
  const place: Place = { to, affine: /\.nii(\.gz)?$/i.test(input) ? (await readNifti(input)).affine : null, across }
  const x = scope(() => grown(task, applied))
  if (rule.head) say(`${input}: ${classesInWords(await scope(() => argMax(readHead(rule, params, x))).data(), classes)}`)
  else if (role === 'image') await writeClasses(place, input, rule, x, classes)
  else await writeOutput(place, rule, asked.loss, scope(() => takeRole(rule, x, 'output')))
  if (compared === null) return
  const of = (states: Tensor): Tensor => {
    if (rule.head) return softmax(readHead(rule, params, states))
    return role === 'image' ? toldClasses(rule, states) : toldOutput(asked.loss, takeRole(rule, states, 'output'))
  }
  const { map, nqm } = scope(() => {
    const { std, nqm } = uncertainty(runnerOf(applied), task, params, { steps, cascade: applied.cascade, ...compared, of })
    return { map: mapOf(std), nqm }
  })
  say(`${input}: NQM ${[...await nqm.data()].map(v => Number(v.toPrecision(4))).join(' ')}`)
  if (!rule.head) await writeMap({ ...place, to: `${to}.uncertainty` }, rule, map) // of a head's answer there is no map
}

/** The axis across which a volume is cut into planes, as those that the rule was trained on; null where the file has none. */
async function acrossOf(path: string, { rule: { grid, channels }, role, asked: { crop } }: Applied): Promise<number | null> {
  if (!isArray(path) || !Array.isArray(crop) || crop.length !== grid + 1) return null
  const [from, to] = roleChannels(channels, role)
  const { shape } = await readContents(path)
  const cells = to - from > 1 && shape.at(-1) === to - from ? shape.length - 1 : shape.length
  return cells > grid ? (crop as readonly number[]).indexOf(1) : null
}

/** The examples of a file as a task of which nothing is judged; a volume as the planes on whose kind the rule was trained. */
async function taskOf(path: string, across: number | null, { rule, role, asked }: Applied): Promise<Task> {
  const [from, to] = roleChannels(rule.channels, role)
  const size = isArray(path) || typeof asked.size !== 'number' ? null : asked.size
  const crop = across === null ? null : asked.crop as readonly number[]
  const read = await readGiven(path, { grid: rule.grid, m: to - from, size, standardise: asked.standardise === true, crop })
  const given = across === null ? read : read.flatMap(one => (
    piecesOf(path, one, one.shape.slice(0, -1).map((cells, i) => (i === across ? 1 : cells)), rule.grid)
  ))
  const examples: Examples = { n: given.length, shape: given[0].shape, of: i => given[i].data }
  return {
    examples: given.length,
    seeds: ids => statesOf(rule, role, pick(examples, ids, {})),
    loss: () => { throw new Error('predict: nothing is judged') },
  }
}

/** The rule that runs. */
function runnerOf({ rule, guidance }: Applied): DataRule | CustomRule<DataParams> {
  return guidance === 1 ? rule : guided(rule, guidance)
}

/** The states at the end: of all at once, or of windows, whose outputs are blended. */
function grown(task: Task, applied: Applied): Tensor {
  const { rule, params, cascade, steps, window, role } = applied
  const runner = runnerOf(applied)
  if (window === null) return predict(runner, task, params, { steps, cascade })
  const made = role === 'image' ? 'classes' : 'output'
  return concat(Array.from({ length: task.examples }, (_, id) => scope(() => {
    const seeds = task.seeds([id])
    const blended = slidingWindow(
      seeds, (part, i) => takeRole(rule, rollout(inStages(runner, cascade), params, part, foldIn(foldIn(key(0), id), i), { steps }), made),
      { size: seeds.shape.slice(1, -1).map(() => window.size), overlap: window.overlap },
    )
    return setChannels(rule, seeds, { [made]: blended })
  })), 0)
}

function classesInWords(said: ArrayLike<number>, classes: readonly string[]): string {
  return `class${said.length === 1 ? '' : 'es'} ${Array.from(said, i => classes[i] ?? i).join(' ')}`
}

async function writeClasses(place: Place, input: string, rule: DataRule, x: Tensor, classes: readonly string[]): Promise<void> {
  const scores = scope(() => takeRole(rule, x, 'classes'))
  const mask = scope(() => seenCells(rule, x))
  const [votes, cells, there] = [await scope(() => vote(scores, { mask })).data(), await scope(() => argMax(scores)).data(), await mask.data()]
  say(`${input}: ${classesInWords(votes, classes)}`)
  if (isPicture(rule, x)) await written(`${place.to}.png`, path => writePng(path, coloured(x.shape[2], x.shape[1], cells, there)))
  else await writeNumbers(place, x.shape.slice(0, -1), Int32Array.from(cells, (c, i) => (there[i] ? c : -1)))
}

/** What is in output channels: values; the probabilities of masks; or the numbers of the likeliest classes. */
async function writeOutput(place: Place, rule: DataRule, loss: unknown, y: Tensor): Promise<void> {
  const kind = outputsOf(loss)
  const made = scope(() => (kind === 'classes' ? argMax(y) : amountsOf(loss, y)))
  if (!isPicture(rule, y)) return writeNumbers(place, made.shape, await made.data() as Float32Array | Int32Array)
  await written(`${place.to}.png`, async path => writePng(path, await (kind === 'classes' ? seenClasses(() => argMax(y)) : seen(() => (kind === 'depths' ? nearness(made) : made)))))
}

/** Deviations of cells: of a plane in shades of grey, where white is ½, the greatest of numbers from 0 to 1. */
async function writeMap(place: Place, rule: DataRule, map: Tensor): Promise<void> {
  if (!isPicture(rule, map)) return writeNumbers(place, map.shape, await map.data() as Float32Array)
  await written(`${place.to}.png`, async path => writePng(path, await seen(() => reshape(mul(2, map), [...map.shape, 1]))))
}

/** Whether states are one plane. */
function isPicture(rule: DataRule, x: Tensor): boolean {
  return rule.grid === 2 && x.shape[0] === 1
}

/** Numbers of examples `[n,…]`, of one without the first axis; of planes of a volume with it where that has them. */
async function writeNumbers({ to, affine, across }: Place, [n, ...shape]: readonly number[], data: Float32Array | Int32Array): Promise<void> {
  const array = across !== null ? moved(n, shape, data, across) : { shape: n === 1 ? shape : [n, ...shape], data }
  if (affine === null) return written(`${to}.npy`, path => writeFileAtomic(path, encodeNpy(array)))
  await written(`${to}.nii.gz`, path => writeFileAtomic(path, gzipSync(encodeNifti({ ...array, affine }))))
}

/** `[n,…]` with the first axis moved to where another one was. */
function moved<T extends Float32Array | Int32Array>(n: number, shape: readonly number[], data: T, to: number): { shape: number[]; data: T } {
  const [before, after] = [shape.slice(0, to), shape.slice(to)]
  const [b, a] = [before, after].map(sizes => sizes.reduce((x, y) => x * y, 1))
  const out = data.slice() as T
  for (let i = 0; i < n; i++) for (let j = 0; j < b; j++) out.set(data.subarray((i * b + j) * a, (i * b + j + 1) * a), (j * n + i) * a)
  return { shape: [...before, n, ...after], data: out }
}

async function written(path: string, write: (path: string) => Promise<void>): Promise<void> {
  await write(path)
  say(path)
}
