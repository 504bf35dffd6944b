/**
 * Experiments of every task: what a file may say of one, field by field. What is learned is `task`, from what is `data`;
 * `rule` and `train` are what `defineRule` and the trainer take, by their own tables, or the values of a recipe.
 *
 *   task: classification
 *   recipe: digits                       # the values of the paper, where nothing else is said
 *   data: { images: data/mnist, limit: 2000 }
 *   train: { iterations: 500 }
 *   validate: { every: 100, folds: 5, fold: 0 }
 */
import { choice, either, list, orNull, record, type Field, type Fields, type Table } from '../../backends/fields.ts'
import { flag, isWhole, numberAbove, oneOf, text, wholeFrom } from '../../backends/options.ts'
import { ruleField } from '../../nca/rule/table.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { recipes } from '../../nca/training/recipes.ts'
import { computing, expectTogether, trainAbout, trainFields, type Computing, type Training } from '../config/schema.ts'

/** How far outputs are from what is wanted: of colours and shades, of masks, whose outputs are logits, and of several classes. */
export type ImageLoss = 'mse' | 'l1' | 'bce' | 'dice' | 'diceBce' | 'focal' | 'classes'

/** What output channels are, by the loss that they were trained with: values, logits of masks, or scores of classes. */
export function outputsOf(loss: unknown): 'values' | 'masks' | 'classes' {
  if (loss === 'classes') return 'classes'
  return ['bce', 'dice', 'diceBce', 'focal'].includes(loss as string) ? 'masks' : 'values'
}

/** What each task learns from: files and folders, and what is made of them. */
export type DataOf = {
  readonly conditional: { readonly targets: readonly string[]; readonly size: number; readonly padding: number }
  readonly trajectory: DataOf['conditional']
  readonly classification: {
    readonly images: string
    readonly size: number | null
    readonly limit: number | null
    readonly loss: 'mse' | 'mean' | 'cells' | 'image'
    readonly standardise: boolean
  }
  readonly imageToImage: {
    readonly inputs: string
    readonly outputs: string
    readonly loss: ImageLoss
    readonly standardise: boolean
  }
  readonly video: { readonly frames: string; readonly k: number; readonly limit: number | null }
  readonly texture: { readonly image: string; readonly size: number; readonly grid: readonly [number, number] | null; readonly levels: number }
}

export type TaskName = keyof DataOf

/** How a run is judged by examples that it does not learn from. */
export type Validate = {
  readonly every: number
  /** 'loss' or a metric of the task. The validation of a score, of which more is better, is 1 − it. */
  readonly metric: string
  /** Ends the run after so many validations that were not better than the best; null: never. */
  readonly patience: number | null
  /** A share of the examples is held out; null: a fold of them. */
  readonly split: number | null
  /** The examples are cut into so many folds, and one of them is held out: with 'all' each in turn, in a run of its own. */
  readonly folds: number
  readonly fold: number | 'all'
  readonly stratified: boolean
  /** A text file with a line for each example, which names its group: a group is in one fold. Null: none. */
  readonly groups: string | null
}

/** An experiment that is no growing of one picture (`Config` is that). */
export type Experiment<T extends TaskName = TaskName> = { [K in T]: Computing & {
  readonly task: K
  readonly recipe: keyof typeof recipes | null
  readonly data: DataOf[K]
  readonly rule: DataRule
  readonly train: Training
  readonly validate: Validate | null
} }[T]

const path = (about: string): Field<string> => ({ ...text, about })
const lossOf = <T extends string>(words: readonly T[], about: string): Field<T> => ({ ...oneOf(words), default: words[0] as never, about })
const standardise: Field<boolean> = { ...flag, default: false, about: 'Whether the numbers of each array get mean 0 and standard deviation 1' }
const limit: Field<number | null> = { ...orNull(wholeFrom(1)), default: null, about: 'Takes the first so many; null: all' }

function targetsAs(about: string): Fields<DataOf['conditional']> {
  return {
    targets: { ...list<string>(text, 'emoji, their names, or paths of pictures', 1), about },
    size: { ...wholeFrom(1, 4096), default: 40, about: 'Longer side of each picture in cells' },
    padding: { ...wholeFrom(0, 4096), default: 16, about: 'Empty cells around it on each side' },
  }
}

const data: { readonly [K in TaskName]: Fields<DataOf[K]> } = {
  conditional: targetsAs('What to grow, each by a condition of its own'),
  trajectory: targetsAs('What to become, one after the other: each has its place in train.readouts'),
  classification: {
    images: path('A folder: the files of MNIST, or pictures or arrays (.nii, .nii.gz, .npy, .npz) in a folder for each class'),
    size: { ...orNull(wholeFrom(1, 4096)), default: null, about: 'Side in cells to which pictures are fitted; null: as they are' },
    limit,
    loss: lossOf(['cells', 'image', 'mse', 'mean'], 'What is compared: each cell by cross-entropy, the vote of the cells, the sum of squares of seen cells, the mean of all cells'),
    standardise,
  },
  imageToImage: {
    inputs: path('A folder of pictures or of arrays: .nii, .nii.gz, .npy, .npz'),
    outputs: path('A folder of what should become of them, by the same names; labels of arrays are classes'),
    loss: lossOf(['mse', 'l1', 'bce', 'dice', 'diceBce', 'focal', 'classes'], 'How far outputs are from what is wanted; classes: cross-entropy of an output channel for each'),
    standardise,
  },
  video: {
    frames: path('An .npy file [videos,frames,height,width], or [frames,…] of one video'),
    k: { ...wholeFrom(1, 64), default: 2, about: 'Frames that are seen, and frames that are made' },
    limit,
  },
  texture: {
    image: path('A picture'),
    size: { ...wholeFrom(8, 4096), default: 64, about: 'Longer side to which it is fitted' },
    grid: {
      fits: x => x === null || (Array.isArray(x) && x.length === 2 && x.every(n => isWhole(n, 1))),
      expected: 'null or two whole numbers > 0', default: null, about: 'Rows and columns of the grid; null: those of the picture',
    },
    levels: { ...wholeFrom(1, 10), default: 3, about: 'Levels of the pyramid in which patches are compared' },
  },
}

const validateField = record<Validate>({
  fields: {
    every: { ...wholeFrom(1), about: 'Iterations between two validations; the best model is kept' },
    metric: { ...text, default: 'loss', about: 'What is judged: loss, or a metric of the task; of one that should be great, 1 − it' },
    patience: { ...orNull(wholeFrom(1)), default: null, about: 'Ends the run after so many validations no better than the best; null: never' },
    split: { ...orNull(numberAbove(0, 0.9)), default: null, about: 'Share of the examples that is held out; null: a fold' },
    folds: { ...wholeFrom(2), default: 5, about: 'Examples are cut into so many folds' },
    fold: { ...either<number | 'all'>(wholeFrom(0), oneOf(['all'])), default: 0, about: 'Which of them is held out, from 0; all: each in a run of its own' },
    stratified: { ...flag, default: true, about: 'Whether each class is held out as often' },
    groups: { ...orNull(text), default: null, about: 'A text file with a line for each example, which names its group: all of a group, a patient or a scene, are in one fold' },
  },
  together: ({ folds, fold, split, groups }, expect) => {
    expect(groups === null || split === null, ['groups'], groups, 'null where a share is held out: groups are kept together by folds')
    expect(fold === 'all' || fold < folds, ['fold'], fold, `a whole number from 0 to ${folds - 1}, or all`)
    expect(fold !== 'all' || split === null, ['split'], split, 'null, where each fold is held out in turn')
  },
})

function tableOf<K extends TaskName>(type: K): Table {
  const table: Table<Omit<Experiment<K>, 'task'>> = {
    type,
    fields: {
      recipe: { ...orNull(oneOf(Object.keys(recipes))), default: null, about: 'Published automaton whose values are used where nothing else is said' },
      data: { ...record<DataOf[K]>({ fields: data[type] }), about: 'What is learned from' },
      rule: { ...ruleField, about: 'The rule' },
      train: { ...record<Training>({ fields: trainFields }), about: trainAbout },
      validate: { ...orNull(validateField), default: null, about: 'How the run is judged by examples that it does not learn from, to keep the best; null: not' },
      ...computing,
    } as Fields<Omit<Experiment<K>, 'task'>>,
    together: (config, expect) => expectTogether(config, expect),
  }
  return table as Table
}

/** The names of the tasks. */
export const taskNames: readonly TaskName[] = Object.keys(data) as TaskName[]

/** What a file may say of an experiment. */
export const experimentField: Field<Experiment> = choice<Experiment>(taskNames.map(tableOf), 'task')

/** What a file may say of each. */
export const experimentFields: Readonly<Record<TaskName, Field>> =
  Object.fromEntries(taskNames.map(name => [name, record(tableOf(name), 'task')])) as Record<TaskName, Field>
