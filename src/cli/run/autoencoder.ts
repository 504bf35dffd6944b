/**
 * The autoencoder of a run in latents: it is trained in the folder of the run before the rule, and then frozen. It has a
 * checkpoint like any training, so a run that is killed meanwhile continues where it was, and ends with the same bits.
 */
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { Backend } from '../../backends/backend.ts'
import { autoencoderOf } from '../../experiment/tasks/latent-data.ts'
import type { Experiment } from '../../experiment/tasks/experiment.ts'
import { seen } from '../../experiment/tasks/seen.ts'
import type { Image } from '../../nca/files/image.ts'
import { decodeLatents, encodeLatents, type AutoencoderParams, type Codec } from '../../nca/latent/autoencoder.ts'
import { pick, type Examples } from '../../nca/tasks/examples.ts'
import { NonFiniteError, train } from '../../nca/training/train.ts'
import type { Trainer, TrainerState } from '../../nca/training/trainer.ts'
import { readCheckpoint, saveCheckpoint } from '../../node/model.ts'
import { foldIn, key } from '../../tensor/key.ts'
import { invocation, quoted } from '../input/invocation.ts'
import { untilInterrupted, type Interruption } from '../terminal/interrupt.ts'
import { complain, say } from '../terminal/output.ts'
import { errorOf, showProgress } from '../terminal/progress.ts'
import { files, type Run } from './run-folder.ts'

type State = TrainerState<AutoencoderParams>

/** The trainer, the pictures that it learns from, and the backend. */
type Learning = { readonly trainer: Trainer<State>; readonly images: Examples; readonly backend: Backend }

/** Trains an autoencoder to its end, from its checkpoint in this folder; if interrupted, returns null and sets the exit status. */
export async function trainedCodec({ folder }: Run, experiment: Experiment<'latent'>, { trainer, images, backend }: Learning): Promise<Codec | null> {
  const { iterations } = experiment.data.autoencoder
  const autoencoder = autoencoderOf(experiment)
  const path = join(folder, files.autoencoder)
  const found = existsSync(path) ? await readCheckpoint<AutoencoderParams>(path, { backend, trainer }) : null
  let state = found?.state ?? trainer.init(foldIn(key(experiment.seed), 1))
  if (state.iteration >= iterations) return { autoencoder, params: state.params }

  const from = state.iteration
  say(`${from === 0 ? 'First an autoencoder' : `Going on with the autoencoder from iteration ${from}`} of ${images.n} ${images.n === 1 ? 'picture' : 'pictures'}, ${iterations} iterations`)
  const image = (): ReturnType<typeof pick> => pick(images, [0], { backend })
  const display = showProgress(process.stdout, iterations, from, await seen(image))
  const remade = (): Promise<Image> => seen(() => decodeLatents(autoencoder, state.params, encodeLatents(autoencoder, state.params, image())))
  const interrupt = untilInterrupted(() => display.end())
  let loss = NaN
  try {
    await display.picture(remade)
    for await (const progress of train(trainer, { iterations, state, signal: interrupt.signal })) {
      ({ state, loss } = progress)
      if (state.iteration % experiment.saveEvery === 0 && state.iteration < iterations) await saveCheckpoint(path, state)
      if (interrupt.signal.aborted) break
      display.update(progress)
      await display.picture(remade)
    }
  } catch (error) {
    if (error instanceof NonFiniteError) await saveCheckpoint(path, state) // `state` is still the one before
    throw error
  } finally {
    display.end()
    interrupt.end()
  }
  await saveCheckpoint(path, state)
  if (state.iteration >= iterations) {
    say(`The autoencoder is trained, error ${errorOf(loss)}; now the rule, in its latents`)
    return { autoencoder, params: state.params }
  }
  const { name, why, status } = interrupt.signal.reason as Interruption
  process.exitCode = status
  const tell = name === 'output' ? complain : say
  tell(`Stopped and saved after iteration ${state.iteration} of ${iterations} of the autoencoder${why}. Go on with:`)
  tell(`  ${invocation()} train --resume ${quoted(folder)}`)
  return null
}
