/**
 * The program of the worker: it runs the commands of the rooms. Those of one room run one after another.
 *
 * `computer` is the only name that is not a room: its commands return the backend and change it. A GPU may be lost at any
 * moment. Then WebAssembly takes its place, the page is told, and the command runs again; so rooms keep on the host whatever
 * must not be lost.
 */
import type { Backend } from 'cellgrad'
import { commands } from './commands.ts'
import { open, openWasm, type Choice, type Computer, type Engine, type Opened } from './engine.ts'
import type { Answer, Call } from './messages.ts'

type Command = (engine: Engine, ...args: readonly unknown[]) => unknown

/** The event that tells the page of a change of the backend: threads have joined, or a GPU was lost. */
export type ComputerEvent = { readonly now: Computer; readonly lost: boolean }

let opened: Opened = openWasm(joined)

/** Tells the page that threads have joined, unless their backend has been replaced meanwhile. */
function joined(who: Opened): void {
  if (who === opened) say({ room: 'computer', event: { now: opened.computer, lost: false } satisfies ComputerEvent })
}

function engineOf(room: string): Engine {
  return {
    get backend() { return opened.backend },
    tell: event => say({ room, event }),
    isGone,
  }
}

function say(answer: Answer): void {
  postMessage(answer, { transfer: buffersIn('result' in answer ? answer.result : 'event' in answer ? answer.event : null) })
}

/** The buffers of the typed arrays in a value, which are to be transferred. */
function buffersIn(value: unknown, found: Set<ArrayBuffer> = new Set()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer)
  } else if (Array.isArray(value)) for (const part of value) buffersIn(part, found)
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) buffersIn(part, found)
  return [...found]
}

/** Changes the backend. A training is moved before its old backend is closed; if it cannot be moved, nothing changes. */
async function change(choice: Choice): Promise<Computer> {
  const before = opened, next = await open(choice, joined)
  opened = next
  try {
    await inTurn('train', () => commands.train.move(engineOf('train')))
  } catch (error) {
    opened = before
    void next.close()
    throw error
  }
  void before.close().catch(() => {}) // closing fails if the GPU is already lost
  return opened.computer
}

function isGone(backend: Backend, error: unknown): boolean {
  if (!/^webgpu: (the GPU was lost|the backend has been closed)/.test((error as Error).message)) return false
  if (opened.backend === backend) {
    opened = openWasm(joined)
    say({ room: 'computer', event: { now: opened.computer, lost: true } satisfies ComputerEvent })
  }
  return true
}

async function run({ room, name, args }: Call): Promise<unknown> {
  if (room === 'computer') return name === 'now' ? opened.computer : change(args[0] as Choice)
  const command = (commands as unknown as Record<string, Record<string, Command>>)[room][name]
  const { backend } = opened
  try {
    return await command(engineOf(room), ...args)
  } catch (error) {
    if (!isGone(backend, error)) throw error
    return command(engineOf(room), ...args)
  }
}

const last = new Map<string, Promise<unknown>>()

/** Runs something after everything that the room was asked for before. */
function inTurn(room: string, act: () => Promise<unknown>): Promise<unknown> {
  const done = (last.get(room) ?? Promise.resolve()).then(act)
  last.set(room, done.catch(() => {}))
  return done
}

addEventListener('message', ({ data }: MessageEvent<Call>) => {
  const { id, room } = data
  inTurn(room, () => run(data)).then(
    result => say({ id, result }),
    (error: Error) => say({ id, error: error.message }),
  )
})
