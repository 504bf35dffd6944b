/**
 * Lessons: an experiment once its data are loaded, with the task to learn, the metrics of its results, and pictures of them.
 */
import { inStages } from '../../nca/cascade.ts'
import { filmStrip, overWhite, type Image } from '../../nca/files/image.ts'
import { imageToTensor } from '../../nca/files/image-tensor.ts'
import { readHead } from '../../nca/head.ts'
import { absRel, depthDelta, scaleInvariant } from '../../nca/losses/depth.ts'
import { psnr, ssim } from '../../nca/losses/image-quality.ts'
import { bce, crossEntropy, diceBce, diceLoss, focalLoss } from '../../nca/losses/class-loss.ts'
import { initAutoencoder, type Codec } from '../../nca/latent/autoencoder.ts'
import { latentImages, latentTask } from '../../nca/latent/latent-task.ts'
import { l1, mse } from '../../nca/losses/loss.ts'
import { accuracy, dice, iou, totalAgreement } from '../../nca/losses/metrics.ts'
import { classificationTask, seenCells, type LabelledImages } from '../../nca/tasks/classify.ts'
import { conditionalTask } from '../../nca/tasks/conditional.ts'
import { pick, type Examples } from '../../nca/tasks/examples.ts'
import { colours, textureTask } from '../../nca/tasks/texture.ts'
import { denoise, denoisingTask } from '../../nca/tasks/denoise.ts'
import { trajectoryTask } from '../../nca/tasks/trajectory.ts'
import { imageToImageTask } from '../../nca/tasks/translate.ts'
import { videoTask } from '../../nca/tasks/video.ts'
import type { DataParams } from '../../nca/rule/types.ts'
import { rgba, takeChannels, takeRole } from '../../nca/state.ts'
import type { Task } from '../../nca/training/trainer-options.ts'
import { key as keyOf, type Key } from '../../tensor/key.ts'
import { scope } from '../../tensor/lifetime.ts'
import { add, mul, sub } from '../../tensor/ops/arithmetic.ts'
import { broadcastTo } from '../../tensor/ops/broadcast.ts'
import { greater } from '../../tensor/ops/compare.ts'
import { concat, stack } from '../../tensor/ops/concat.ts'
import { full } from '../../tensor/ops/create.ts'
import { oneHot } from '../../tensor/ops/one-hot.ts'
import { argMax } from '../../tensor/ops/reduce.ts'
import { reshape } from '../../tensor/ops/reshape.ts'
import { tensor, type Placement, type Tensor } from '../../tensor/tensor.ts'
import { judgedAs, type metricNames, outputsOf, type Experiment, type ImageLoss, type TaskName } from './experiment.ts'
import { autoencoderOf, isTold, picturesOf } from './latent-data.ts'
import { each, grey, nearness, row, rows, seen, seenClasses } from './seen.ts'
import { amountsOf, toldClasses, toldOutput, wrongClasses, wrongOutput, wrongValues } from './told.ts'

/** The loaded data of each task: pictures ready to be grown, or examples. */
export type TaskData = {
  readonly conditional: readonly Image[]
  readonly trajectory: readonly Image[]
  /** With the names of the classes, if the data are folders. */
  readonly classification: LabelledImages & { readonly classes?: readonly string[] }
  /** With the case of each example, its name, and the file, if files have several: the examples of a file stay in one fold. */
  readonly imageToImage: { readonly inputs: Examples; readonly outputs: Examples; readonly cases?: readonly string[]; readonly groups?: readonly string[] }
  readonly denoising: Examples
  readonly video: Examples
  /** The targets, and the pictures to begin from; and the trained autoencoder, by default an untrained one. */
  readonly latent: { readonly targets: readonly Image[]; readonly from: readonly Image[] | null; readonly codec?: Codec }
  readonly texture: Image
}

/** From states `[n,h,w,c]` of examples to `[n]`. */
export type Measure = Task['loss']

export type Lesson = {
  /** The task over all examples. */
  readonly task: Task
  /** The class of each example, if there are classes. */
  readonly labels?: ArrayLike<number>
  /** The names of the classes. */
  readonly classes?: readonly string[]
  /** The group of each example, if some belong together: validation does not split a group. */
  readonly groups?: readonly string[]
  /** The name of the case of each example, if they have names: a file of splits names them. */
  readonly cases?: readonly string[]
  /** The metrics of results besides the loss, by name. */
  readonly measures: Readonly<Record<string, Measure>>
  /** The results of states `[n,h,w,c]` as amounts of foreground `[n,h,w,m]`, by which `uncertainty` compares runs. */
  told(x: Tensor, params: DataParams): Tensor
  /** The cells in which results of examples are wrong, if that is known: `[n,h,w]`, int32, 1 wrong, 0 right, −1 not counted. */
  wrong?(told: Tensor, ids: readonly number[]): Tensor
  /** Pictures of states `[n,h,w,c]` of examples, a row for each; and of what they should be. The parameters are for a head. */
  show(x: Tensor, ids: readonly number[], params: DataParams): Promise<Image>
  wanted(ids: readonly number[]): Promise<Image>
  /** Pictures of the inputs of examples, if they have some. */
  given?(ids: readonly number[]): Promise<Image>
  /** A picture made out of noise alone, for a task that learns this. */
  imagine?(params: DataParams, key: Key, steps: number): Promise<Image>
}

const losses: Readonly<Record<ImageLoss, (output: Tensor, wanted: Tensor) => Tensor>> = {
  mse, l1, bce,
  ssim: (x, target) => sub(1, ssim(x, target)),
  depth: (x, target) => scaleInvariant(x, target, { mask: greater(target, 0) }),
  dice: (x, target) => diceLoss(x, target),
  diceBce: (x, target) => diceBce(x, target),
  focal: (x, target) => focalLoss(x, target),
  classes: (x, target) => crossEntropy(x, target),
}

type Compared = (x: Tensor, target: Tensor) => Tensor

/** A metric of masks, with probabilities above ½ as the mask. */
const ofMasks = (measure: typeof dice): Compared => (x, target) => measure(greater(x, 0.5), greater(target, 0.5))

/** A measure for each name of a kind of metrics. */
type Named<K extends keyof typeof metricNames, M = Measure> = Readonly<Record<(typeof metricNames)[K][number], M>>

type OfOutputs = Exclude<keyof typeof metricNames, 'cells' | 'head'>

/** The metrics besides the loss, for each kind of output. */
const measuresOf: { readonly [K in OfOutputs]: Named<K, Compared> } = {
  values: { mse, l1 },
  ssim: { mse, ssim, psnr },
  depths: {
    absRel: (x, target) => absRel(x, target, { mask: greater(target, 0) }),
    delta1: (x, target) => depthDelta(x, target, { mask: greater(target, 0) }),
  },
  masks: { dice: ofMasks(dice), iou: ofMasks(iou) },
  classes: { accuracyOfCells: (x, target) => accuracy(x, argMax(target)) },
}

/**
 * The lesson of an experiment.
 *
 * @throws where the data do not fit the rule
 */
export function lessonOf<T extends TaskName>(experiment: Experiment<T>, data: TaskData[T], placement: Omit<Placement, 'like'> = {}): Lesson {
  return (makers[experiment.task] as (e: Experiment<T>, d: TaskData[T], p: Omit<Placement, 'like'>) => Lesson)(experiment, data, placement)
}

const makers: { readonly [T in TaskName]: (experiment: Experiment<T>, data: TaskData[T], placement: Omit<Placement, 'like'>) => Lesson } = {
  conditional({ rule, data: { cells, loss } }, pictures, placement) {
    return {
      task: conditionalTask(rule, targetsOf(pictures, placement), { cells, loss: losses[loss] }), measures: {},
      told: rgba,
      wrong: (told, ids) => wrongValues(told, targetsOf(ids.map(id => pictures[id]), placement)),
      show: async x => row(each(x), one => seen(() => rgba(one()))),
      wanted: async ids => rows([ids.map(id => pictures[id])]),
    }
  },

  trajectory({ rule }, pictures, placement) {
    const targets = targetsOf(pictures, placement)
    return {
      task: trajectoryTask(rule, targets), measures: {},
      told: rgba,
      wrong: told => wrongValues(told, targetsOf([pictures.at(-1)!], placement)),
      show: async x => row(each(x), one => seen(() => rgba(one()))),
      wanted: async ids => rows([ids.map(() => pictures.at(-1)!)]),
    }
  },

  classification({ rule, data: { loss } }, images, placement) {
    const task = classificationTask(rule, images, { ...placement, loss })
    const labels = (ids: readonly number[], x: Tensor): Tensor => tensor(Int32Array.from(ids, id => images.labels[id]), { backend: x.backend })
    const classes = (x: Tensor): Tensor => takeRole(rule, x, 'classes')
    const judged = (per: 'cell' | 'image'): Measure => (x, ids) => (
      accuracy(classes(x), labels(ids, x), { mask: seenCells(rule, x), per })
    )
    const agreement: Measure = x => totalAgreement(classes(x), { mask: seenCells(rule, x) })
    const byHead: Measure = (x, ids, _key, _readout, params) => accuracy(readHead(rule, params as DataParams, x), labels(ids, x))
    /** The predicted class of each cell, `[n,h,w]`, or with a head of each image, `[n,1,1]`. */
    const said = (x: Tensor, params: DataParams): Tensor => (
      loss === 'head' ? perImage(argMax(readHead(rule, params, x)), x) : argMax(classes(x)))
    const measures: Named<'head'> | Named<'cells'> = loss === 'head' ? { accuracyOfImages: byHead }
      : { accuracyOfCells: judged('cell'), accuracyOfImages: judged('image'), totalAgreement: agreement }
    return {
      task, labels: images.labels, ...(images.classes && { classes: images.classes }),
      measures,
      told: (x, params) => (loss === 'head' ? oneHot(said(x, params), rule.head!.outputs) : toldClasses(rule, x)),
      wrong: (told, ids) => wrongClasses(told, perImage(labels(ids, told), told)),
      show: async (x, _, params) => row(each(x), one => seenClasses(
        () => broadcastTo(said(one(), params), one().shape.slice(0, -1)), () => seenCells(rule, one()))),
      wanted: async ids => row(each(scope(() => task.seeds(ids))), (one, i) => seenClasses(
        () => full(one().shape.slice(0, -1), images.labels[ids[i]], { dtype: 'int32', backend: placement.backend }), () => seenCells(rule, one()),
      )),
    }
  },

  imageToImage({ rule, data: { loss } }, pairs, placement) {
    const areClasses = outputsOf(loss) === 'classes'
    const made = (x: Tensor): Tensor => takeRole(rule, x, 'output')
    const output = (x: Tensor): Tensor => amountsOf(loss, made(x))
    const wanted = (ids: readonly number[], like: Tensor): Tensor => pick(pairs.outputs, ids, { like })
    const measured = (measure: (x: Tensor, target: Tensor) => Tensor): Measure => (x, ids) => measure(output(x), wanted(ids, x))
    const measures = measuresOf[judgedAs('imageToImage', loss) as OfOutputs]
    const picture = (x: () => Tensor): Promise<Image> => (
      areClasses ? seenClasses(() => argMax(x())) : seen(() => (loss === 'depth' ? nearness(x()) : x()))
    )
    const one = (examples: Examples, id: number) => (): Tensor => pick(examples, [id], placement)
    return {
      task: imageToImageTask(rule, pairs, { ...placement, loss: losses[loss] }),
      ...(pairs.groups && { groups: pairs.groups }), ...(pairs.cases && { cases: pairs.cases }),
      measures: Object.fromEntries(Object.entries(measures).map(([name, measure]) => [name, measured(measure)])),
      told: x => toldOutput(loss, made(x)),
      wrong: (told, ids) => wrongOutput(loss)(told, wanted(ids, told)),
      show: async x => row(each(x), state => picture(() => output(state()))),
      wanted: async ids => row(ids, id => picture(one(pairs.outputs, id))),
      given: async ids => row(ids, id => seen(one(pairs.inputs, id))),
    }
  },

  denoising({ rule, data: { levels }, train: { cascade } }, images, placement) {
    const output = (x: Tensor): Tensor => takeRole(rule, x, 'output')
    const wanted = (ids: readonly number[]): Tensor => pick(images, ids, placement)
    const picture = (x: () => Tensor): Promise<Image> => seen(() => mul(0.5, add(x(), 1))) // from −1 … 1
    return {
      task: denoisingTask(rule, images, placement), measures: {},
      told: output,
      wrong: (told, ids) => wrongValues(told, wanted(ids)),
      show: async x => row(each(x), one => picture(() => output(one()))),
      wanted: async ids => row(ids, id => picture(() => wanted([id]))),
      imagine: async (params, key, steps) => picture(() => (
        denoise(inStages(rule, cascade), params, key, { ...placement, size: images.shape.slice(0, -1), levels, steps })
      )),
    }
  },

  video({ rule, data: { k, carry } }, videos, placement) {
    const task = videoTask(rule, videos, k, { ...placement, carry })
    const [length, height, width] = videos.shape
    const each_ = length - 2 * k + 1
    const frame = (id: number, i: number): Image => grey(width, height, Array.from(
      { length: height * width }, (_, j) => videos.of(Math.floor(id / each_))[((id % each_) + k + i) * height * width + j],
    ))
    const frames = (id: number): Tensor => concat(Array.from({ length: k }, (_, i) => takeChannels(imageToTensor(frame(id, i), placement), 0, 1)), -1)
    return {
      task, measures: {},
      groups: Array.from({ length: task.examples }, (_, id) => `video ${Math.floor(id / each_)}`), // windows share frames
      told: x => takeRole(rule, x, 'output'),
      wrong: (told, ids) => wrongValues(told, stack(ids.map(frames), 0)),
      show: async x => rows(await Promise.all(each(x).map(one => Promise.all(
        Array.from({ length: k }, (_, i) => seen(() => takeChannels(takeRole(rule, one(), 'output'), i, i + 1))),
      )))),
      wanted: async ids => rows(ids.map(id => Array.from({ length: k }, (_, i) => frame(id, i)))),
    }
  },

  latent(experiment, { targets, from, codec: trained }, placement) {
    const { rule, data } = experiment
    const codec = trained ?? untrained(experiment, placement)
    const [wanted, given] = [picturesOf(targets), from && picturesOf(from)]
    const images = (x: Tensor): Tensor => latentImages(rule, codec, x)
    const measures = measuresOf[judgedAs('latent', data.loss) as OfOutputs]
    const task = latentTask(rule, wanted, codec, {
      loss: losses[data.loss], ...(given && { from: given }), ...(isTold(data) && { condition: 'condition' }),
    })
    return {
      task,
      measures: Object.fromEntries(Object.entries(measures).map(([name, measure]): [string, Measure] => (
        [name, (x, ids) => measure(images(x), pick(wanted, ids, { like: x }))]))),
      told: images,
      wrong: (told, ids) => wrongValues(told, pick(wanted, ids, { like: told })),
      show: async x => row(each(x), one => seen(() => images(one()))),
      wanted: async ids => rows([ids.map(id => targets[id])]),
      ...(from && { given: async (ids: readonly number[]) => rows([ids.map(id => from[id])]) }),
    }
  },

  texture({ rule, data: { grid, levels, patch, projections, ranges } }, picture, placement) {
    const texture = scope(() => takeChannels(imageToTensor(overWhite(picture), placement), 0, 3))
    return {
      task: textureTask(rule, texture, { levels, size: patch, projections, ...(grid && { grid }), ...(ranges && { ranges }) }), measures: {},
      told: colours,
      show: async x => row(each(x), one => seen(() => colours(one()))),
      wanted: async () => picture,
    }
  },
}

/** A number for each image, `[n]` → `[n,1,1]`, with axes of size 1 for the cells of states x. */
function perImage(numbers: Tensor, x: Tensor): Tensor {
  return reshape(numbers, [-1, ...x.shape.slice(1, -1).map(() => 1)])
}

/** The untrained autoencoder of an experiment, with which data can be checked. */
function untrained(experiment: Experiment<'latent'>, placement: Omit<Placement, 'like'>): Codec {
  const autoencoder = autoencoderOf(experiment)
  return { autoencoder, params: initAutoencoder(autoencoder, keyOf(0), placement) }
}

/** Pictures as one tensor `[k,h,w,4]`. */
function targetsOf(pictures: readonly Image[], placement: Omit<Placement, 'like'>): Tensor {
  return scope(() => stack(pictures.map(picture => imageToTensor(picture, placement)), 0))
}

/**
 * A picture of examples: their inputs, targets and results side by side, as far as these have the same size, with a row for each
 * example.
 */
export async function sheetOf(lesson: Lesson, x: Tensor, ids: readonly number[], params: DataParams): Promise<Image> {
  const made = await lesson.show(x, ids, params)
  const all = [...(lesson.given ? [await lesson.given(ids)] : []), await lesson.wanted(ids), made]
  const isAlike = all.every(({ width, height }) => width === made.width && height === made.height)
  return isAlike ? filmStrip(all, { columns: made.width > made.height ? 1 : all.length, gap: 2 }) : made
}
