/**
 * The configuration of a training run: all that there is to choose, and the published values as defaults.
 *
 * It is a flat list of what the trainer takes (`trainingFields`), with the rule (`ruleField`), and what a run on a computer
 * needs besides: a target, a seed, how often to save.
 */
import { record } from '../../backends/fields.ts'
import type { Field, Fields } from '../../backends/fields.ts'
import { oneOf, text, wholeFrom } from '../../backends/options.ts'
import { channelCount } from '../../nca/rule/channels.ts'
import { ruleField } from '../../nca/rule/table.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { presets } from '../../nca/training/presets.ts'
import { expectTraining, trainingFields } from '../../nca/training/trainer-options.ts'
import type { Complete } from '../../nca/training/trainer-options.ts'
import { backendMeanings, backendNames, fmaChoices } from './computers.ts'
import type { BackendName, FmaChoice } from './computers.ts'

export type PresetName = keyof typeof presets

/** How a run is computed and saved. */
export type Computing = {
  readonly seed: number
  readonly backend: BackendName
  readonly threads: number
  readonly fma: FmaChoice
  readonly saveEvery: number
}

export const computing: Fields<Computing> = {
  seed: { ...wholeFrom(0), default: 0, about: 'Seed of everything that is random' },
  backend: { ...oneOf(backendNames), default: 'cpu', about: `What computes: ${backendMeanings}` },
  threads: {
    ...wholeFrom(0, 1e9), default: 0,
    about: 'Threads that share the work on the CPU, 0 for as many as there are cores; the result is the same',
  },
  fma: {
    ...oneOf(fmaChoices), default: 'auto',
    about: 'Fused multiply-add on the CPU, which rounds otherwise: on; off; auto, where this engine has it (Node 22)',
  },
  saveEvery: { ...wholeFrom(1, 1e9), default: 100, about: 'Iterations between two checkpoints' },
}

export type Config = Omit<Complete<DataRule>, 'task' | 'params'> & Computing & {
  readonly preset: PresetName
  readonly target: string
  readonly size: number
  readonly padding: number
  readonly iterations: number
}

/** The fields, with the values of a preset for defaults where it has them. */
function published<T>(fields: Fields<T>): Fields<T> {
  const values = presets.growing as Readonly<Record<string, unknown>>
  return Object.fromEntries(Object.entries<Field>(fields).map(([name, field]) =>
    [name, name in values ? { ...field, default: values[name] } : field])) as Fields<T>
}

const aTarget = 'an emoji, its name, or the path of a picture'

/** The configuration. */
export const configField: Field<Config> = record<Config>({
  fields: published({
    preset: {
      ...oneOf(Object.keys(presets)), default: 'growing',
      about: 'Published experiment whose values are used where nothing else is said',
    },
    target: { ...text, fits: x => text.fits(x) && x !== '', expected: aTarget, default: '🦎', about: `What to grow: ${aTarget}` },
    size: { ...wholeFrom(1, 4096), about: 'Longer side of the target picture in cells' },
    padding: { ...wholeFrom(0, 4096), about: 'Empty cells around the target on each side' },
    iterations: { ...wholeFrom(1, 1e9), about: 'Iterations of training' },
    ...computing,
    ...trainingFields,
    rule: { ...ruleField, about: 'The rule' },
  }),
  together(config, expect) {
    const { batch, size, padding, rule } = config
    expectTraining(config, expect)
    expect(rule.grid === 2, ['rule', 'grid'], rule.grid, '2, for a picture')
    const channels = channelCount(rule.channels)
    expect(channels >= 4, ['rule', 'channels'], rule.channels, 'at least 4 channels: red, green, blue, alpha')
    const numbers = batch * (size + 2 * padding) ** 2 * channels
    expect(numbers <= 2 ** 28, ['size'], size, 'fewer cells, samples or channels: a batch may hold 268435456 numbers')
  },
})
