/**
 * Experiments of every task: the fields of their files. `task` is what is learned, `data` what it is learned from; `rule` and
 * `train` are the options of `defineRule` and of the trainer, by their own tables, or the values of a recipe.
 *
 *   task: classification
 *   recipe: digits                       # the values of the paper, unless something else is given
 *   data: { images: data/mnist, limit: 2000 }
 *   train: { iterations: 500 }
 *   validate: { every: 100, folds: 5, fold: 0 }
 */
import { choice, either, list, orNull, record, type Field, type Fields, type Table } from '../../backends/fields.ts'
import { expectedOf, flag, isWhole, numberAbove, oneOf, oneOfNames, text, wholeFrom } from '../../backends/options.ts'
import { rangesField, type RoleRanges } from '../../nca/losses/loss.ts'
import { ruleField } from '../../nca/rule/table.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { recipes } from '../../nca/training/recipes.ts'
import { limit, lossOf, path, paths, size, standardise, targetsAs, type Targets } from './data-fields.ts'
import { expectLatent, isTold, latentFields, type LatentData } from './latent-data.ts'
import { computing, expectTogether, trainAbout, trainFields, type Computing, type Training } from '../config/schema.ts'

/** The losses of image-to-image tasks, each with its kind of output: values, log depths, logits of masks, or scores of classes. */
const imageLosses = {
  mse: 'values', l1: 'values', ssim: 'values', depth: 'depths', bce: 'masks', dice: 'masks', diceBce: 'masks', focal: 'masks', classes: 'classes',
} as const
export type ImageLoss = keyof typeof imageLosses

/** The kind of the output channels, by the loss that they were trained with. */
export function outputsOf(loss: unknown): 'values' | 'depths' | 'masks' | 'classes' {
  return Object.hasOwn(imageLosses, loss as string) ? imageLosses[loss as ImageLoss] : 'values'
}

/** The data of each task: files and folders, and how they are used. */
export type DataOf = {
  readonly conditional: Targets & { readonly cells: 'all' | 'seed'; readonly loss: 'mse' | 'l1' | 'ssim' }
  readonly trajectory: Targets
  readonly classification: {
    readonly images: string
    readonly part: 'train' | 'val' | 'test'
    readonly size: number | null
    readonly limit: number | null
    readonly loss: 'mse' | 'mean' | 'cells' | 'image' | 'head'
    readonly standardise: boolean
  }
  readonly imageToImage: {
    readonly inputs: string | readonly string[]
    readonly outputs: string | readonly string[]
    readonly half: 'left' | 'right' | null
    readonly loss: ImageLoss
    readonly labels: 'foreground' | readonly (number | readonly number[])[] | null
    readonly size: number | null
    readonly crop: readonly number[] | null
    readonly limit: number | null
    readonly standardise: boolean
  }
  readonly denoising: {
    readonly images: string | readonly string[]
    readonly size: number | null
    readonly limit: number | null
    readonly standardise: boolean
    readonly levels: number
  }
  readonly video: {
    readonly frames: string
    readonly k: number
    readonly carry: boolean
    readonly size: number | null
    readonly limit: number | null
  }
  readonly latent: LatentData
  readonly texture: {
    readonly image: string
    readonly size: number
    readonly grid: readonly [number, number] | null
    readonly levels: number
    readonly patch: number
    readonly projections: number
    readonly ranges: RoleRanges | null
  }
}

export type TaskName = keyof DataOf

/** How a run is validated on examples that it does not learn from. */
export type Validate = {
  readonly every: number
  /** 'loss' or a metric of the task. For a score, where more is better, the validation is 1 − score. */
  readonly metric: string
  /** Ends the run after this many validations without a new best; null: never. */
  readonly patience: number | null
  /** The share of the examples that is held out; null: a fold of them. */
  readonly split: number | null
  /** How many folds the examples are cut into; one of them is held out or, with 'all', each in turn in a run of its own. */
  readonly folds: number
  readonly fold: number | 'all'
  readonly stratified: boolean
  /** A text file with a line for each example, the name of its group; a group is never split between folds. Null: no groups. */
  readonly groups: string | null
  /** A `splits_final.json` of nnU-Net, whose folds are taken; null: folds are drawn. */
  readonly splits: string | null
}

/** An experiment of any task except growing a single picture (for which there is `Config`). */
export type Experiment<T extends TaskName = TaskName> = { [K in T]: Computing & {
  readonly task: K
  readonly recipe: keyof typeof recipes | null
  readonly data: DataOf[K]
  readonly rule: DataRule
  readonly train: Training
  readonly validate: Validate | null
} }[T]

const data: { readonly [K in TaskName]: Fields<DataOf[K]> } = {
  conditional: {
    ...targetsAs('What to grow, each with its own condition'),
    cells: { ...oneOf(['all', 'seed']), default: 'all', about: 'Cells that have the role condition: all, if it is frozen; seed, only the first cell (a coloured seed)' },
    loss: lossOf(['mse', 'l1', 'ssim'], 'Distance of the grown picture from its target'),
  },
  trajectory: targetsAs('What to become, one after the other, at the steps in train.readouts'),
  classification: {
    images: path('A folder: the files of MNIST or CIFAR-10, or pictures or arrays (.nii, .nii.gz, .npy, .npz) in a folder for each class; or an .npz file with train_images and train_labels (MedMNIST), x_train and y_train (Keras), or images and labels'),
    part: { ...oneOf(['train', 'val', 'test']), default: 'train', about: 'Which part of MNIST, CIFAR-10 or an .npz file' },
    size,
    limit,
    loss: lossOf(['cells', 'image', 'mse', 'mean', 'head'], 'cells: cross-entropy of each cell; image: that of the mean scores; mse: sum of squares over cells with an input; mean: mean of squares over all cells; head: cross-entropy of the head of the rule'),
    standardise,
  },
  imageToImage: {
    inputs: { ...paths, about: 'A folder of pictures or of arrays (.nii, .nii.gz, .npy, .npz), files by a pattern with *, a list of files, one file, or an array of an .npz file, set.npz:images' },
    outputs: { ...paths, about: 'Their targets: files of the same names, or with the same text in place of the stars, or in the same order of a list' },
    half: { ...orNull(oneOf(['left', 'right'])), default: null, about: 'Which half of each picture is the input, and the other the target, where outputs are the same pictures as inputs, pairs side by side (pix2pix); null: whole pictures' },
    loss: lossOf(Object.keys(imageLosses) as ImageLoss[], 'Distance of outputs from their targets; for values mse, l1, or ssim; depth: scale-invariant, of logarithms, where depths are above 0; for masks bce, dice, diceBce, focal; classes: cross-entropy with an output channel for each'),
    labels: {
      ...orNull(either<'foreground' | readonly (number | readonly number[])[]>(oneOf(['foreground']), list(either(wholeFrom(0), list(wholeFrom(0), 'labels', 1)), 'labels, or lists of labels', 1))),
      default: null, about: 'How labels of the outputs become a mask or classes: foreground, all but 0; or a label, or a list of labels, for each class after the first, which has all other labels; null: as they are',
    },
    size,
    crop: {
      ...orNull(list(wholeFrom(1, 4096), 'sizes', 1)), default: null,
      about: 'Size along each axis of the pieces into which files are cut; for planes of a volume 1 along the other axis, like [64, 64, 1]; null: whole files',
    },
    limit,
    standardise,
  },
  denoising: {
    images: { ...paths, about: 'A folder of pictures or of arrays (.nii, .nii.gz, .npy, .npz), files by a pattern with *, a list of files, one file, or an array of an .npz file; pictures are learnt from −1, black, to 1, arrays as they are' },
    size,
    limit,
    standardise,
    levels: { ...wholeFrom(1, 1000), default: 20, about: 'Steps from pure noise to an image in cellgrad predict' },
  },
  video: {
    frames: path('An .npy file, or an array of an .npz file, [videos,frames,height,width], or [frames,…] of one video; or a folder with the frames as pictures, or with a folder for each video'),
    k: { ...wholeFrom(1, 64), default: 2, about: 'Frames in the input, and in the output' },
    carry: { ...flag, default: false, about: 'Whether a sample of the pool continues with the next window of its video: its own frames are its next input' },
    size,
    limit,
  },
  latent: latentFields,
  texture: {
    image: path('A picture'),
    size: { ...wholeFrom(8, 4096), default: 64, about: 'Longer side to which it is fitted' },
    grid: {
      fits: x => x === null || (Array.isArray(x) && x.length === 2 && x.every(n => isWhole(n, 1))),
      expected: 'null or two whole numbers > 0', json: { anyOf: [{ type: 'null' }, { type: 'array', items: { type: 'integer', minimum: 1 }, minItems: 2, maxItems: 2 }] },
      default: null, about: 'Rows and columns of the grid; null: those of the picture',
    },
    levels: { ...wholeFrom(1, 10), default: 3, about: 'Levels of the pyramid in which patches are compared' },
    patch: { ...wholeFrom(1, 127), default: 5, about: 'Side of the patches in cells' },
    projections: { ...wholeFrom(1, 65_536), default: 32, about: 'Random directions along which patches are compared' },
    ranges: {
      ...orNull(rangesField), default: null,
      about: 'Range of each role, outside of which its channels add to the loss; null: from −1 to 1 for all',
    },
  },
}

const validateField = record<Validate>({
  fields: {
    every: { ...wholeFrom(1), about: 'Iterations between two validations; the best model is kept' },
    metric: { ...text, default: 'loss', about: 'What is measured: loss, or a metric of the task; if more is better, 1 − its value' },
    patience: { ...orNull(wholeFrom(1)), default: null, about: 'Ends the run after this many validations without a better one; null: never' },
    split: { ...orNull(numberAbove(0, 0.9)), default: null, about: 'Share of the examples that is held out; null: one of the folds' },
    folds: { ...wholeFrom(2), default: 5, about: 'Number of folds into which the examples are divided' },
    fold: { ...either<number | 'all'>(wholeFrom(0), oneOf(['all'])), default: 0, about: 'The fold that is held out, from 0; all: each of them, in a separate run' },
    stratified: { ...flag, default: true, about: 'Whether the held-out examples have the classes in proportion' },
    groups: { ...orNull(text), default: null, about: 'A text file with a line for each example that names its group, a patient or a scene; all examples of a group are in one fold' },
    splits: { ...orNull(text), default: null, about: 'A splits_final.json of nnU-Net, whose folds are taken; a case has the name of its files without their ending, or what the stars of a pattern stand for; null: folds are drawn' },
  },
  together: ({ folds, fold, split, groups, splits }, expect) => {
    expect(splits === null || (split === null && groups === null), ['splits'], splits, 'null beside a split or groups: it has the folds already')
    expect(groups === null || split === null, ['groups'], groups, 'null where a share is held out: groups are kept together by folds')
    expect(fold === 'all' || fold < folds, ['fold'], fold, `a whole number from 0 to ${folds - 1}, or all`)
    expect(fold !== 'all' || split === null, ['split'], split, 'null, where each fold is held out in turn')
  },
})

/**
 * The roles of a rule that a task uses: `told` are its inputs, which must be frozen; `said` are its outputs.
 */
export function rolesOf(task: TaskName, data: object): {
  readonly told: readonly string[]; readonly said: readonly string[]
} {
  const { loss, cells } = data as { readonly loss?: unknown; readonly cells?: unknown }
  switch (task) {
    case 'conditional': return cells === 'seed' ? { told: [], said: ['condition'] } : { told: ['condition'], said: [] }
    case 'classification': return { told: ['image'], said: loss === 'head' ? [] : ['classes'] }
    case 'imageToImage': case 'video': return { told: ['input'], said: ['output'] }
    case 'denoising': return { told: ['noisy', 'level'], said: ['output'] }
    case 'latent': return { told: isTold(data as LatentData) ? ['condition'] : [], said: ['latent'] }
    case 'trajectory': case 'texture': return { told: [], said: [] }
  }
}

/** The metrics besides the loss: for classes of cells, for a head, and for each kind of output. */
export const metricNames = {
  cells: ['accuracyOfCells', 'accuracyOfImages', 'totalAgreement'], head: ['accuracyOfImages'],
  values: ['mse', 'l1'], ssim: ['mse', 'ssim', 'psnr'], depths: ['absRel', 'delta1'], masks: ['dice', 'iou'], classes: ['accuracyOfCells'],
} as const

/** The group of metrics of a task; undefined for a task that has only its loss. */
export function judgedAs(task: TaskName, loss: unknown): keyof typeof metricNames | undefined {
  if (task === 'classification') return loss === 'head' ? 'head' : 'cells'
  if (task === 'imageToImage' || task === 'latent') return loss === 'ssim' ? 'ssim' : outputsOf(loss)
  return undefined
}

function tableOf<K extends TaskName>(type: K): Table {
  const table: Table<Omit<Experiment<K>, 'task'>> = {
    type,
    fields: {
      recipe: { ...orNull(oneOf(Object.keys(recipes))), default: null, about: 'Published automaton whose values are the defaults' },
      data: { ...record<DataOf[K]>({ fields: data[type] }), about: 'What is learned from' },
      rule: { ...ruleField, about: 'The rule' },
      train: { ...record<Training>({ fields: trainFields }), about: trainAbout },
      validate: { ...orNull(validateField), default: null, about: 'Validation by examples that are not trained on, to keep the best model; null: none' },
      ...computing,
    } as Fields<Omit<Experiment<K>, 'task'>>,
    together(config, expect) {
      expectTogether(config, expect)
      const { rule: { head, channels, frozen }, data } = config
      const { told, said } = rolesOf(type, data)
      for (const role of [...told, ...said]) {
        expect(Object.hasOwn(channels, role), ['rule', 'channels'], Object.keys(channels), `a role ${role} among them, which ${type} reads`)
      }
      for (const role of told.filter(role => Object.hasOwn(channels, role))) {
        expect(frozen.includes(role), ['rule', 'frozen'], frozen, `${role} among them, in which cells are told something`)
      }
      const reads = type === 'classification' && (data as DataOf['classification']).loss === 'head'
      expect(reads || head === null, ['rule', 'head'], head, 'null where no loss is one of the head; only classification has one, data.loss: head')
      expect(!reads || head !== null, ['rule', 'head'], head, 'a head, of which data.loss is')
      if (type === 'latent') expectLatent(config as Pick<Experiment<'latent'>, 'rule' | 'data' | 'train'>, expect)
      if (type === 'imageToImage') {
        const { inputs, outputs, half } = data as DataOf['imageToImage']
        expect(half === null || String(inputs) === String(outputs), ['data', 'outputs'], outputs, `${String(inputs)}, as data.inputs, where data.half is ${half}: each picture is a pair`)
      }
      const carries = type === 'video' && (data as DataOf['video']).carry
      expect(!carries || config.train.pool > 0, ['train', 'pool'], config.train.pool, 'above 0 where data.carry is true: samples of the pool are carried on')
      expect(!carries || !config.validate?.groups, ['validate', 'groups'], config.validate?.groups, 'null where data.carry is true: the windows of a video are a group')
      expect(type === 'imageToImage' || !config.validate?.splits, ['validate', 'splits'], config.validate?.splits, 'null: only cases of imageToImage have names')
      const by = judgedAs(type, (data as { readonly loss?: unknown }).loss), metric = config.validate?.metric
      const known = ['loss', ...(by === undefined ? [] : metricNames[by])]
      expect(metric === undefined || known.includes(metric), ['validate', 'metric'], metric, expectedOf(oneOfNames(known), metric))
      const isOfClasses = type === 'imageToImage' && (data as DataOf['imageToImage']).loss === 'classes'
      expect(!isOfClasses || channels.output !== 1, ['rule', 'channels', 'output'], channels.output, 'at least 2 for data.loss: classes, one for each class; masks have another loss')
    },
  }
  return table as Table
}

/** The names of the tasks. */
export const taskNames: readonly TaskName[] = Object.keys(data) as TaskName[]

/** The fields of an experiment's file. */
export const experimentField: Field<Experiment> = choice<Experiment>(taskNames.map(tableOf), 'task')

/** The fields of an experiment's file, for each task. */
export const experimentFields: Readonly<Record<TaskName, Field>> =
  Object.fromEntries(taskNames.map(name => [name, record(tableOf(name), 'task')])) as Record<TaskName, Field>
