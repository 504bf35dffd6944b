/**
 * A training run, from its first iteration or from its checkpoint, to its pictures.
 *
 * Whatever ends it, what was learned is kept: at every checkpoint, at Ctrl-C, and where the loss stops being a number.
 * Where a GPU is lost, all that was on it is, and the last checkpoint remains.
 */
import { existsSync } from 'node:fs'
import { join, relative } from 'node:path'
import { explain } from '../nca/explain.ts'
import { imageToTensor, tensorToImage } from '../nca/files/image-tensor.ts'
import { padImage } from '../nca/files/image.ts'
import type { Image } from '../nca/files/image.ts'
import { growingTrainer } from '../nca/tasks/growing.ts'
import type { TrainerState } from '../nca/training/trainer.ts'
import type { DataParams, DataRule } from '../nca/rule.ts'
import { seed } from '../nca/state.ts'
import { rollout } from '../nca/step.ts'
import { NonFiniteError, train } from '../nca/training/train.ts'
import { key } from '../tensor/key.ts'
import { scope, supersede } from '../tensor/lifetime.ts'
import { saveGif, writeFilmStrip } from '../node/animation.ts'
import { version } from '../node/assets.ts'
import { writeFileAtomic } from '../node/atomic-file.ts'
import { lossCurveSvg } from '../node/chart.ts'
import { readCheckpoint, saveCheckpoint, saveModel } from '../node/model.ts'
import type { Computer } from './computer.ts'
import { ruleOf } from './config.ts'
import type { Config } from './config.ts'
import { untilInterrupted } from './interrupt.ts'
import { openMetrics, recentLoss } from './metrics.ts'
import type { Metric } from './metrics.ts'
import { duration, log10, showProgress } from './progress.ts'
import { files } from './run-folder.ts'
import type { Run } from './run-folder.ts'
import { isLive, pictureLines } from './screen.ts'

type State = TrainerState<DataParams>

/** Trains, saves and draws. Sets the exit status where the run did not reach its end. */
export async function runTraining(run: Run, { backend, name: computer }: Computer): Promise<void> {
  const { folder, config } = run
  const target = padImage(run.target, config.padding)
  const rule = ruleOf(config)
  const { batch, steps, pool, reseed, damaged, damage, optimiser, normalize, warmUp } = config
  const trainer = growingTrainer({
    rule, target: imageToTensor(target, { backend }), batch, steps, pool, reseed, damaged, damage, optimiser, normalize,
    warmUp,
  })
  const checkpoint = join(folder, files.checkpoint)
  let state = existsSync(checkpoint)
    ? (await readCheckpoint(checkpoint, { backend })).state
    : trainer.init(key(config.seed))
  const from = state.iteration
  let saved = from
  const log = await openMetrics(join(folder, files.metrics), from)
  const say = (line: string): void => { process.stdout.write(`${line}\n`) }
  const cells = `${target.width}×${target.height} cells`
  say(from === 0
    ? `Growing ${config.target} on ${cells}, ${config.iterations} iterations, in ${folder}`
    : `Going on with ${folder} from iteration ${from} of ${config.iterations}`)
  say(`Computing on: ${computer}`)
  say(`Rollouts run ${explain(rule, backend)}`)

  async function save(): Promise<void> {
    await log.sync()
    await saveCheckpoint(checkpoint, state)
    saved = state.iteration
    const provenance = provenanceOf(config, state, log.metrics)
    await saveModel(join(folder, files.model), { rule, params: state.params, provenance })
  }

  const display = showProgress(process.stdout, config.iterations, from, target)
  const interrupt = untilInterrupted(() => {
    display.end()
    say('Stopping after this iteration (Ctrl-C again to stop at once)')
  })
  const preview = (): Promise<Image> => grown(rule, state.params, config, target)

  /** Trains to the end or the interruption and saves. Returns why it stopped where the loss was no longer a number. */
  async function learn(): Promise<NonFiniteError<State> | null> {
    let failure: NonFiniteError<State> | null = null
    try {
      await display.picture(preview)
      for await (const progress of train(trainer, { iterations: config.iterations, state, signal: interrupt.signal })) {
        state = progress.state
        await log.append(progress)
        if (state.iteration % config.saveEvery === 0) await save()
        if (interrupt.signal.aborted) break
        display.update(progress)
        await display.picture(preview)
      }
    } catch (error) {
      if (!(error instanceof NonFiniteError)) throw error
      failure = error // and `state` is the one before
    } finally {
      display.end()
      interrupt.end()
    }
    await save()
    await log.close()
    return failure
  }

  const again = `${invocation()} train --resume ${quoted(folder)}`
  const failure = await learn().catch((error: Error) => {
    const how = backend.name === 'cpu' ? 'Go on with' : 'Go on with this, or with --backend cpu besides'
    throw new Error(
      `${error.message}\nSaved after iteration ${saved} of ${config.iterations}. ${how}:\n  ${again}`, { cause: error },
    )
  })
  if (failure) {
    throw new Error(`${failure.message} (saved in ${folder})`, { cause: failure })
  }
  if (state.iteration < config.iterations) {
    say(`Stopped and saved after iteration ${state.iteration} of ${config.iterations}. Go on with:\n  ${again}`)
    process.exitCode = interrupt.signal.reason === 'SIGTERM' ? 143 : 130
    return
  }

  const time = duration(log.metrics.at(-1)?.seconds ?? 0)
  const loss = log10(recentLoss(log.metrics))
  say(`Trained ${state.iteration} iterations in ${time}, log10 loss ${loss} (mean of the last 100)`)
  await draw(run, rule, state, log.metrics)
  say('')
  const width = join(folder, files.checkpoint).length
  for (const [what, file] of written) say(`${join(folder, file).padEnd(width)}  ${what}`)
  say(`\nPlay it: ${invocation()} grow ${quoted(join(folder, files.model))}`)
  if (isLive(process.stdout)) say(`\n${pictureLines(await preview(), process.stdout).join('\n')}`)
}

const written = [
  ['the trained rule', files.model],
  ['what it grows, over time', files.growth],
  ['the same, moving', files.animation],
  ['how it answers to damage', files.regeneration],
  ['what it should grow', files.target],
  ['the loss over the iterations', files.chart],
  ['every iteration in numbers', files.metrics],
  ['what was asked for', files.config],
  ['where training can go on', files.checkpoint],
] as const

function provenanceOf(config: Config, state: State, metrics: readonly Metric[]): Record<string, string> {
  return {
    cellgrad: version,
    target: config.target,
    preset: config.preset,
    seed: String(config.seed),
    iterations: String(state.iteration),
    loss: String(recentLoss(metrics)),
    grid: String(config.size + 2 * config.padding),
    steps: config.steps.join(' to '),
  }
}

/** The pattern after a rollout as long as those of the training. */
async function grown(rule: DataRule, params: DataParams, config: Config, { width, height }: Image): Promise<Image> {
  const steps = Math.round((config.steps[0] + config.steps[1]) / 2)
  const x = scope(() => rollout(rule, params, seed(rule, { height, width, like: params.update.w1 }), key(0), { steps }))
  const image = await tensorToImage(x)
  supersede(x, null, 'was drawn')
  return image
}

/** The pictures of a finished run. Growth is shown over twice the length of a rollout: what holds, what does not. */
async function draw(run: Run, rule: DataRule, { params }: State, metrics: readonly Metric[]): Promise<void> {
  const { folder, config, name } = run
  const size = config.size + 2 * config.padding
  const length = config.steps[1]
  const scaleTo = (pixels: number): number => Math.max(1, Math.round(pixels / size))
  const still = { key: key(0), size, scale: scaleTo(128), columns: 8 }
  const moving = { key: key(0), size, scale: scaleTo(256), every: 2 }
  const at = Array.from({ length: 16 }, (_, i) => Math.round(((i + 1) * length) / 8))
  await writeFilmStrip(join(folder, files.growth), rule, params, { ...still, at })
  await saveGif(join(folder, files.animation), rule, params, { ...moving, steps: 2 * length })
  await saveGif(join(folder, files.regeneration), rule, params, { ...moving, steps: 3 * length, damageAt: length })
  await writeFileAtomic(join(folder, files.chart), await lossCurveSvg({
    iterations: metrics.map(({ iteration }) => iteration),
    losses: metrics.map(({ loss }) => loss),
    title: `${name} ${config.size}×${config.size}, ${config.preset}`,
  }))
}

/** How this program was called, to be called again. */
function invocation(): string {
  const script = process.argv[1]
  if (script.endsWith('.ts')) return `node --import tsx ${quoted(relative('', script))}`
  if (script.includes('node_modules')) return 'npx cellgrad'
  return script.endsWith('.js') ? `node ${quoted(relative('', script))}` : 'cellgrad'
}

/** A word as a shell reads it. */
function quoted(word: string): string {
  return /^[\p{L}\p{N}\p{Emoji}_./:=@%+,-]+$/u.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}
