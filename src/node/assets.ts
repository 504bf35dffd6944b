/**
 * The contents of the package beside its code: its version, the emoji of the paper, trained models, experiments.
 *
 * The package finds its own folder by its own name, which Node resolves inside a package as well as outside. So the
 * sources, a build and an installed copy all use the same path. Emoji and models are named by words and code points:
 * `lizard-1f98e.png` and `lizard-1f98e.safetensors`.
 */
import { readdir } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { didYouMean } from '../backends/options.ts'
import type { Image } from '../nca/files/image.ts'
import { readPng } from './pictures/png.ts'

const require = createRequire(import.meta.url)
const manifest = require.resolve('cellgrad/package.json')

/** The version of this package. */
export const version: string = (require(manifest) as { version: string }).version

/** The folder of Studio's page, which `npm run build` makes. */
export const studioFolder: string = join(dirname(manifest), 'dist', 'studio')

/** A bundled file. */
export type Asset = {
  /** 'lady-beetle' */
  readonly name: string
  /** '🐞'; '' where it shows no emoji. */
  readonly character: string
  readonly path: string
}

/** The bundled emoji, by name. */
export function bundledEmoji(): Promise<Asset[]> {
  return assets('emoji', '.png')
}

/** The bundled models, by name: those of emoji, then those of claims, which have no character. */
export async function bundledModels(): Promise<Asset[]> {
  return [...await assets('models', '.safetensors'), ...await assets('claims', '.safetensors')]
}

/** The path of a bundled experiment by its name, `learned-filters`, or its recipe's, `learnedFilters`; undefined for other words. */
export async function bundledExperiment(name: string): Promise<string | undefined> {
  const file = name.replaceAll(/[A-Z]/g, letter => `-${letter.toLowerCase()}`)
  return (await bundledExperiments()).find(asset => asset.name === file)?.path
}

/** The bundled experiments, by name. */
export function bundledExperiments(): Promise<Asset[]> {
  return assets('experiments', '.yaml')
}

async function assets(folder: string, extension: string): Promise<Asset[]> {
  const at = join(dirname(manifest), 'assets', folder)
  const files = await readdir(at).catch(() => [])
  return files.filter(file => file.endsWith(extension)).sort().map(file => {
    const parts = file.slice(0, -extension.length).split('-')
    const codes = parts.filter(isCodePoint)
    return {
      name: parts.filter(part => !isCodePoint(part)).join('-'),
      character: String.fromCodePoint(...codes.map(code => Number.parseInt(code, 16))),
      path: join(at, file),
    }
  })
}

function isCodePoint(part: string): boolean {
  return /^[0-9a-f]{4,6}$/.test(part) && /\d/.test(part)
}

/** The asset with a character or name. Variation selectors and case are ignored: 👁 is 👁️, Lizard is lizard. */
export function findAsset(list: readonly Asset[], what: string): Asset | undefined {
  const plain = (text: string): string => text.replaceAll('\ufe0f', '').toLowerCase().replaceAll(/[ _]/g, '-')
  return list.find(({ name, character }) => plain(what) === name || plain(what) === plain(character))
}

/** '🦋 butterfly, 🎄 christmas-tree, …' */
export function listAssets(list: readonly Asset[]): string {
  return list.map(({ name, character }) => `${character} ${name}`.trim()).join(', ')
}

/**
 * Where to get the picture of an emoji that is not bundled, as a sentence; '' if `what` is no emoji, or a flag. Noto
 * names its files after the code points, without the variation selector fe0f.
 */
export function otherEmoji(what: string): string {
  const codes = [...what].map(character => character.codePointAt(0)!.toString(16)).filter(code => code !== 'fe0f')
  if (!/^(?!.*\p{RI})[\p{Extended_Pictographic}\p{Emoji_Component}]+$/u.test(what) || codes[0].length < 4) return ''
  const url = `https://raw.githubusercontent.com/googlefonts/noto-emoji/main/png/128/emoji_u${codes.join('_')}.png`
  return codes.length > 12 ? '' : `; others are pictures of Noto Emoji: save ${url} and give its path`
}

/**
 * The picture of a bundled emoji, 64 × 64, by character or name.
 *
 * @throws if there is none; the message lists the bundled ones, and says where to get others
 * @example const lizard = await emoji('🦎')   // the same as emoji('lizard')
 */
export async function emoji(what: string): Promise<Image> {
  const list = await bundledEmoji()
  const found = findAsset(list, what)
  if (!found) {
    const got = JSON.stringify(what)
    const hint = didYouMean(what, list.map(({ name }) => name))
    throw new Error(`emoji: there is no ${got} among the bundled ones: ${listAssets(list)}${hint}${otherEmoji(what)}`)
  }
  return readPng(found.path)
}
