/**
 * `cellgrad train`: a rule learns to grow a picture.
 */
import type { ArgDef, ArgsDef, CommandDef } from 'citty'
import { kebab, loadRunConfig } from '../input/config-file.ts'
import { defaultOf, describe } from '../../experiment/config/describe.ts'
import { arranged, placeOf } from '../../experiment/config/sections.ts'
import { bundledExperiment } from '../../node/assets.ts'
import { valueAt } from '../../experiment/flat.ts'
import type { JsonObject } from '../../experiment/flat.ts'
import { isGrowing } from '../../experiment/tasks/values.ts'
import { stretched } from '../run/minutes.ts'
import { resumeRun, startRun } from '../run/training.ts'
import type { RunOptions } from '../run/training.ts'
import { minutes, minutesOf, setValues, toNumber, UsageError, verbose } from '../input/usage.ts'
import type { Command, Given } from '../input/usage.ts'
import { loadOnMetrics } from '../run/watch.ts'

// Fields of the configuration that are flags too; the others are for a YAML file.
const fields = [
  'preset', 'size', 'padding', 'iterations', 'batch', 'seed', 'backend', 'threads', 'fma', 'saveEvery',
]
const words = ['preset', 'target', 'backend', 'fma']
// What may change when a run goes on: the rest would make it another run.
const changeable = ['iterations', 'backend', 'threads', 'fma', 'saveEvery']
// What a run has that is told nothing but a target: an evening is not what a first try is for.
const firstTry = 2000

const flag = (valueHint: string, description: string): ArgDef => ({ type: 'string', valueHint, description })
const about = (name: string): string => `${describe(placeOf(name).split('.')).description} (default: ${defaultOf(placeOf(name))})`

const args: ArgsDef = {
  target: { type: 'positional', required: false, description: `${about('target')}; or an experiment, a .yaml or .json file or a bundled one: digits, texture, emoji, learned-filters; see docs/experiments.md` },
  ...Object.fromEntries(fields.map(name => [kebab(name), flag(words.includes(name) ? 'name' : 'n', about(name))])),
  iterations: flag('n', `Iterations of training; ${firstTry} where neither --preset nor --config is given (default: ${defaultOf('train.iterations')})`),
  config: flag(
    'file.yaml',
    'Values that replace those of the preset; flags replace both. See cellgrad config (default: none)',
  ),
  set: flag('key=value', 'A value that is laid over all others, by its path: train.rate=1e-3; may be given several times (default: none)'),
  minutes,
  out: flag('folder', 'Folder for what comes of it (default: out/<target>-<n>)'),
  resume: flag(
    'folder',
    'Go on with the run in this folder, maybe with other --iterations, --backend, --threads, --fma, --save-every '
      + '(default: none)',
  ),
  tensorboard: {
    type: 'boolean',
    description: 'Writes event files for TensorBoard into the folder, tensorboard/; a run that has some goes on with them (default: false)',
  },
  'on-metrics': flag('file.mjs', 'A module whose onMetrics(numbers, run) is called after each iteration (default: none)'),
  plain: { type: 'boolean', description: 'Draws no pictures when it ends, as the runs of a sweep (default: false)' },
  verbose,
}

const definition: CommandDef = {
  meta: { name: 'train', description: 'Train a neural cellular automaton: to grow a picture, or what the file of an experiment says' },
  args,
  async run({ args: parsed, rawArgs }) {
    const given = parsed as unknown as Given
    const flags = Object.fromEntries(['target', ...fields].flatMap(name => {
      const text = given[kebab(name)]
      return text === undefined ? [] : [[name, words.includes(name) ? text : toNumber(text)]]
    }))
    const { out, resume } = given
    const experiment = given.target && (/\.(ya?ml|json)$/.test(given.target) ? given.target : await bundledExperiment(given.target))
    if (experiment && given.config !== undefined) throw new UsageError(`cellgrad train: ${given.target} does not go with --config, which names a file too`)
    if (experiment) delete flags.target
    const file = experiment || given.config
    const set = setValues('cellgrad train', rawArgs)
    const time = minutesOf('cellgrad train', given)
    const module = given['on-metrics']
    const options: RunOptions = {
      verbose: Boolean(given.verbose),
      tensorboard: Boolean(given.tensorboard),
      plain: Boolean(given.plain),
      onMetrics: module === undefined ? undefined : await loadOnMetrics('cellgrad train', module),
    }
    if (resume !== undefined) {
      const [other] = Object.keys({ ...flags, ...(file && { config: file }), ...(Object.keys(set).length > 0 && { set }), ...(out && { out }), ...(time && { minutes: time }) })
        .filter(name => !changeable.includes(name))
      if (other !== undefined) {
        const what = other === 'target' ? 'a target' : `--${kebab(other)}`
        throw new UsageError(`cellgrad train: ${what} does not go with --resume, which goes on with the run as it is`)
      }
      return resumeRun(resume, flags, options)
    }
    const config = await loadRunConfig({ file, flags, set, command: 'cellgrad train' })
    const isFirstTry = isGrowing(config) && !file && valueAt(arranged(set) as JsonObject, 'train.iterations') === undefined && !time && flags.preset === undefined && flags.iterations === undefined
    const whole = isFirstTry ? stretched(config, firstTry) : config
    await startRun(whole, { ...options, out, minutes: time })
  },
}

export const train: Command = { definition }
