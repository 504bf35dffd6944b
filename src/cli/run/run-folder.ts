/**
 * The folder of a training run, and what is in it.
 *
 * target.png is what the run learns, to the bit: the target is made once, stored in 8 bits a channel, and read back, so
 * that a resumed run does not depend on a picture elsewhere. config.yaml is written after it; a folder with a
 * config.yaml is a run. Only the process that has locked the folder writes into it.
 */
import { existsSync } from 'node:fs'
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

/** A run: where it is, what it was told, what it learns (without padding) and how that is called. */
export type Run = {
  readonly folder: string
  readonly config: RunConfig
  readonly target: Image
  readonly name: string
  /** What was in its folder before this process began it there; null where it was begun before. */
  readonly found: readonly string[] | null
  /** Lets another process train in the folder. */
  release(): void
}

/** A target picture: what it is called, and its file. */
export type Picture = { readonly name: string; readonly png: Uint8Array }

/** The files of a run by what they are. */
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
 * A picture by emoji, name or path, fitted into size × size, as the PNG file that keeps it.
 *
 * @throws one sentence where there is no such picture
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
  if (!hasAlpha(image, alpha => alpha >= 0.5 / 255)) { // what is stored as 0 is nothing
    throw new Error(`target: ${target} is fully transparent: there is nothing to grow`)
  }
  if (!hasAlpha(picture, alpha => alpha < 0.99)) {
    say(`${target} is opaque, so its background will grow too; on a transparent one, what it shows grows by itself.`)
  }
  return { name: nameOf(target, emoji), png: encodePng(image) }
}

/** Whether the alpha of some pixel is so. */
function hasAlpha({ data }: Image, is: (alpha: number) => boolean): boolean {
  for (let i = 3; i < data.length; i += 4) if (is(data[i])) return true
  return false
}

/** A target in words: the name of an emoji or of a file, as a part of a file's name and of a title. */
function nameOf(target: string, emoji: readonly Asset[]): string {
  const name = findAsset(emoji, target)?.name ?? basename(target, extname(target))
  const plain = [...printable(name).replaceAll(/[/\\:]/g, '-').replace(/^[.\s-]+/, '')].slice(0, 40).join('').trim()
  return plain || 'picture'
}

/** Makes a new run in `out`, by default out/<name>-<n> with the first n that is free. */
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

/** A run that was begun, with flags laid over its configuration; `saveConfig` makes them last. */
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

/** Takes back a new run that has come to nothing, but for what was found there, and its folder if nothing else is in it. */
export async function discardRun({ folder, found, release }: Pick<Run, 'folder' | 'found' | 'release'>): Promise<void> {
  release()
  const own = Object.values(files).filter(name => !found?.includes(name))
  for (const name of own) await rm(join(folder, name), { recursive: true, force: true })
  await rmdir(folder).catch(() => {})
}

export async function saveConfig({ folder, config }: Pick<Run, 'folder' | 'config'>): Promise<void> {
  await writeFileAtomic(join(folder, files.config), runYaml(config))
}

/** Makes the folder if it is missing, keeps other processes out of it, and removes what a killed one was writing. */
export async function takeFolder(folder: string): Promise<() => void> {
  await makingFolder(folder, () => mkdir(folder, { recursive: true }))
  const release = await makingFolder(folder, () => lock(folder))
  for (const name of await readdir(folder)) {
    if (/^\.cellgrad-.*\.tmp$/.test(name)) await rm(join(folder, name), { force: true })
  }
  return release
}

/** Makes the first of stem-1, stem-2, … after the last one that there is. Of several processes each gets its own. */
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

/** Says in one sentence why a folder cannot be made, where the system says that. */
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
