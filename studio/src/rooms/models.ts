/// <reference types="vite/client" />
/**
 * All models of the page: those that come with it, and those that the visitor opened or trained, which every room has
 * until the page is closed.
 *
 * The files of bundled emoji models have the names of their pictures, words and a code point:
 * `lady-beetle-1f41e.safetensors` grows `lady-beetle-1f41e.png`, 🐞. Models of other families have only a name.
 */
import { useEffect, useState } from 'preact/hooks'
import digits from '../../../assets/claims/digits-mse.safetensors?url'
import { pixelsOf } from '../ui/picture.ts'
import type { ModelFile, Target } from './model-file.ts'

const files: Record<string, string> = import.meta.glob('../../../assets/models/*.safetensors', { query: '?url', import: 'default', eager: true })
const faces: Record<string, string> = import.meta.glob('../../../assets/emoji/*.png', { query: '?url', import: 'default', eager: true })

const families: Record<string, string> = {
  '/digits.safetensors': digits,
  ...import.meta.glob('../../../assets/studio/*.safetensors', { query: '?url', import: 'default', eager: true }),
}

export type Bundled = {
  readonly name: string
  /** The address of its picture, since not every system has a font with emoji; null where it has none. */
  readonly face: string | null
  /** What it does, in a word or two. */
  readonly words: string
  readonly url: string
}

/** What the models of other families do, in words. */
const doings: Readonly<Record<string, string>> = {
  digits: 'reads digits', emoji: 'emoji by choice', inside: 'finds the inside', texture: 'texture of bricks',
}

const isCodePoint = (part: string): boolean => /^[0-9a-f]{4,6}$/.test(part) && /\d/.test(part)

/** The lizard comes first: everyone who has read the paper remembers it. */
const emoji: readonly Bundled[] = Object.entries(files).map(([path, url]) => {
  const name = path.replace(/^.*\//, '').replace(/\.safetensors$/, '').split('-').filter(part => !isCodePoint(part)).join('-')
  return { name, face: faces[path.replace('/models/', '/emoji/').replace('.safetensors', '.png')], words: name, url }
}).sort((a, b) => Number(b.name === 'lizard') - Number(a.name === 'lizard'))

export const bundledModels: readonly Bundled[] = [...emoji, ...Object.entries(families).map(([path, url]) => {
  const name = path.replace(/^.*\//, '').replace(/\.safetensors$/, '')
  return { name, face: null, words: doings[name] ?? name, url }
})]

/** The side of the pictures on which the emoji models were trained, in cells; empty cells lie around them. */
const pictureSize = 40

const fetched = new Map<string, Promise<ModelFile>>()

/** A bundled model, fetched only once. */
function fetchModel({ url, name }: Bundled): Promise<ModelFile> {
  const known = fetched.get(name) ?? fetch(url).then(async response => {
    if (!response.ok) throw new Error(`the model ${name} could not be fetched: ${response.status}.`)
    return { name, bytes: new Uint8Array(await response.arrayBuffer()) }
  })
  fetched.set(name, known)
  known.catch(() => fetched.delete(name)) // so that it can be tried again
  return known
}

let own: readonly ModelFile[] = []
const listeners = new Set<(own: readonly ModelFile[]) => void>()

/** The visitor's models; the component renders again when there is a new one. */
export function useOwnModels(): readonly ModelFile[] {
  const [now, setNow] = useState(own)
  useEffect(() => {
    listeners.add(setNow)
    return () => { listeners.delete(setNow) }
  }, [])
  return now
}

/** Keeps a model of the visitor's, and returns it as kept: if its name is already taken, a number is added to it. */
export function keepModel(file: ModelFile): ModelFile {
  const stem = file.name.replace(/ \d+$/, '')
  const known = own.find(({ name, bytes }) => name.replace(/ \d+$/, '') === stem && sameBytes(bytes, file.bytes))
  if (known) return known
  const names = modelNames()
  let name = file.name
  for (let n = 2; names.includes(name); n++) name = `${stem} ${n}`
  const kept = { ...file, name }
  own = [...own, kept]
  for (const hear of listeners) hear(own)
  return kept
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** The names of all models. */
export function modelNames(): string[] {
  return [...bundledModels, ...own].map(({ name }) => name)
}

/** The model with a name. */
export async function modelOf(name: string): Promise<ModelFile> {
  const [mine, bundled] = [own.find(one => one.name === name), bundledModels.find(one => one.name === name)]
  if (!mine && !bundled) throw new Error(`there is no model ${name} in this page; there are ${modelNames().join(', ')}.`)
  return mine ?? fetchModel(bundled!)
}

/** The picture that a model has learned to grow; null if that is not known. */
export async function targetOf({ name, target }: ModelFile): Promise<Target | null> {
  const face = bundledModels.find(one => one.name === name)?.face
  return target ?? (face ? { pixels: await pixelsOf(face), side: pictureSize } : null)
}
