/**
 * What Train asks of the worker: to make a run, to resume it, to change it by hand, to open it again, and to export it.
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

/** The visitor's choices for a new run. */
export type Order = {
  readonly name: string
  readonly preset: PresetName
  /** The values that differ from the preset, by the keys of fields. */
  readonly values: Readonly<Record<string, unknown>>
  /** The picture that it learns to grow, of any size. */
  readonly target: Pixels
  /** The model from whose parameters it begins; null: it begins with new ones. */
  readonly from: ModelFile | null
}

/** An order that may still lack a picture. */
type Draft = Pick<Order, 'name' | 'preset' | 'values'>

/** A run that is open. */
export type OpenRun = {
  readonly id: string
  readonly name: string
  readonly config: Config
  /** The picture that it learns to grow, on its grid. */
  readonly target: Pixels
  readonly now: TrainEvent
  readonly slots: number
  /** Whether another tab has it open: then it is shown as last saved, and is not trained here. */
  readonly elsewhere: boolean
}

let session: Session | null = null
/** Releases the lock of the open run; null if none is open, or another tab has it. */
let release: (() => void) | null = null

/** The open run, on the present backend: a GPU may have been lost while the run was paused. */
function here(engine: Engine): Session {
  if (!session) throw new Error('train: no run is open.')
  if (!session.running && session.backend.name !== engine.backend.name) session = sessionOf(engine, session.run)
  return session
}

/** The open run, to be changed. Throws if another tab has it. */
function mine(engine: Engine): Session {
  const now = here(engine)
  if (!release) throw new Error(inAnotherTab(now.run))
  return now
}

const inAnotherTab = ({ name }: { name: string }): string => `the run ${name} is open in another tab, and is trained only there.`

/** Saves and closes the open run, so that another tab may open it. */
async function leave(): Promise<void> {
  await session?.stop()
  session = null
  release?.()
  release = null
}

/** A session of a run. If its backend is lost, a new session continues from the last checkpoint on the next backend. */
function sessionOf(engine: Engine, run: Run): Session {
  const own = new Session(engine, run, () => {
    if (session !== own) return
    session = sessionOf(engine, own.run)
    session.start()
    session.whole().then(engine.tell, engine.tell)
  })
  return own
}

/** The target, `size` × `size`, rounded to 8 bits as in a file: training uses the same picture as the command line. */
function pictureOf(target: Pixels, { data: { size } }: Config): Image {
  return imageFromPixels(pixelsOf(fit(imageFromPixels(target), size)))
}

/** A picture on the grid of its run, for the page. */
function onGrid(picture: Image, { data: { padding } }: Config): Pixels {
  return pixelsOf(padImage(picture, padding))
}

/** A unique name. On pages that are not secure, `crypto.randomUUID` is missing. */
function newId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, '0')).join('')
}

/** The session of a new run. Throws if the model from which it begins does not fit its rule. */
function sessionOfNew(engine: Engine, run: Run): Session {
  try {
    return sessionOf(engine, run)
  } catch (error) {
    throw run.from ? new Error(`${run.from.name} does not fit this rule: ${(error as Error).message}`, { cause: error }) : error
  }
}

async function opened(next: Session): Promise<OpenRun> {
  const { run } = next
  return { id: run.id, name: run.name, config: run.config, target: onGrid(run.picture, run.config), now: await next.whole(), slots: next.state.pool.length, elsewhere: !release }
}

/** The configuration of an order, or its mistakes. */
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

  /** The mistakes of an order, by the key of the field. */
  check(_: Engine, order: Draft): Record<string, string> {
    const found = checked(order)
    return 'config' in found ? {} : Object.fromEntries(found.mistakes.map(({ key, says }) => [key, says]))
  },

  /** The target of an order, cell by cell on its grid; null if the order has mistakes. */
  preview(_: Engine, order: Draft & Pick<Order, 'target'>): Pixels | null {
    const found = checked(order)
    return 'config' in found ? onGrid(pictureOf(order.target, found.config), found.config) : null
  },

  /** Makes a run and starts to train it. */
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

  /** The runs that this browser keeps, the latest first. */
  runs: (): Promise<RunName[]> => listRuns(),

  /** The run that is open in the worker, if one is. */
  async current(engine: Engine): Promise<OpenRun | null> {
    return session ? opened(here(engine)) : null
  },

  /** Opens a kept run. It goes on training if it was when it was last saved, unless another tab has it. */
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

  /** Moves the run to the present backend: it is saved after the current iteration, and continues there. */
  async move(engine: Engine): Promise<void> {
    if (!session || session.backend.name === engine.backend.name) return
    const before = session
    const goes = before.running
    await before.stop()
    try {
      here(engine)
    } finally {
      if (goes) session.start() // on the old backend, if the new one could not take it
    }
    engine.tell(await session.whole())
  },

  /** Changes the learning rate from now on, given as text. */
  async rate(engine: Engine, typed: string): Promise<void> {
    const rate = Number(typed)
    if (!(rate > 0 && Number.isFinite(rate))) throw new Error(`the rate is ${JSON.stringify(typed)}, expected a number > 0, as 0.001 is.`)
    await mine(engine).setRate(rate)
  },

  /** Damages every state of the pool. */
  hurt: (engine: Engine): Promise<void> => mine(engine).hurt(),

  /** Some states of the pool. */
  pool(engine: Engine, from: number, count: number): Promise<Sample[]> {
    const now = here(engine)
    return now.atRest(() => now.samples(Array.from({ length: count }, (_, i) => from + i)))
  },

  /** A file of the run. */
  file: (engine: Engine, what: ExportName): Promise<Export> => saved(here(engine), now => exported(now, what)),

  /** The model as bytes, for another room. */
  model: (engine: Engine): Promise<Uint8Array> => saved(here(engine), now => encodeModel(modelOf(now))),
}

/** Reads a run as it is saved now: it stops for that long. */
async function saved<T>(now: Session, read: (now: Session) => Promise<T>): Promise<T> {
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
