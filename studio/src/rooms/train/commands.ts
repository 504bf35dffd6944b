/**
 * What Train asks of the worker: a run is made, goes on, is changed by hand, is opened again, and is given away.
 */
import { encodeModel, fit, imageFromPixels, padImage, type Image } from 'cellgrad'
import { configOf, type Config, type Mistake, type PresetName } from 'cellgrad/experiment'
import type { Engine } from '../../engine/engine.ts'
import type { Pixels } from '../../ui/picture.ts'
import type { ModelFile } from '../model-file.ts'
import { exported, modelOf, type Export, type ExportName } from './exports.ts'
import { fieldsOf, valuesOf, type Field } from './fields.ts'
import { hold } from './hold.ts'
import { mostThreads, pixelsOf, Session, type Sample, type TrainEvent } from './session.ts'
import { forgetRun, keepRun, listRuns, readRun, type Run, type RunName } from './store.ts'

/** What a visitor chose for a new run. */
export type Order = {
  readonly name: string
  readonly preset: PresetName
  /** What is not as the preset has it, by the keys of fields. */
  readonly values: Readonly<Record<string, unknown>>
  /** What it is to grow, of any size. */
  readonly target: Pixels
  /** The model from whose parameters it begins; null: from none. */
  readonly from: ModelFile | null
}

/** What an order says before there is a picture. */
type Draft = Pick<Order, 'name' | 'preset' | 'values'>

/** A run that is open. */
export type OpenRun = {
  readonly id: string
  readonly name: string
  readonly config: Config
  /** What it is to grow, on its grid. */
  readonly target: Pixels
  readonly now: TrainEvent
  readonly slots: number
  /** Whether another tab has it: then it is shown as it was last saved, and is not trained here. */
  readonly elsewhere: boolean
}

let session: Session | null = null
/** Gives the open run back; null where none is open, or another tab has it. */
let release: (() => void) | null = null

/** The open run, on what computes now: a GPU may have been lost while it rested. */
function here(engine: Engine): Session {
  if (!session) throw new Error('train: no run is open.')
  if (!session.running && session.backend.name !== engine.backend.name) session = sessionOf(engine, session.run)
  return session
}

/** The open run, to be changed. */
function mine(engine: Engine): Session {
  const now = here(engine)
  if (!release) throw new Error(inAnotherTab(now.run))
  return now
}

const inAnotherTab = ({ name }: { name: string }): string => `the run ${name} is open in another tab, and is trained only there.`

/** Puts the open run away, saved, so that another tab may have it. */
async function leave(): Promise<void> {
  await session?.stop()
  session = null
  release?.()
  release = null
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

/** What is to grow, `size` × `size`, in 8 bits as files hold it: what is trained here is what the command line reads. */
function pictureOf(target: Pixels, { data: { size } }: Config): Image {
  return imageFromPixels(pixelsOf(fit(imageFromPixels(target), size)))
}

/** A picture on the grid of its run, as a page shows it. */
function onGrid(picture: Image, { data: { padding } }: Config): Pixels {
  return pixelsOf(padImage(picture, padding))
}

/** A name that no other run has, also where the page is not secure and `crypto.randomUUID` is missing. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}

/** The session of a new run, if the model from which it is to begin fits its rule. */
function sessionOfNew(engine: Engine, run: Run): Session {
  try {
    return sessionOf(engine, run)
  } catch (error) {
    throw run.from ? new Error(`${run.from.name} is no beginning for this rule: ${(error as Error).message}`, { cause: error }) : error
  }
}

async function opened(next: Session): Promise<OpenRun> {
  const { run } = next
  return { id: run.id, name: run.name, config: run.config, target: onGrid(run.picture, run.config), now: await next.whole(), slots: next.state.pool.length, elsewhere: !release }
}

/** The configuration of an order, or what is wrong with it. */
function checked({ preset, values, name }: Draft, from: ModelFile | null = null): { readonly config: Config } | { readonly mistakes: readonly Pick<Mistake, 'key' | 'says'>[] } {
  const found = configOf({ preset, data: { target: name }, train: { from: from?.name ?? null } }, valuesOf(values))
  const { threads } = values, most = mostThreads()
  if (typeof threads !== 'number' || threads <= most) return found
  const tooMany = { key: 'threads', says: `is ${threads}, expected at most ${most}, as many as this page runs at once; 0 for all` }
  return { mistakes: ['config' in found ? [] : found.mistakes, tooMany].flat() }
}

export const train = {
  /** The fields of a preset. */
  fields: (_: Engine, preset: PresetName): Field[] => fieldsOf(preset),

  /** What is wrong with an order, by the key of its field. */
  check(_: Engine, order: Draft): Record<string, string> {
    const found = checked(order)
    return 'config' in found ? {} : Object.fromEntries(found.mistakes.map(({ key, says }) => [key, says]))
  },

  /** What an order is to grow, cell by cell on its grid; null where something is wrong with it. */
  preview(_: Engine, order: Draft & Pick<Order, 'target'>): Pixels | null {
    const found = checked(order)
    return 'config' in found ? onGrid(pictureOf(order.target, found.config), found.config) : null
  },

  /** Makes a run and begins to train it. */
  async make(engine: Engine, order: Order): Promise<OpenRun> {
    const found = checked(order, order.from)
    if (!('config' in found)) throw new Error(`train: ${found.mistakes[0].key} ${found.mistakes[0].says}.`)
    const { config } = found
    const picture = pictureOf(order.target, config)
    let opaque = false
    for (let i = 3; i < picture.data.length; i += 4) opaque ||= picture.data[i] >= 0.5 / 255
    if (!opaque) throw new Error('the target is fully transparent: there is nothing to grow.')
    const run: Run = {
      id: newId(), name: order.name, config, rate: null, from: order.from, picture, running: true, backend: null, iteration: 0, checkpoint: null,
      losses: [], norms: [], rates: [], changes: [], saved: Date.now(),
    }
    const next = sessionOfNew(engine, run)
    await leave()
    release = await hold(run.id)
    session = next
    await keepRun(run).catch((error: Error) => engine.tell({ ...emptyEvent(run.id), trouble: error.message }))
    next.start()
    return opened(next)
  },

  /** The runs that this browser keeps, the last first. */
  runs: (): Promise<RunName[]> => listRuns(),

  /** The run that is open in the worker, if one is. */
  async current(engine: Engine): Promise<OpenRun | null> {
    return session ? opened(here(engine)) : null
  },

  /** Opens a kept run, which goes on if it was training when it was left, unless another tab has it. */
  async open(engine: Engine, id: string): Promise<OpenRun> {
    if (session?.run.id === id && release) return opened(here(engine))
    const held = await hold(id)
    try {
      const run = await readRun(id)
      if (!run) throw new Error('this browser keeps no such run.')
      const next = sessionOf(engine, run)
      await leave()
      session = next
      release = held
    } catch (error) {
      held?.()
      throw error
    }
    if (release && session.run.running) session.start()
    return opened(session)
  },

  async forget(_: Engine, { id, name }: Pick<RunName, 'id' | 'name'>): Promise<void> {
    if (session?.run.id === id && release) await leave()
    const held = await hold(id)
    if (!held) throw new Error(inAnotherTab({ name }))
    await forgetRun(id)
    held()
    if (session?.run.id === id) await leave()
  },

  async pause(engine: Engine): Promise<void> {
    await here(engine).stop()
  },

  async goOn(engine: Engine): Promise<void> {
    mine(engine).start()
  },

  /** Another backend computes from now on: the run is saved after the iteration under way, and goes on there. */
  async move(engine: Engine): Promise<void> {
    if (!session || session.backend.name === engine.backend.name) return
    const before = session
    const goes = before.running
    await before.stop()
    try {
      here(engine)
    } finally {
      if (goes) session.start() // with the one before, where this one cannot
    }
    engine.tell(await session.whole())
  },

  /** Learns at another rate from now on, as it was typed. */
  async rate(engine: Engine, typed: string): Promise<void> {
    const rate = Number(typed)
    if (!(rate > 0 && Number.isFinite(rate))) throw new Error(`the rate is ${JSON.stringify(typed)}, expected a number > 0, as 0.001 is.`)
    await mine(engine).setRate(rate)
  },

  /** Damages every state of the pool. */
  hurt: (engine: Engine): Promise<void> => mine(engine).hurt(),

  /** Some states of the pool. */
  pool: (engine: Engine, from: number, count: number): Promise<Sample[]> =>
    here(engine).samples(Array.from({ length: count }, (_, i) => from + i)),

  /** A file of the run. */
  file: (engine: Engine, what: ExportName): Promise<Export> => atRest(here(engine), now => exported(now, what)),

  /** The model as bytes, for another room. */
  model: (engine: Engine): Promise<Uint8Array> => atRest(here(engine), now => encodeModel(modelOf(now))),
}

/** Reads a run between two iterations: the next one lets go of what it supersedes. */
async function atRest<T>(now: Session, read: (now: Session) => Promise<T>): Promise<T> {
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
