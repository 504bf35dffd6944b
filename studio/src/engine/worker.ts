/**
 * The program of the worker: it runs the commands of the rooms, of each room one after another.
 *
 * `computer` is the one name that is no room: it says what computes, and changes it. A GPU may be lost at any moment. Then
 * WebAssembly takes its place, the page is told so, and the command runs again: rooms keep what must not be lost on the host.
 */
import type { Backend } from 'cellgrad'
import { commands } from './commands.ts'
import { open, openWasm, type Choice, type Computer, type Engine, type Opened } from './engine.ts'
import type { Answer, Call } from './messages.ts'

type Command = (engine: Engine, ...args: readonly unknown[]) => unknown

/** What the page hears about what computes: that threads have joined, or that a GPU was lost. */
export type ComputerEvent = { readonly now: Computer; readonly lost: boolean }

let opened: Opened = openWasm(joined)

/** Threads have joined, maybe those of what has been replaced by now. */
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

/** The memory of the typed arrays in a value, to be handed over. */
function buffersIn(value: unknown, found: Set<ArrayBuffer> = new Set()): ArrayBuffer[] {
  if (ArrayBuffer.isView(value)) {
    if (value.buffer instanceof ArrayBuffer) found.add(value.buffer)
  } else if (Array.isArray(value)) for (const part of value) buffersIn(part, found)
  else if (typeof value === 'object' && value !== null) for (const part of Object.values(value)) buffersIn(part, found)
  return [...found]
}

/** Lets something else compute. A training is moved before what computed it is ended; where it cannot be, all stays as it is. */
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
  void before.close().catch(() => {}) // what is lost already cannot be ended any more
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

/** Does something after all that the room was asked for before. */
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
