// The end of a GPU: `close` lets pending reads finish and refuses the rest; and however a program ends, it ends
// with its own exit code, not in a crash of the driver.

import { spawnSync } from 'node:child_process'
import { expect, it, vi } from 'vitest'
import { add, tensor, webgpu } from '../../src/index.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { bundled } from '../bundled.ts'
import { long } from '../long.ts'
import './gpu.ts'

it('comes after pending reads, and refuses everything else', async () => {
  const backend = await webgpu()
  const x = tensor([1, 1, 1], { backend })
  const read = add(x, x).data()
  const closed = Promise.all([backend.close(), backend.close()])
  expect(() => add(x, x)).toThrow('webgpu: the backend has been closed.')
  await closed
  expect(await read).toEqual(new Float32Array([2, 2, 2]))
  expect(() => add(x, x)).toThrow('webgpu: the backend has been closed.')
  expect(() => tensor([1], { backend })).toThrow('webgpu: the backend has been closed.')
  await expect(x.data()).rejects.toThrow('webgpu: the backend has been closed.')
})

it('comes after the last command', async () => {
  const opened = await openDevice()
  const backend = backendOn(opened)
  const x = tensor([1, 1, 1], { backend })
  add(x, x)
  let finish = (): void => {}
  const finished = new Promise<undefined>(done => { finish = () => done(undefined) })
  vi.spyOn(opened.device.queue, 'onSubmittedWorkDone').mockReturnValue(finished)
  const destroy = vi.spyOn(opened.device, 'destroy')
  const closed = backend.close()
  await new Promise(resolve => setTimeout(resolve, 10))
  expect(destroy).not.toHaveBeenCalled()
  finish()
  await closed
  expect(destroy).toHaveBeenCalledOnce()
})

type End = { status: number | null; signal: string | null; stdout: string; error: string | undefined }

/** Runs ending.ts. `before` is a module that is imported first. */
function run(how: string, before = ''): End {
  const imported = `data:text/javascript,${encodeURIComponent(before)}`
  const end = spawnSync(process.execPath, ['--import', imported, bundled('tests/webgpu/ending.ts'), how], { encoding: 'utf8' })
  const { status, signal, stdout } = end
  return { status, signal, stdout, error: /^Error: .*$/m.exec(end.stderr)?.[0] }
}

/** The device is destroyed when the process exits, which waits for the GPU: Dawn crashes now and then without it. */
const clean: End = { status: 0, signal: null, stdout: '2 4 6\ndestroyed\n', error: undefined }

const ends: Record<string, End> = {
  leave: clean,
  close: { ...clean, stdout: '2 4 6\ndestroyed\nclosed\n' },
  throw: { ...clean, status: 1, error: 'Error: on purpose' },
  exit: { ...clean, status: 3 },
  closeAndExit: { ...clean, status: 3, stdout: '2 4 6\ndestroyed\nclosed\n' },
  exitWhileClosing: { ...clean, status: 3 },
  read: { ...clean, stdout: '2 4 6\nread 1.000\ndestroyed\n' },
  readAndThrow: { ...clean, status: 1, error: 'Error: on purpose' },
  readAndExit: { ...clean, status: 3 },
  readAndExitSoon: { ...clean, status: 3 },
  interrupt: { ...clean, status: null, signal: 'SIGINT', stdout: '2 4 6\n' },
  interruptAndClose: { ...clean, status: 130, stdout: '2 4 6\nread 1.000\ndestroyed\nclosed\n' },
  interruptAndExit: { ...clean, status: 130 },
}
/** One of each kind of end. */
const few = ['leave', 'throw', 'closeAndExit', 'readAndExit', 'interruptAndClose']

it.each(Object.entries(ends).filter(([how]) => long || few.includes(how)))('lets the process end as usual: %s', (how, end) => {
  expect(run(how)).toEqual(end)
})

/** A module that replaces how Node finds or loads modules. */
function hook(source: string): string {
  return `import { register } from 'node:module'
    register('data:text/javascript,${encodeURIComponent(source).replaceAll("'", '%27')}')`
}

it('says what to install if the package is missing', () => {
  const missing = hook(`
    export const resolve = (name, context, next) => next(name === 'webgpu' ? 'no-such-package' : name)`)
  expect(run('leave', missing)).toMatchObject({ status: 1, error: 'Error: webgpu: there is no WebGPU here; '
    + 'in Node it comes with the optional package webgpu (npm install webgpu).' })
})

it('says why the package cannot be loaded', () => {
  const broken = hook(`
    export const load = (url, context, next) => url.includes('/node_modules/webgpu/')
      ? { format: 'module', shortCircuit: true, source: 'throw new Error("wrong ELF class")' } : next(url)`)
  expect(run('leave', broken)).toMatchObject({
    status: 1, error: 'Error: webgpu: the package webgpu cannot be loaded: wrong ELF class.',
  })
})
