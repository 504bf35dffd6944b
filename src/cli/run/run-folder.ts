/**
 * The folder of a training run, and its files.
 *
 * target.png is exactly the picture that the run learns: the target is made once, stored with 8 bits a channel, and read back, so
 * a resumed run does not depend on a picture elsewhere. config.yaml is written after it: a folder with a
 * config.yaml is a run. Only the process that has locked the folder writes into it.
 */import { existsSync } from 'node:fs'
import { mkdir, readdir, rm, rmdir } from 'node:fs/promises'
import { basename, dirname, extname, join } from 'node:path'
import { fit, type Image } from '../../nca/files/image.ts'
import { bundledEmoji, bundledExperiments, findAsset, listAssets, otherEmoji, type Asset } from '../../node/assets.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { readImage } from '../../node/pictures/picture.ts'
import { decodePng, encodePng, readPng } from '../../node/pictures/png.ts'
import { loadRunConfig } from '../input/config-file.ts'
import { isGrowing, runYaml, type RunConfig } from '../../experiment/tasks/values.ts'
import type { Config } from '../../experiment/config/schema.ts'
import { didYouMean, isWhole } from '../../backends/options.ts'
import { quoted } from '../input/invocation.ts'
import { lock } from './lock.ts'
import { printable, say } from '../terminal/output.ts'
import { toNumber } from '../input/usage.ts'

/** A run: its folder, its configuration, its target (without padding) and the name of the target. */
export type Run = {
  readonly folder: string
  readonly config: RunConfig
  readonly target: Image
  readonly name: string
  /** The files that were in its folder before this process began it there; null if the run is resumed. */
  readonly found: readonly string[] | null
  /** Lets another process train in the folder. */
  release(): void
}

/** A target picture: its name, and the bytes of its file. */
export type Picture = { readonly name: string; readonly png: Uint8Array }

/** The names of a run's files. */
export const files = {
  model: 'model.safetensors',
  config: 'config.yaml',
  metrics: 'metrics.jsonl',
  chart: 'loss.svg',
  target: 'target.png',
  growth: 'growth.png',
  animation: 'growth.gif',
  regeneration: 'regeneration.gif',
  checkpoint: 'checkpoint.safetensors',
  tensorboard: 'tensorboard',
  best: 'best.safetensors',
  autoencoder: 'autoencoder.safetensors',
  made: 'made.png',
  about: 'about.json',
  report: 'report.md',
  pictures: 'pictures',
  ended: 'ended.txt',
} as const

/**
 * The target, given by an emoji, a name or a path, fitted into size × size and encoded as PNG.
 *
 * @throws if there is no such picture, or it is fully transparent
 */
export async function loadTarget({ data: { target, size } }: Config): Promise<Picture> {
  const emoji = await bundledEmoji()
  const found = findAsset(emoji, target)
  if (!found && !existsSync(target) && extname(target) === '') {
    const got = JSON.stringify(target)
    const hint = didYouMean(target, [...emoji, ...await bundledExperiments()].map(({ name }) => name))
    const known = `${listAssets(emoji)}${otherEmoji(target)}`
    throw new Error(`target: there is no file and no bundled emoji ${got}${hint} (${known})`)
  }
  const picture = await readImage(found?.path ?? target)
  const image = fit(picture, size)
  if (!hasAlpha(image, alpha => alpha >= 0.5 / 255)) { // a smaller alpha is stored as 0
    throw new Error(`target: ${target} is fully transparent: there is nothing to grow`)
  }
  if (!hasAlpha(picture, alpha => alpha < 0.99)) {
    say(`${target} is opaque, so its background will grow too; on a transparent one, what it shows grows by itself.`)
  }
  return { name: nameOf(target, emoji), png: encodePng(image) }
}

/** Whether some pixel has an alpha that fulfils a condition. */
function hasAlpha({ data }: Image, is: (alpha: number) => boolean): boolean {
  for (let i = 3; i < data.length; i += 4) if (is(data[i])) return true
  return false
}

/** The name of a target, from that of the emoji or the file, fit for file names and titles. */
function nameOf(target: string, emoji: readonly Asset[]): string {
  const name = findAsset(emoji, target)?.name ?? basename(target, extname(target))
  const plain = [...printable(name).replaceAll(/[/\\:]/g, '-').replace(/^[.\s-]+/, '')].slice(0, 40).join('').trim()
  return plain || 'picture'
}

/** Makes a new run in `out`, by default in out/<name>-<n> with the next free n. */
export async function createRun<C extends RunConfig>(config: C, { name, png }: Picture, out?: string): Promise<Run & { readonly config: C }> {
  const folder = out ?? await newFolder(join('out', name))
  const release = await takeFolder(folder)
  try {
    if (existsSync(join(folder, files.config))) {
      throw new Error(
        `train: ${folder} holds a run already; go on with it (--resume ${quoted(folder)}) or choose another folder`,
      )
    }
    const found = await readdir(folder)
    try {
      await writeFileAtomic(join(folder, files.target), png)
      await saveConfig({ folder, config })
    } catch (error) {
      await discardRun({ folder, found, release })
      throw error
    }
    return { folder, config, target: decodePng(png, files.target), name, found, release }
  } catch (error) {
    release()
    throw error
  }
}

/** Opens an existing run, with flags that override its configuration; only `saveConfig` makes them permanent. */
export async function openRun(folder: string, flags: Readonly<Record<string, unknown>>): Promise<Run> {
  const file = join(folder, files.config)
  if (!existsSync(folder)) throw new Error(`train: there is no folder ${folder}`)
  if (!existsSync(file)) throw new Error(`train: ${folder} holds no run to resume: it has no ${files.config}`)
  const release = await takeFolder(folder)
  try {
    const config = await loadRunConfig({ file, flags, command: 'cellgrad train' })
    const target = await readPng(join(folder, files.target))
    if (isGrowing(config) && (target.width !== config.data.size || target.height !== config.data.size)) {
      const got = `${target.width}×${target.height}`
      throw new Error(`train: ${join(folder, files.target)} is ${got}, but ${file} says data.size ${config.data.size}`)
    }
    return { folder, config, target, name: isGrowing(config) ? nameOf(config.data.target, await bundledEmoji()) : config.task, found: null, release }
  } catch (error) {
    release()
    throw error
  }
}

/** Removes a new run that failed: its own files, but none that were there before, and the folder if it is then empty. */
export async function discardRun({ folder, found, release }: Pick<Run, 'folder' | 'found' | 'release'>): Promise<void> {
  release()
  const own = Object.values(files).filter(name => !found?.includes(name))
  for (const name of own) await rm(join(folder, name), { recursive: true, force: true })
  await rmdir(folder).catch(() => {})
}

export async function saveConfig({ folder, config }: Pick<Run, 'folder' | 'config'>): Promise<void> {
  await writeFileAtomic(join(folder, files.config), runYaml(config))
}

/** Makes the folder if it is missing, locks it, and removes the temporary files of killed processes. */
export async function takeFolder(folder: string): Promise<() => void> {
  await makingFolder(folder, () => mkdir(folder, { recursive: true }))
  const release = await makingFolder(folder, () => lock(folder))
  for (const name of await readdir(folder)) {
    if (/^\.cellgrad-.*\.tmp$/.test(name)) await rm(join(folder, name), { force: true })
  }
  return release
}

/** Makes the folder stem-n, with n one more than the highest there is. Several processes at once each get their own. */
export async function newFolder(stem: string): Promise<string> {
  const parent = dirname(stem)
  await makingFolder(parent, () => mkdir(parent, { recursive: true }))
  const prefix = `${basename(stem)}-`
  const taken = (await readdir(parent))
    .filter(name => name.startsWith(prefix))
    .map(name => toNumber(name.slice(prefix.length)))
    .filter(n => isWhole(n))
  for (let n = 1 + Math.max(0, ...taken); ; n++) {
    const folder = `${stem}-${n}`
    const made = await makingFolder(folder, () => mkdir(folder).then(() => true, (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error
      return false
    }))
    if (made) return folder
  }
}

/** Turns a system error about a folder into a sentence that says why it cannot be made. */
async function makingFolder<T>(folder: string, make: () => Promise<T>): Promise<T> {
  return make().catch((cause: NodeJS.ErrnoException) => {
    if (cause.code === undefined) throw cause
    const reasons: Record<string, string> = {
      EEXIST: 'a file has this name',
      ENOTDIR: 'a part of its path is a file',
      ENAMETOOLONG: 'its name is too long',
    }
    const why = reasons[cause.code] ?? cause.message
    throw new Error(`train: cannot make the folder ${folder} (${why})`, { cause })
  })
}
