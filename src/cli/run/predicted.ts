/**
 * Applies a trained rule to a file, and writes the result as a file of the same kind: planes as PNG, for NIfTI a NIfTI in the
 * position of the scan, everything else as .npy. It can also write how sure the rule is.
 */
import { gzipSync } from 'node:zlib'
import { isObject } from '../../backends/options.ts'
import { encodeNifti, type Volume } from '../../nca/data/nifti.ts'
import { encodeNpy } from '../../nca/data/npy.ts'
import { inStages } from '../../nca/cascade.ts'
import type { Model } from '../../nca/files/model-file.ts'
import { parseJson } from '../../nca/files/json.ts'
import { fit, padImage } from '../../nca/files/image.ts'
import { guided } from '../../nca/guidance.ts'
import { readHead } from '../../nca/head.ts'
import { latentImages, latentTask } from '../../nca/latent/latent-task.ts'
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
import { readImage } from '../../node/pictures/picture.ts'
import { writePng } from '../../node/pictures/png.ts'
import { foldIn, key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { mul } from '../../tensor/ops/arithmetic.ts'
import { concat } from '../../tensor/ops/concat.ts'
import { argMax, softmax } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { outputsOf } from '../../experiment/tasks/experiment.ts'
import { picturesOf, type LatentData } from '../../experiment/tasks/latent-data.ts'
import { coloured, seen, seenOutput } from '../../experiment/tasks/seen.ts'
import { amountsOf, mapOf, toldClasses, toldOutput } from '../../experiment/tasks/told.ts'
import { say } from '../terminal/output.ts'
import type { Compared } from './uncertain.ts'

export type Applied = {
  readonly rule: DataRule
  readonly params: DataParams
  /** The stages on coarse grids with which rollouts begin. */
  readonly cascade: Model['cascade']
  /** The autoencoder from whose latents of a picture the rule begins, if it does. */
  readonly codec: Model['codec']
  readonly steps: number
  /** The runs, or last steps, from which uncertainty is computed; null: no uncertainty. */
  readonly compared: Compared | null
  /** The scale of guidance, 1 for the rule itself. */
  readonly guidance: number
  /** Windows for inputs that are larger than those of the training; null: the whole input at once. */
  readonly window: { readonly size: number; readonly overlap: number } | null
  /** The role of the input: 'latent' with an autoencoder, 'image' for rules with classes, else 'input'. */
  readonly role: string
  /** The section `data` of the training: its loss says what the outputs mean, `ink` that they are dark where large, and `standardise` how inputs are scaled. */
  readonly asked: Readonly<Record<string, unknown>>
  /** The names of its classes, if it has them. */
  readonly classes: readonly string[]
}

/** The section `data` of a model's training; empty if its file describes the data in words. */
export function askedOf({ data = '' }: Model['provenance']): Applied['asked'] {
  const asked = data.startsWith('{') ? parseJson(data, 4) : {}
  return isObject(asked) ? asked : {}
}

/** Where and how a result is written. */
type Place = {
  /** The path, without ending. */
  readonly to: string
  /** The affine matrix if the result is a NIfTI, else null. */
  readonly affine: Volume['affine'] | null
  /** The axis along which a volume was cut into planes, which are the examples; null if it was not. */
  readonly across: number | null
}

/** Applies a rule to the examples of a file, and writes the results to `to`, a path without ending. */
export async function predictFile(input: string, to: string, applied: Applied): Promise<void> {
  const { rule, params, steps, compared, role, asked, classes } = applied
  const across = await acrossOf(input, applied)
  const task = await taskOf(input, across, applied)
  const place: Place = { to, affine: /\.nii(\.gz)?$/i.test(input) ? (await readNifti(input)).affine : null, across }
  const x = scope(() => grown(task, applied))
  if (rule.head) say(`${input}: ${classesInWords(await scope(() => argMax(readHead(rule, params, x))).data(), classes)}`)
  else if (role === 'image') await writeClasses(place, input, rule, x, classes)
  else await writeOutput(place, rule, asked, scope(() => outputOf(applied, x)))
  if (compared === null) return
  const of = (states: Tensor): Tensor => {
    if (rule.head) return softmax(readHead(rule, params, states))
    return role === 'image' ? toldClasses(rule, states) : toldOutput(asked.loss, outputOf(applied, states))
  }
  const { map, nqm } = scope(() => {
    const { std, nqm } = uncertainty(runnerOf(applied), task, params, { steps, cascade: applied.cascade, ...compared, of })
    return { map: mapOf(std), nqm }
  })
  say(`${input}: NQM ${[...await nqm.data()].map(v => Number(v.toPrecision(4))).join(' ')}`)
  if (!rule.head) await writeMap({ ...place, to: `${to}.uncertainty` }, rule, map) // the output of a head has no map
}

/** What states say: the output channels, or the decoded pictures. */
function outputOf({ rule, codec }: Applied, x: Tensor): Tensor {
  return codec ? latentImages(rule, codec, x) : takeRole(rule, x, 'output')
}

/** The axis along which a volume is cut into planes, if the rule was trained on planes of volumes; else null. */
async function acrossOf(path: string, { rule: { grid, channels }, role, asked: { crop } }: Applied): Promise<number | null> {
  if (!isArray(path) || !Array.isArray(crop) || crop.length !== grid + 1) return null
  const [from, to] = roleChannels(channels, role)
  const { shape } = await readContents(path)
  const cells = to - from > 1 && shape.at(-1) === to - from ? shape.length - 1 : shape.length
  return cells > grid ? (crop as readonly number[]).indexOf(1) : null
}

/** The examples of a file as a task without a loss; if the rule was trained on planes of volumes, a volume becomes its planes. */
async function taskOf(path: string, across: number | null, { rule, role, asked, codec }: Applied): Promise<Task> {
  if (codec) {
    const { size, padding } = asked as LatentData
    const pictures = picturesOf([padImage(fit(await readImage(path), size), padding)])
    return latentTask(rule, pictures, codec, { from: pictures })
  }
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

/** The rule that runs: with guidance, if that is asked for. */
function runnerOf({ rule, guidance }: Applied): DataRule | CustomRule<DataParams> {
  return guidance === 1 ? rule : guided(rule, guidance)
}

/** The last states: of the whole inputs, or of windows, whose outputs are blended. */
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

/** Writes what the output channels mean: values; the probabilities of masks; or the indices of the likeliest classes. */
async function writeOutput(place: Place, rule: DataRule, { loss, ink }: Applied['asked'], y: Tensor): Promise<void> {
  if (!isPicture(rule, y)) {
    const made = scope(() => (outputsOf(loss) === 'classes' ? argMax(y) : amountsOf(loss, y)))
    return writeNumbers(place, made.shape, await made.data() as Float32Array | Int32Array)
  }
  await written(`${place.to}.png`, async path => writePng(path, await seenOutput(loss, () => y, ink === true)))
}

/** Writes deviations of cells: of a plane in shades of grey. White is ½, the greatest deviation of numbers from 0 to 1. */
async function writeMap(place: Place, rule: DataRule, map: Tensor): Promise<void> {
  if (!isPicture(rule, map)) return writeNumbers(place, map.shape, await map.data() as Float32Array)
  await written(`${place.to}.png`, async path => writePng(path, await seen(() => reshape(mul(2, map), [...map.shape, 1]))))
}

/** Whether states are one plane. */
function isPicture(rule: DataRule, x: Tensor): boolean {
  return rule.grid === 2 && x.shape[0] === 1
}

/**
 * Writes numbers of examples `[n,…]`. For a single example the first axis is dropped; for the planes of a volume it is moved
 * to where the volume has it.
 */
async function writeNumbers({ to, affine, across }: Place, [n, ...shape]: readonly number[], data: Float32Array | Int32Array): Promise<void> {
  const array = across !== null ? moved(n, shape, data, across) : { shape: n === 1 ? shape : [n, ...shape], data }
  if (affine === null) return written(`${to}.npy`, path => writeFileAtomic(path, encodeNpy(array)))
  await written(`${to}.nii.gz`, path => writeFileAtomic(path, gzipSync(encodeNifti({ ...array, affine }))))
}

/** Numbers `[n,…]` with the first axis moved to position `to`. */
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
