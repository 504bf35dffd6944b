/**
 * A run in the worker: its state on a backend, the loop that trains it, and the events that it sends to the page.
 *
 * The loop lets the event loop turn between iterations, so that the worker handles commands while it runs. A change by hand
 * (another rate, damage to the pool) happens between two iterations and is saved at once: a later reload continues from
 * there and ends with the same bits.
 */
import {
  cpu, damageMask, decodeCheckpoint, decodeModel, encodeCheckpoint, erase, foldIn, imageToPixels, key, NonFiniteError,
  publishedCircles, rollout, samplePool, scope, seed, tensorToImage, train, writeBack, type Backend, type DataParams,
  type DataRule, type Drawn, type Image, type Trainer, type TrainerState,
} from 'cellgrad'
import { trainerOf, type Config } from 'cellgrad/experiment'
import type { Engine } from '../../engine/engine.ts'
import type { Pixels } from '../../ui/picture.ts'
import { keepRun, type Run } from './store.ts'

/** An event about a run. */
export type TrainEvent = {
  readonly id: string
  readonly iteration: number
  /** The numbers of the iterations since the last event, up to this one. */
  readonly losses: readonly number[]
  readonly norms: readonly number[]
  readonly rates: readonly number[]
  readonly perSecond: number
  readonly running: boolean
  /** What the rule grows at present; only in some events. */
  readonly grown?: Pixels
  /** The samples of the last batch after their rollout, if there is a pool; only in some events. */
  readonly batch?: readonly Sample[]
  /** Why it stopped by itself, or why it could not be saved. Null if it has just been saved. */
  readonly trouble?: string | null
}

/** A state of the pool as a picture, and what happened to it before its last rollout: nothing, or see `Drawn`. */
export type Sample = { readonly slot: number; readonly fate: number; readonly pixels: Pixels }

/** The milliseconds between events with numbers, and between those with pictures. */
const telling = 200, showing = 1500

/** The names of backends in sentences. */
const names: Readonly<Record<string, string>> = { cpu: 'WASM', webgpu: 'WebGPU' }

type State = TrainerState<DataParams>

export class Session {
  run: Run
  state: State
  readonly backend: Backend
  readonly rule: DataRule
  #trainer: Trainer<State>
  #engine: Engine
  #again: () => void
  #losses: number[]
  #norms: number[]
  #rates: number[]
  #told: number
  #fates = new Map<number, number>()
  #wanted = false
  /** Those who wait to read the state between two iterations. */
  #readers: (() => Promise<void>)[] = []
  #loop: Promise<void> = Promise.resolve()

  /** @param again called if the backend is lost: the owner of the session then makes a new one for its run */
  constructor(engine: Engine, run: Run, again: () => void) {
    this.#again = again
    this.#engine = engine
    this.backend = engine.backend.name === 'cpu' ? cpuFor(run.config, engine.backend) : engine.backend
    this.run = run
    this.rule = run.config.rule
    this.#trainer = this.#trainerNow()
    this.state = run.checkpoint
      ? decodeCheckpoint(run.checkpoint, run.name, { backend: this.backend, trainer: this.#trainer, maxBytes: 2 ** 31 }).state as State
      : this.#trainer.init(key(run.config.seed))
    const { iteration } = this.state
    this.#losses = run.losses.slice(0, iteration)
    this.#norms = run.norms.slice(0, iteration)
    this.#rates = run.rates.slice(0, iteration)
    this.#told = iteration
  }

  get config(): Config { return this.run.config }
  get running(): boolean { return this.#wanted }

  /** Trains in the background. */
  start(): void {
    if (this.#wanted || this.state.iteration >= this.config.train.iterations) return
    this.#wanted = true
    this.#loop = this.#learn().finally(() => this.#answer())
  }

  /** Reads the state: at once if the run is paused, else between two iterations, because an iteration releases the state that it replaces. */
  atRest<T>(read: () => Promise<T>): Promise<T> {
    if (!this.#wanted) return read()
    return new Promise((resolve, reject) => { this.#readers.push(() => read().then(resolve, reject)) })
  }

  async #answer(): Promise<void> {
    for (const read of this.#readers.splice(0)) await read()
  }

  /** Stops after the current iteration, and saves. */
  async stop(): Promise<void> {
    this.#wanted = false
    await this.#loop
  }

  async #learn(): Promise<void> {
    let trouble: string | undefined
    let told = 0, shown = 0, count = 0
    await Promise.resolve() // whoever starts a run asks for its state in the same turn, and gets it before the first iteration
    await this.#answer()
    const began = performance.now()
    try {
      for await (const progress of train(this.#trainer, { iterations: this.config.train.iterations, state: this.state })) {
        const { state, loss, gradNorm, rate, drawn } = progress
        this.state = state
        this.#losses.push(loss)
        this.#norms.push(gradNorm)
        this.#rates.push(rate)
        count++
        await this.#remember(drawn)
        await this.#answer()
        const now = performance.now()
        const perSecond = (1000 * count) / (now - began)
        if (now - shown > showing) {
          await this.#tell({ perSecond, grown: await this.grown(), batch: drawn ? await this.samples(drawn.slots) : undefined })
          shown = told = performance.now()
        } else if (now - told > telling) {
          await this.#tell({ perSecond })
          told = now
        }
        if (state.iteration % this.config.saveEvery === 0) {
          await this.#tell({ perSecond, trouble: await this.save().then(() => null, (error: Error) => error.message) })
        }
        if (!this.#wanted) break
      }
    } catch (error) {
      trouble = (error as Error).message
      if (!(error instanceof NonFiniteError)) { // do not save the state, which may be damaged: the last checkpoint is good
        this.#wanted = false
        return this.#engine.isGone(this.backend, error) ? this.#again() : this.#tell({ perSecond: 0, trouble })
      }
    }
    this.#wanted = false
    await this.save().catch((error: Error) => { trouble ??= error.message })
    await this.#tell({ perSecond: 0, grown: await this.grown(), trouble })
  }

  async #remember(drawn: Drawn | null): Promise<void> {
    if (!drawn) return
    const fates = await drawn.fates.data()
    drawn.slots.forEach((slot, i) => this.#fates.set(slot, fates[i]))
  }

  async #tell(news: Pick<TrainEvent, 'perSecond' | 'grown' | 'batch' | 'trouble'>): Promise<void> {
    const from = this.#told
    this.#told = this.state.iteration
    this.#engine.tell({
      id: this.run.id, iteration: this.state.iteration, running: this.#wanted,
      losses: this.#losses.slice(from), norms: this.#norms.slice(from), rates: this.#rates.slice(from), ...news,
    } satisfies TrainEvent)
  }

  /** Everything that the page needs to draw a run that it opens. */
  async whole(): Promise<TrainEvent> {
    return this.atRest(async () => {
      this.#told = this.state.iteration
      return {
        id: this.run.id, iteration: this.state.iteration, running: this.#wanted, perSecond: 0,
        losses: [...this.#losses], norms: [...this.#norms], rates: [...this.#rates], grown: await this.grown(),
      }
    })
  }

  async save(): Promise<void> {
    const { fma } = this.backend as { fma?: boolean }
    const checkpoint = await encodeCheckpoint(this.state, fma === undefined ? {} : { fma: fma ? 'on' : 'off' }) as Uint8Array<ArrayBuffer>
    const { backend, changes, iteration } = this.run
    const moved = backend && backend !== this.backend.name ? [`after iteration ${iteration}: ${names[this.backend.name]} went on with it`] : []
    this.run = {
      ...this.run, checkpoint, running: this.#wanted, iteration: this.state.iteration, saved: Date.now(),
      backend: this.backend.name, changes: [...changes, ...moved],
      losses: [...this.#losses], norms: [...this.#norms], rates: [...this.#rates],
    }
    await keepRun(this.run)
  }

  /** Makes a change between two iterations, and records it in the run. */
  async #between(change: string, act: () => void): Promise<void> {
    const goes = this.#wanted
    await this.stop()
    act()
    this.run = { ...this.run, changes: [...this.run.changes, `after iteration ${this.state.iteration}: ${change}`] }
    await this.save()
    if (goes) this.start()
  }

  /** Changes the learning rate from now on. */
  async setRate(rate: number): Promise<void> {
    await this.#between(`the rate became ${rate}`, () => {
      this.run = { ...this.run, rate }
      this.#trainer = this.#trainerNow()
    })
  }

  /** The trainer of the configuration, with the rate that was set by hand, if one was. */
  #trainerNow(): Trainer<State> {
    const { config, config: { train }, rate, picture, from, checkpoint } = this.run
    const optimiser = rate === null ? train.optimiser : { ...train.optimiser, rate }
    const params = from && !checkpoint ? decodeModel(from.bytes, from.name, { backend: this.backend, dtype: 'float32' }).params : undefined
    return trainerOf({ ...config, train: { ...train, optimiser } }, picture, { backend: this.backend }, params as DataParams)
  }

  /** Damages every state of the pool, as the trainer does, a few at a time. */
  async hurt(): Promise<void> {
    const { pool, iteration } = this.state
    if (pool.length === 0) throw new Error('this run has no pool to hurt: every batch begins from seeds.')
    await this.#between('the whole pool was damaged', () => {
      const [height, width] = this.state.pool[0].shape
      for (let from = 0; from < pool.length; from += 16) {
        const part = this.state.pool.slice(from, from + 16)
        this.state = scope(() => {
          const { slots, batch } = samplePool(part, key(0), part.length)
          const mask = damageMask(foldIn(key(iteration), from), publishedCircles, part.length, height, width, this.backend)
          return { ...this.state, pool: writeBack(this.state.pool, slots.map(slot => from + slot), erase(batch, mask)) }
        })
      }
    })
  }

  /** What the rule grows at present, after a rollout as long as those of the training. */
  async grown(): Promise<Pixels> {
    const { data: { size, padding }, train: { steps } } = this.config
    const [height, width] = [size + 2 * padding, size + 2 * padding]
    const x = scope(() => rollout(
      this.rule, this.state.params, seed(this.rule, { height, width, backend: this.backend }), key(0),
      { steps: Math.round((steps[0] + steps[1]) / 2) },
    ))
    return pixelsOf(await tensorToImage(x))
  }

  /** Some states of the pool, as pictures. */
  async samples(slots: readonly number[]): Promise<Sample[]> {
    const { pool } = this.state
    const some = slots.filter(slot => slot < pool.length)
    return Promise.all(some.map(async slot => {
      const state = pool[slot]
      const [height, width, channels] = state.shape
      const values = 'data' in state ? await state.data() : state.toArray()
      const picture = { width, height, data: rgbaOf(values as Float32Array, channels) }
      return { slot, fate: this.#fates.get(slot) ?? 0, pixels: pixelsOf(picture) }
    }))
  }
}

/** The most threads that can share a rollout: those of the machine if the page is isolated from other origins, else one. */
export function mostThreads(): number {
  return crossOriginIsolated ? navigator.hardwareConcurrency : 1
}

/** The usual CPU backend, or one for this run alone if its configuration sets threads or `fma`. */
function cpuFor({ fma, threads }: Config, usual: Backend): Backend {
  if (fma !== 'off' && threads === 0) return usual
  const count = Math.min(threads, mostThreads()) // the run may come from a page that had more
  return cpu({ fma: fma !== 'off', ...(count > 0 && { threads: count }) })
}

function rgbaOf(values: Float32Array, channels: number): Float32Array {
  const data = new Float32Array((values.length / channels) * 4)
  for (let i = 0; i < data.length; i++) data[i] = values[Math.floor(i / 4) * channels + (i % 4)]
  return data
}

/** A picture as 8-bit pixels, for the page or for a file. */
export function pixelsOf(image: Image): Pixels {
  return { width: image.width, height: image.height, data: imageToPixels(image) }
}
