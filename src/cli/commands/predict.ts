/**
 * `cellgrad predict`: applies a trained rule to pictures and volumes. The results are images of its output channels, the class
 * of each cell and of the whole, or the output of its head; a rule in latents begins from those of the picture, and the result is
 * decoded. Given only the folder of a run, it applies the rule to the run's own examples, whatever their task.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ArgsDef } from 'citty'
import { didYouMean } from '../../backends/options.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { arrayIn, isArray, stemOf } from '../../node/data/named.ts'
import { readModel } from '../../node/model.ts'
import { loadRunConfig } from '../input/config-file.ts'
import { argument, command, flag, type Command, type Given } from '../input/command.ts'
import { UsageError } from '../input/usage.ts'
import { modelOf } from '../run/judge.ts'
import { modelPath } from '../run/models.ts'
import { stepsOf } from '../run/lesson.ts'
import { askedOf, predictFile, type Applied } from '../run/predicted.ts'
import { predictOwn } from '../run/predicted-own.ts'
import { files } from '../run/run-folder.ts'
import { comparedOf } from '../run/uncertain.ts'

const args: ArgsDef = {
  model: argument('A trained model: its file, its name if bundled, or the folder of a run', { required: true }),
  'input…': argument('Pictures (PNG, JPEG, WebP, GIF, BMP), volumes (.nii, .nii.gz), arrays (.npy, .npz), or folders of these (default: the examples of the run; if some were held out, only these)'),
  out: flag('folder', 'Where results are written, by the names of the inputs, or the numbers of examples (default: predicted)'),
  steps: flag('n', 'Steps of the rule (default: the mean of those that it was trained for)'),
  guidance: flag('n', 'How strongly the rule follows its condition: 1 as it was trained; more, if it was trained with train.dropped (default: 1)'),
  window: flag('n', 'Covers larger inputs by windows of n cells along each axis, whose results are blended (default: none)'),
  overlap: flag('share', 'Share of a window that it has in common with the next (default: 0.5)'),
  runs: flag('n', 'Writes beside each result how much n runs differ in each cell: NAME.uncertainty.png, white for a deviation of ½, or an array (default: none)'),
  last: flag('n', 'The same for the last n steps of one run (default: none)'),
}

export const predict: Command = command('predict', 'Apply a trained rule to pictures and volumes, or to the examples of its run', args, async given => {
  const { model: path = '', out = 'predicted' } = given.text
  const [, ...inputs] = given.words
  if (inputs.length === 0) return predictRun(given, path, out)
  const inRun = [files.best, files.model].map(name => join(path, name)).find(file => existsSync(file))
  const { rule, params, provenance, codec, cascade } = await readModel(inRun ?? (existsSync(path) ? path : await modelPath('predict', path)))
  const asked = askedOf(provenance)
  if (codec && !asked.from) return given.refuse(`${path} lives in the latents of an autoencoder, and begins with one cell and not with a picture; cellgrad grow plays it`)
  const [, least, end] = /^(\d+) to (\d+)$/.exec(provenance.steps ?? '') ?? ['', '64', '96']
  const steps = given.number('steps', Math.round((Number(least) + Number(end) - 1) / 2), { least: 0, most: 1e6 })
  const role = codec ? 'latent' : ['image', 'input'].find(name => rule.frozen.includes(name))
  if (role === undefined) {
    const hint = didYouMean('input', rule.frozen)
    return given.refuse(`${path} is a rule without an input: none of its frozen roles is image or input${hint} (cellgrad grow plays it; of the folder of a run alone, predict writes what it makes)`)
  }
  const how = { compared: comparedOf(given, steps), window: windowOf(given), guidance: guidanceOf(given, rule) }
  if (how.window && how.compared) return given.refuse('--window does not go with --runs or --last')
  if (how.window && codec) return given.refuse('--window does not go with a rule in latents')
  if (how.window && rule.head) return given.refuse('--window does not go with a head, which answers for the whole')
  const all = (await Promise.all(inputs.map(inputsOf))).flat()
  const twin = all.find((path, i) => all.findIndex(other => nameOf(other) === nameOf(path)) < i)
  if (twin !== undefined) given.refuse(`the result of ${twin} would be called ${nameOf(twin)}, like that of another input; give them one after the other, each with an --out`)
  await mkdir(out, { recursive: true })
  const classes = provenance.classes?.split(' ') ?? []
  for (const one of all) await predictFile(one, join(out, nameOf(one)), { rule, params, cascade, codec, steps, role, asked, classes, ...how })
})

/** Writes what a run makes of its own examples. */
async function predictRun(given: Given, folder: string, out: string): Promise<void> {
  const file = join(folder, files.config)
  if (!existsSync(file)) return given.refuse(`INPUT is missing, and ${folder} is not a run with examples of its own; see cellgrad predict --help`)
  const other = ['window', 'overlap', 'runs', 'last'].find(name => given.text[name] !== undefined)
  if (other !== undefined) return given.refuse(`--${other} is for inputs that are given; cellgrad evaluate says how sure a run is of its own examples`)
  const config = await loadRunConfig({ file, set: {}, command: given.command })
  const steps = given.number('steps', stepsOf(config), { least: 0, most: 1e6 })
  await mkdir(out, { recursive: true })
  const model = await modelOf(folder)
  if (config.task === 'denoising' && given.text.guidance !== undefined) return given.refuse('--guidance does not apply to images made out of noise')
  await predictOwn(config, model, { steps, out, guidance: guidanceOf(given, model.rule) })
}

/** The scale of `guided`. */
function guidanceOf(given: Given, { frozen }: DataRule): number {
  const scale = given.number('guidance', 1, { least: 0, most: 1000, whole: false })
  return scale === 1 || frozen.length > 0 ? scale : given.refuse('--guidance is for rules that are told something, in frozen roles')
}

function windowOf(given: Given): Applied['window'] {
  if (given.text.window === undefined) return given.text.overlap === undefined ? null : given.refuse('--overlap needs --window')
  return { size: given.number('window', 0, { least: 1, most: 1e6 }), overlap: given.number('overlap', 0.5, { least: 0, most: 0.95, whole: false }) }
}

/** The name of the result of an input; for an array of an .npz file it has the array's name too. */
function nameOf(input: string): string {
  const [file, array] = arrayIn(input)
  return stemOf(basename(file)) + (array === undefined ? '' : `-${array}`)
}

/** The path itself if it is a file; of a folder, the files in it that can be read. */
async function inputsOf(path: string): Promise<string[]> {
  const [file] = arrayIn(path)
  if (!existsSync(file)) throw new UsageError(`cellgrad predict: there is no file or folder ${path}`)
  if (!(await stat(file)).isDirectory()) return [path]
  const names = (await readdir(path)).filter(name => /\.(png|jpe?g|webp|gif|bmp)$/i.test(name) || isArray(name)).sort()
  if (names.length === 0) throw new UsageError(`cellgrad predict: there are no pictures, volumes or arrays in ${path}`)
  return names.map(name => join(path, name))
}
