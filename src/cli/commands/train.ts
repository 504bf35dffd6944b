/**
 * `cellgrad train`: trains a rule to grow a picture, or for the task of an experiment file.
 */
import type { ArgsDef } from 'citty'
import { experimentFile, kebab, loadRunConfig } from '../input/config-file.ts'
import { defaultOf, describe } from '../../experiment/config/describe.ts'
import { arranged, placeOf } from '../../experiment/config/sections.ts'
import { valueAt, type JsonObject } from '../../experiment/flat.ts'
import { partsOf } from '../../experiment/tasks/parts.ts'
import { isGrowing } from '../../experiment/tasks/values.ts'
import { stretched } from '../run/minutes.ts'
import { hasParts, resumeParts, startParts } from '../run/repeats.ts'
import { textsIn } from '../run/lesson.ts'
import { resumeRun, startRun } from '../run/begin.ts'
import type { RunOptions } from '../run/training.ts'
import { argument, command, flag, minutes, toggle, verbose, type Command } from '../input/command.ts'
import { toNumber } from '../input/usage.ts'
import { loadOnMetrics } from '../run/watch.ts'
import { fetching } from './data.ts'

// Fields of the configuration that are flags too; the others are for a YAML file.
const fields = [
  'preset', 'size', 'padding', 'iterations', 'batch', 'seed', 'backend', 'threads', 'fma', 'saveEvery',
]
const words = ['preset', 'target', 'backend', 'fma']
// The flags that may change when a run is resumed: any other would make it a different run.
const changeable = ['iterations', 'backend', 'threads', 'fma', 'saveEvery']
// The iterations of a run that is given nothing but a target: a first try should not take a whole evening.
const firstTry = 2000

const about = (name: string): string => `${describe(placeOf(name).split('.')).description} (default: ${defaultOf(placeOf(name))})`

const args: ArgsDef = {
  target: argument(`${about('target')}; or an experiment, a .yaml or .json file or a bundled one: digits, texture, emoji, learned-filters, brain; see docs/experiments.md`),
  ...Object.fromEntries(fields.map(name => [kebab(name), flag(words.includes(name) ? 'name' : 'n', about(name))])),
  iterations: flag('n', `Iterations of training; ${firstTry} where neither --preset nor --config is given (default: ${defaultOf('train.iterations')})`),
  config: flag(
    'file.yaml',
    'Values that replace those of the preset; flags replace both. See cellgrad config (default: none)',
  ),
  set: flag('key=value', 'A value that overrides all others, by its path: train.rate=1e-3; may be given several times (default: none)'),
  minutes,
  out: flag('folder', 'Folder for the results (default: out/<target>-<n>)'),
  resume: flag(
    'folder',
    'Continue the run in this folder; --iterations, --backend, --threads, --fma and --save-every may differ '
      + '(default: none)',
  ),
  tensorboard: toggle('Writes event files for TensorBoard into the folder, in tensorboard/; a resumed run that has some continues them'),
  hyperparameters: flag('fields', "Fields in TensorBoard's table of hyperparameters, by their paths, separated by commas; a sweep sets its own (default: all)"),
  'on-metrics': flag('file.mjs', 'A module whose onMetrics(numbers, run) is called after each iteration (default: none)'),
  plain: toggle('Draws no pictures when it ends, like the runs of a sweep'),
  verbose,
}

export const train: Command = command('train', 'Train a neural cellular automaton: to grow a picture, or what the file of an experiment says', args, async given => {
  const { target, out, resume, config, 'on-metrics': module } = given.text
  const flags = Object.fromEntries(['target', ...fields].flatMap(name => {
    const text = given.text[kebab(name)]
    return text === undefined ? [] : [[name, words.includes(name) ? text : toNumber(text)]]
  }))
  const experiment = target && await experimentFile(target)
  if (experiment && config !== undefined) given.refuse(`${target} does not go with --config, which names a file too`)
  if (experiment) delete flags.target
  const file = experiment || config
  const set = given.set()
  const time = given.minutes()
  const options: RunOptions = {
    verbose: given.has('verbose'),
    tensorboard: given.has('tensorboard'),
    hyperparameters: given.text.hyperparameters?.split(',').map(placeOf),
    plain: given.has('plain'),
    onMetrics: module === undefined ? undefined : await loadOnMetrics(given.command, module),
  }
  if (resume !== undefined) {
    const [other] = Object.keys({ ...flags, ...(file && { config: file }), ...(Object.keys(set).length > 0 && { set }), ...(out && { out }), ...(time && { minutes: time }) })
      .filter(name => !changeable.includes(name))
    if (other !== undefined) {
      const what = other === 'target' ? 'a target' : `--${kebab(other)}`
      given.refuse(`${what} does not go with --resume, which goes on with the run as it is`)
    }
    if (!hasParts(resume)) return resumeRun(resume, flags, options)
    const [flag] = Object.keys(flags)
    if (flag !== undefined) given.refuse(`--${kebab(flag)} does not go with several runs; it goes with each by itself`)
    return resumeParts(resume, options)
  }
  const made = await loadRunConfig({ file, flags, set, command: given.command })
  for (const path of textsIn(made.data)) {
    const how = fetching(path)
    if (how !== null) given.refuse(`there is no ${path}; this fetches it: ${how}`)
  }
  if (partsOf(made).length > 1) {
    if (time !== undefined) given.refuse('--minutes does not go with several runs; set train.iterations')
    return startParts(made, { ...options, out })
  }
  const isFirstTry = isGrowing(made) && !file && valueAt(arranged(set) as JsonObject, 'train.iterations') === undefined && !time && flags.preset === undefined && flags.iterations === undefined
  const whole = isFirstTry ? stretched(made, firstTry) : made
  await startRun(whole, { ...options, out, minutes: time })
})
