/**
 * Training runs of reproductions: they show their progress, save every 200 iterations, and go on where they were interrupted. A
 * longer run goes on from a shorter one of the same part and seed, with the rate of its own schedule from there on: a warm
 * restart (Loshchilov & Hutter 2017).
 */
import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { key, NonFiniteError, train, type DataParams, type Image, type Trainer, type TrainerState } from '../../src/index.ts'
import { showProgress } from '../../src/cli/terminal/progress.ts'
import { readCheckpoint, saveCheckpoint } from '../../src/node/index.ts'
import type { Context } from './context.ts'

export type Learned<P = DataParams> = {
  readonly params: P
  readonly losses: readonly number[]
  readonly seconds: number
  /** The lengths of the shorter runs from which this one went on. */
  readonly shorter?: readonly number[]
}

export type LearnOptions<P = DataParams> = {
  readonly iterations: number
  /** Pictures for the terminal: the target, and the current result. */
  readonly target: Image
  readonly paint: (params: P) => Promise<Image>
}

/** Trains to the end. `part` is the name of the run within the reproduction. */
export async function learn<P = DataParams>(
  context: Context, part: string, trainer: Trainer<TrainerState<P>>, { iterations, target, paint }: LearnOptions<P>,
): Promise<Learned<P>> {
  const folder = join(context.work, context.name)
  mkdirSync(folder, { recursive: true })
  const name = `${part}-${context.seed}-`
  const file = join(folder, `${name}${iterations}.safetensors`)
  const from = longest(folder, name, iterations)
  const kept = from === null ? null : await readCheckpoint<P>(from)
  let state = kept?.state ?? trainer.init(key(context.seed))
  const losses: number[] = JSON.parse(kept?.metadata.losses ?? '[]'), shorter: number[] = JSON.parse(kept?.metadata.shorter ?? '[]')
  if (from !== null && from !== file) shorter.push(losses.length)
  const before = Number(kept?.metadata.seconds ?? 0)
  let seconds = before
  console.log(`${context.name}, ${part}: ${iterations} iterations${kept ? `, from ${state.iteration} on` : ''}`)
  if (state.iteration >= iterations) return { params: state.params, losses, seconds, shorter }
  const display = showProgress(process.stdout, iterations, state.iteration, target)
  try {
    await display.picture(() => paint(state.params))
    for await (const progress of train(trainer, { iterations, state })) {
      state = progress.state
      losses.push(progress.loss)
      seconds = before + progress.seconds
      const metadata = { losses: JSON.stringify(losses), seconds: String(seconds), shorter: JSON.stringify(shorter) }
      if (state.iteration % 200 === 0 || state.iteration === iterations) await saveCheckpoint(file, state, metadata)
      display.update(progress)
      await display.picture(() => paint(state.params))
    }
  } catch (error) {
    if (error instanceof NonFiniteError) throw new Error(`${context.name}, ${part}: ${error.message}`, { cause: error })
    throw error
  } finally {
    display.end()
  }
  return { params: state.params, losses, seconds, shorter }
}

/** The file of the longest run of this name that was planned for at most `iterations` iterations. */
function longest(folder: string, name: string, iterations: number): string | null {
  const plans = readdirSync(folder)
    .filter(file => file.startsWith(name) && /^\d+\.safetensors$/.test(file.slice(name.length)))
    .map(file => Number.parseInt(file.slice(name.length), 10))
    .filter(plan => plan <= iterations)
  return plans.length === 0 ? null : join(folder, `${name}${Math.max(...plans)}.safetensors`)
}

/** The curve of losses, averaged over a hundredth of them each. */
export function averaged(losses: readonly number[]): { readonly x: number; readonly y: number }[] {
  const each = Math.max(1, Math.ceil(losses.length / 100))
  return Array.from({ length: Math.ceil(losses.length / each) }, (_, i) => {
    const some = losses.slice(i * each, (i + 1) * each)
    return { x: i * each + some.length, y: some.reduce((a, b) => a + b) / some.length }
  })
}

/** '1,000 iterations in 5 min, log10 of the last losses −2.3', and whether it went on from shorter runs */
export function summary({ losses, seconds, shorter = [] }: Pick<Learned, 'losses' | 'seconds' | 'shorter'>): string {
  const last = losses.slice(-100)
  const mean = last.reduce((a, b) => a + b, 0) / last.length
  const time = seconds < 90 ? `${Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`
  const begun = shorter.length > 0 ? `, the first ${shorter.map(n => n.toLocaleString('en-US')).join(' and ')} by the schedule of a shorter run` : ''
  return `${losses.length.toLocaleString('en-US')} iterations in ${time}${begun}, log10 of the last losses ${Math.log10(mean).toFixed(2)}`
}
