import fs, { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi, type MockInstance } from 'vitest'
import { writeFileAtomic } from '../../src/node/atomic-file.ts'

const { open, rename } = fs

/** Spies on a function of node:fs/promises, also for modules that have imported it. */
function spied<F extends 'open' | 'rename'>(name: F): MockInstance<typeof fs[F]> {
  const spy = vi.spyOn(fs, name)
  syncBuiltinESMExports()
  return spy as unknown as MockInstance<typeof fs[F]>
}

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cellgrad-'))
  path = join(folder, 'model.safetensors')
})
afterEach(async () => {
  vi.restoreAllMocks()
  syncBuiltinESMExports()
  await rm(folder, { recursive: true })
})

describe('writeFileAtomic', () => {
  it('writes bytes and text, and replaces what was there', async () => {
    await writeFileAtomic(path, Uint8Array.of(1, 2, 3))
    expect([...await readFile(path)]).toEqual([1, 2, 3])
    await writeFileAtomic(path, 'short')
    expect(await readFile(path, 'utf8')).toBe('short')
    expect(await readdir(folder)).toEqual(['model.safetensors'])
  })

  it('removes what a killed process left long ago, and nothing else', async () => {
    const [old, young, other] = ['.cellgrad-old.tmp', '.cellgrad-young.tmp', 'notes.tmp']
    for (const name of [old, young, other]) await writeFile(join(folder, name), 'half')
    const yesterday = new Date(Date.now() - 86_400_000)
    for (const name of [old, other]) await utimes(join(folder, name), yesterday, yesterday)
    await writeFileAtomic(path, 'whole')
    expect((await readdir(folder)).sort()).toEqual([young, 'model.safetensors', other])
  })

  it('accepts a name without a folder', async () => {
    const name = `cellgrad-test-${process.pid}.tmp`
    try {
      await writeFileAtomic(name, 'here')
      expect(await readFile(name, 'utf8')).toBe('here')
    } finally {
      await rm(name, { force: true })
    }
  })

  it('syncs the file before it takes its name, and the folder after', async () => {
    const steps: string[] = []
    spied('open').mockImplementation(async (...args) => {
      const handle = await open(...args)
      const what = args[0] === folder ? 'folder' : 'file'
      const [write, sync] = [handle.writeFile.bind(handle), handle.sync.bind(handle)]
      handle.writeFile = async (...data) => { steps.push(`write ${what}`); await write(...data) }
      handle.sync = async () => { steps.push(`sync ${what}`); await sync() }
      return handle
    })
    spied('rename').mockImplementation(async (...args) => { steps.push('rename'); await rename(...args) })
    await writeFileAtomic(path, 'x')
    expect(steps).toEqual(['write file', 'sync file', 'rename', 'sync folder'])
  })
})

describe('a failure', () => {
  const noSpace = new Error('ENOSPC: no space left on device, write')

  /** `step` of the temporary file's handle fails after half of the bytes are written. */
  function failAt(step: 'writeFile' | 'sync'): void {
    spied('open').mockImplementationOnce(async (...args) => {
      const handle = await open(...args)
      await handle.write('ha')
      handle[step] = () => Promise.reject(noSpace)
      return handle
    })
  }

  it.each(['writeFile', 'sync'] as const)('of %s keeps the old file and leaves nothing behind', async step => {
    await writeFile(path, 'old')
    failAt(step)
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow(`file: cannot write ${path} (${noSpace.message})`)
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(folder)).toEqual(['model.safetensors'])
  })

  it('of the rename keeps the old file and leaves nothing behind', async () => {
    await writeFile(path, 'old')
    spied('rename').mockRejectedValueOnce(new Error('EXDEV'))
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow(`file: cannot write ${path} (EXDEV)`)
    expect(await readFile(path, 'utf8')).toBe('old')
    expect(await readdir(folder)).toEqual(['model.safetensors'])
  })

  it('names the path when it is a folder', async () => {
    await mkdir(path)
    await writeFile(join(path, 'kept'), '')
    await expect(writeFileAtomic(path, 'new')).rejects.toThrow(`file: cannot write ${path} (`)
    expect(await readdir(folder)).toEqual(['model.safetensors'])
  })

  it('names the path when its folder is missing, or is a file', async () => {
    await expect(writeFileAtomic(join(folder, 'no', 'a.png'), '')).rejects
      .toThrow(`file: cannot write ${join(folder, 'no', 'a.png')} (ENOENT: no such file or directory`)
    await writeFile(path, 'old')
    await expect(writeFileAtomic(join(path, 'a.png'), '')).rejects
      .toThrow(`file: cannot write ${join(path, 'a.png')} (ENOTDIR: not a directory`)
  })
})
