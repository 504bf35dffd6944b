/**
 * The folder of a training run, and what is in it.
 *
 * target.png is what the run learns, to the bit: the target is made once, stored in 8 bits a channel, and read back, so
 * that a resumed run does not depend on a picture elsewhere. config.yaml is written after it; a folder with a
 * config.yaml is a run.
 */
import { existsSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { fit } from '../nca/files/image.ts'
import type { Image } from '../nca/files/image.ts'
import { bundledEmoji, findAsset, listAssets, otherEmoji } from '../node/assets.ts'
import type { Asset } from '../node/assets.ts'
import { writeFileAtomic } from '../node/atomic-file.ts'
import { readImage } from '../node/picture.ts'
import { decodePng, encodePng, readPng } from '../node/png.ts'
import { configYaml, loadConfig } from './config-file.ts'
import type { Config } from './config.ts'
import { didYouMean } from '../tensor/options.ts'
import { toNumber } from './usage.ts'

/** A run: where it is, what it was told, what it learns (without padding) and how that is called. */
export type Run = { readonly folder: string; readonly config: Config; readonly target: Image; readonly name: string }

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
} as const

/**
 * A picture by emoji, name or path, fitted into size × size, as the PNG file that keeps it.
 *
 * @throws one sentence where there is no such picture
 */
async function loadTarget({ target, size }: Config): Promise<{ name: string; png: Uint8Array }> {
  const emoji = await bundledEmoji()
  const found = findAsset(emoji, target)
  if (!found && !existsSync(target) && extname(target) === '') {
    const got = JSON.stringify(target)
    const hint = didYouMean(target, emoji.map(({ name }) => name))
    const known = `${listAssets(emoji)}${otherEmoji(target)}`
    throw new Error(`target: there is no file and no bundled emoji ${got}${hint} (${known})`)
  }
  const image = fit(await readImage(found?.path ?? target), size)
  checkTarget(target, image)
  return { name: nameOf(target, emoji), png: encodePng(image) }
}

/** Refuses a picture of nothing, and has a word for one without a background to see through. */
function checkTarget(target: string, { data }: Image): void {
  const alphas = data.filter((_, i) => i % 4 === 3)
  if (alphas.every(alpha => alpha < 0.5 / 255)) {
    throw new Error(`target: ${target} is fully transparent: there is nothing to grow`)
  }
  if (alphas.every(alpha => alpha > 0.99)) {
    process.stdout.write(`${target} is opaque: the whole square will grow, background included; a picture that stands `
      + 'on transparency grows by itself\n')
  }
}

/** A target in words: the name of an emoji or of a file. */
function nameOf(target: string, emoji: readonly Asset[]): string {
  return findAsset(emoji, target)?.name ?? basename(target, extname(target))
}

/** Makes a new run in `out`, by default out/<name>-<n> with the first n that is free. */
export async function createRun(config: Config, out?: string): Promise<Run> {
  const { name, png } = await loadTarget(config)
  const folder = out ?? await freeFolder(join('out', name))
  if (existsSync(join(folder, files.config))) {
    throw new Error(`train: ${folder} holds a run already; go on with it (--resume ${folder}) or choose another folder`)
  }
  await mkdir(folder, { recursive: true })
  await writeFileAtomic(join(folder, files.target), png)
  await saveConfig({ folder, config })
  return { folder, config, target: decodePng(png, files.target), name }
}

/** A run that was begun, with flags laid over its configuration; `saveConfig` makes them last. */
export async function openRun(folder: string, flags: Readonly<Record<string, unknown>>): Promise<Run> {
  const file = join(folder, files.config)
  if (!existsSync(file)) throw new Error(`train: ${folder} holds no run to resume: it has no ${files.config}`)
  const config = await loadConfig({ file, flags, command: 'cellgrad train' })
  const target = await readPng(join(folder, files.target))
  if (target.width !== config.size || target.height !== config.size) {
    const got = `${target.width}×${target.height}`
    throw new Error(`train: ${join(folder, files.target)} is ${got}, but ${file} says size ${config.size}`)
  }
  // What a killed process left of files that it was writing.
  for (const name of await readdir(folder)) {
    if (/^\.cellgrad-.*\.tmp$/.test(name)) await rm(join(folder, name), { force: true })
  }
  return { folder, config, target, name: nameOf(config.target, await bundledEmoji()) }
}

export async function saveConfig({ folder, config }: Pick<Run, 'folder' | 'config'>): Promise<void> {
  await writeFileAtomic(join(folder, files.config), configYaml(config))
}

/** The first of stem-1, stem-2, … after the last one that there is. */
async function freeFolder(stem: string): Promise<string> {
  const prefix = `${basename(stem)}-`
  const siblings = await readdir(join(stem, '..')).catch(() => [])
  const taken = siblings.filter(name => name.startsWith(prefix)).map(name => toNumber(name.slice(prefix.length)))
  return `${stem}-${1 + Math.max(0, ...taken.filter(n => typeof n === 'number'))}`
}
