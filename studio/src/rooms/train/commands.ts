/**
 * What Train asks of the worker: a run is made, goes on, is changed by hand, is opened again, and is given away.
 */
import { encodeModel, fit, imageFromPixels, imageToPixels, padImage } from 'cellgrad'
import type { Image } from 'cellgrad'
import { configOf } from 'cellgrad/experiment'
import type { Config, PresetName } from 'cellgrad/experiment'
import type { Engine } from '../../engine/engine.ts'
import type { Pixels } from '../../ui/picture.ts'
import { exported, modelOf } from './exports.ts'
import type { Export, ExportName } from './exports.ts'
import { fieldsOf, valuesOf } from './fields.ts'
import type { Field } from './fields.ts'
import { Session } from './session.ts'
import type { Sample, TrainEvent } from './session.ts'
import { forgetRun, keepRun, listRuns, readRun } from './store.ts'
import type { Run, RunName } from './store.ts'

/** What a visitor chose for a new run. */
export type Order = {
  readonly name: string
  readonly preset: PresetName
  /** Values by the keys of fields, as text. */
  readonly texts: Readonly<Record<string, string>>
  /** What it is to grow, of any size. */
  readonly target: Pixels
}

/** A run that is open. */
export type OpenRun = {
  readonly id: string
  readonly name: string
  readonly config: Config
  /** What it is to grow, on its grid. */
  readonly target: Pixels
  readonly now: TrainEvent
  readonly slots: number
}

let session: Session | null = null

function here(): Session {
  if (!session) throw new Error('train: no run is open.')
  return session
}

/** A session of a run. Where what computes it is gone, it goes on from its checkpoint with what computes then. */
function sessionOf(engine: Engine, run: Run): Session {
  const own = new Session(engine, run, () => {
    if (session !== own) return
    session = sessionOf(engine, own.run)
    session.start()
    session.whole().then(engine.tell, engine.tell)
  })
  return own
}

async function opened(engine: Engine, next: Session): Promise<OpenRun> {
  session = next
  const { run } = next
  const whole = padImage(run.picture, run.config.padding)
  const target = { width: whole.width, height: whole.height, data: imageToPixels(whole) }
  return { id: run.id, name: run.name, config: run.config, target, now: await next.whole(), slots: next.state.pool.length }
}

/** The configuration of an order, or what is wrong with it. */
function checked({ preset, texts, name }: Omit<Order, 'target'>): ReturnType<typeof configOf> {
  return configOf({ preset, target: name }, valuesOf(texts))
}

export const train = {
  /** The fields of a preset. */
  fields: (_: Engine, preset: PresetName): Field[] => fieldsOf(preset),

  /** What is wrong with an order, by the key of its field. */
  check(_: Engine, order: Omit<Order, 'target'>): Record<string, string> {
    const found = checked(order)
    return 'config' in found ? {} : Object.fromEntries(found.mistakes.map(({ key, says }) => [key, says]))
  },

  /** Makes a run and begins to train it. */
  async make(engine: Engine, order: Order): Promise<OpenRun> {
    const found = checked(order)
    if (!('config' in found)) throw new Error(`train: ${found.mistakes[0].key} ${found.mistakes[0].says}.`)
    const { config } = found
    const picture: Image = fit(imageFromPixels(order.target), config.size)
    let opaque = false
    for (let i = 3; i < picture.data.length; i += 4) opaque ||= picture.data[i] >= 0.5 / 255
    if (!opaque) throw new Error('the target is fully transparent: there is nothing to grow.')
    await session?.stop()
    const run: Run = {
      id: crypto.randomUUID(), name: order.name, config, picture, running: true, iteration: 0, checkpoint: null,
      losses: [], norms: [], rates: [], changes: [], saved: Date.now(),
    }
    const next = sessionOf(engine, run)
    await keepRun(run).catch((error: Error) => engine.tell({ ...emptyEvent(run.id), trouble: error.message }))
    next.start()
    return opened(engine, next)
  },

  /** The runs that this browser keeps, the last first. */
  runs: (): Promise<RunName[]> => listRuns(),

  /** The run that is open in the worker, if one is. */
  async current(engine: Engine): Promise<OpenRun | null> {
    return session ? opened(engine, session) : null
  },

  /** Opens a kept run, which goes on if it was training when it was left. */
  async open(engine: Engine, id: string): Promise<OpenRun> {
    if (session?.run.id === id) return opened(engine, session)
    const run = await readRun(id)
    if (!run) throw new Error('this browser keeps no such run.')
    await session?.stop()
    const next = sessionOf(engine, run)
    if (run.running) next.start()
    return opened(engine, next)
  },

  async forget(_: Engine, id: string): Promise<void> {
    if (session?.run.id === id) {
      await session.stop()
      session = null
    }
    await forgetRun(id)
  },

  async pause(): Promise<void> {
    await here().stop()
  },

  /** Goes on, on what computes now. */
  async goOn(engine: Engine): Promise<void> {
    const now = here()
    if (now.backend.name !== engine.backend.name) session = sessionOf(engine, now.run)
    here().start()
  },

  /** Learns at another rate from now on. */
  async rate(_: Engine, rate: number): Promise<void> {
    if (!(rate > 0 && Number.isFinite(rate))) throw new Error(`the rate is ${rate}, expected a number > 0.`)
    await here().setRate(rate)
  },

  /** Damages every state of the pool. */
  hurt: (): Promise<void> => here().hurt(),

  /** Some states of the pool. */
  pool: (_: Engine, from: number, count: number): Promise<Sample[]> =>
    here().samples(Array.from({ length: count }, (_, i) => from + i)),

  /** A file of the run. */
  file: (_: Engine, what: ExportName): Promise<Export> => atRest(now => exported(now, what)),

  /** The model as bytes, for another room. */
  model: (): Promise<Uint8Array> => atRest(now => encodeModel(modelOf(now))),
}

/** Reads a run between two iterations: the next one lets go of what it supersedes. */
async function atRest<T>(read: (now: Session) => Promise<T>): Promise<T> {
  const now = here()
  const goes = now.running
  await now.stop()
  try {
    return await read(now)
  } finally {
    if (goes) now.start()
  }
}

function emptyEvent(id: string): TrainEvent {
  return { id, iteration: 0, losses: [], norms: [], rates: [], perSecond: 0, running: true }
}
