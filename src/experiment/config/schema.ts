/**
 * The configuration of a training run: everything that can be chosen, with the published values as defaults.
 *
 * Its sections are the data (`data`), the rule (`ruleField`), and the options of the trainer (`train`, by `trainingFields`).
 * Further fields are about the run itself: a seed, the backend, how often to save.
 */
import { list, orNull, readData, record, type Expect, type Field, type Fields } from '../../backends/fields.ts'
import { flag, oneOf, text, wholeFrom } from '../../backends/options.ts'
import { channelCount } from '../../nca/rule/channels.ts'
import { ruleField } from '../../nca/rule/table.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { presets } from '../../nca/training/presets.ts'
import { expectPool, expectTraining, trainingFields, type Complete } from '../../nca/training/trainer-options.ts'
import { backendMeanings, backendNames, fmaChoices, type BackendName, type FmaChoice } from './computers.ts'

export type PresetName = keyof typeof presets

/** What a run shows and reports. */
export type Report = {
  /** How many examples are shown. */
  readonly examples: number
  /** Iterations between two pictures that are kept; null: only at the end. */
  readonly every: number | null
  /** Metrics of the task at the end, by name; null: all. */
  readonly metrics: readonly string[] | null
  readonly tensorboard: boolean
}

/** How a run is computed, saved and reported. */
export type Computing = {
  readonly seed: number
  /** How many runs, with this seed and the following ones. */
  readonly seeds: number
  readonly report: Report
  readonly backend: BackendName
  readonly threads: number
  readonly fma: FmaChoice
  readonly saveEvery: number
}

export const computing: Fields<Computing> = {
  report: section<Report>({
    examples: { ...wholeFrom(1, 64), default: 8, about: 'Examples that are shown, held-out ones if there are any' },
    every: { ...orNull(wholeFrom(1)), default: null, about: 'Iterations between two pictures in the folder pictures; null: only at the end' },
    metrics: { ...orNull(list<string>(text, 'names of metrics', 1)), default: null, about: 'Metrics in report.md, like loss; null: all of the task' },
    tensorboard: { ...flag, default: false, about: 'Whether event files for TensorBoard are written' },
  }, 'What the report of the run contains'),
  seed: { ...wholeFrom(0), default: 0, about: 'Seed of everything that is random' },
  seeds: { ...wholeFrom(1, 1000), default: 1, about: 'Number of runs, with this seed and the following ones; the report has their mean and standard deviation' },
  backend: { ...oneOf(backendNames), default: 'cpu', about: `Where it computes: ${backendMeanings}` },
  threads: {
    ...wholeFrom(0, 1e9), default: 0,
    about: 'Threads that share the work on the CPU, 0 for as many as there are cores; the result is the same',
  },
  fma: {
    ...oneOf(fmaChoices), default: 'auto',
    about: 'Fused multiply-add on the CPU, which rounds differently: on; off; auto, if this engine has it (Node 22)',
  },
  saveEvery: { ...wholeFrom(1, 1e9), default: 100, about: 'Iterations between two checkpoints' },
}

/** How the rule is trained: the options of a trainer that are data, and the number of iterations. */
export type Training = Omit<Complete<DataRule>, 'rule' | 'task' | 'params'> & {
  readonly iterations: number
  /** The path of a model whose parameters are the initial ones, or null. */
  readonly from: string | null
}

/** The data of a run that grows one picture. */
export type GrowingData = { readonly target: string; readonly size: number; readonly padding: number }

/** A run that grows one picture. */
export type Config = Computing & {
  readonly task: 'growing'
  readonly preset: PresetName
  readonly data: GrowingData
  readonly rule: DataRule
  readonly train: Training
}

export const trainFields: Fields<Training> = {
  iterations: { ...wholeFrom(1, 1e9), about: 'Iterations of training' },
  from: { ...orNull(text), default: null, about: 'A model, .safetensors, from whose parameters training starts; null: from new ones' },
  ...trainingFields,
}

const aTarget = 'an emoji, its name, or the path of a picture'

export const dataFields: Fields<GrowingData> = {
  target: { ...text, fits: x => text.fits(x) && x !== '', expected: aTarget, default: '🦎', about: `What to grow: ${aTarget}` },
  size: { ...wholeFrom(1, 4096), about: 'Longer side of the target picture in cells' },
  padding: { ...wholeFrom(0, 4096), about: 'Empty cells around the target on each side' },
}

/** The section of the training. */
export const trainAbout = 'How the rule is trained'

/** Fields whose defaults are the values of the preset `growing`, where it has them. */
function published<T>(fields: Fields<T>): Fields<T> {
  const values = presets.growing as Readonly<Record<string, unknown>>
  return Object.fromEntries(Object.entries<Field>(fields).map(([name, field]) =>
    [name, name in values ? { ...field, default: values[name] } : field])) as Fields<T>
}

/** A section that may be omitted, since all of its fields have defaults. */
function section<T>(fields: Fields<T>, about: string): Field<T> {
  const field = record<T>({ fields })
  return { ...field, default: readData(field, {}).data, about }
}

/** Expects a training and its rule to fit together. */
export function expectTogether({ train, rule }: Pick<Config, 'train' | 'rule'>, expect: Expect): void {
  const within: Expect = (ok, path, got, expected, name) => expect(ok, ['train', ...path], got, expected, name)
  expectTraining({ ...train, rule }, within)
  expectPool(train, within)
}

/** The configuration. */
export const configField: Field<Config> = record<Omit<Config, 'task'>>({
  type: 'growing',
  fields: {
    preset: {
      ...oneOf(Object.keys(presets)), default: 'growing',
      about: 'Published experiment whose values are the defaults',
    },
    data: section(published(dataFields), 'What is to grow'),
    rule: { ...ruleField, default: presets.growing.rule, about: 'The rule' },
    train: section(published(trainFields), trainAbout),
    ...computing,
  },
  together(config, expect) {
    const { data: { size, padding }, train: { batch, cascade }, rule } = config
    expectTogether(config, expect)
    expect(rule.grid === 2, ['rule', 'grid'], rule.grid, '2, for a picture')
    expect(cascade === null, ['train', 'cascade'], cascade, 'null: one cell is nothing on a coarse grid; of other tasks rollouts may begin there')
    expect(rule.head === null, ['rule', 'head'], rule.head, 'null: nothing is learnt of a head in growing')
    const channels = channelCount(rule.channels)
    expect(channels >= 4, ['rule', 'channels'], rule.channels, 'at least 4 channels: red, green, blue, alpha')
    const numbers = batch * (size + 2 * padding) ** 2 * channels
    expect(numbers <= 2 ** 28, ['data', 'size'], size, 'fewer cells, samples or channels: a batch may hold 268435456 numbers')
  },
}, 'task') as Field<Config>
