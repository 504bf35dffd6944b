/**
 * The models that come with the page, by the name that their files and pictures are called after, words and code
 * points: `lady-beetle-1f41e.safetensors` grows `lady-beetle-1f41e.png`, 🐞. Models of other families have a name only.
 */
const files: Record<string, string> = import.meta.glob('../../../assets/models/*.safetensors', { query: '?url', import: 'default', eager: true })
const faces: Record<string, string> = import.meta.glob('../../../assets/emoji/*.png', { query: '?url', import: 'default', eager: true })

const families: Record<string, string> = import.meta.glob('../../../assets/studio/*.safetensors', { query: '?url', import: 'default', eager: true })

export type Bundled = {
  readonly name: string
  /** The address of its picture, since not every system has a font with emoji; null where it has none. */
  readonly face: string | null
  readonly url: string
}

const isCodePoint = (part: string): boolean => /^[0-9a-f]{4,6}$/.test(part) && /\d/.test(part)

/** The lizard first: it is what every visitor of the paper remembers. */
const emoji: readonly Bundled[] = Object.entries(files).map(([path, url]) => {
  const name = path.replace(/^.*\//, '').replace(/\.safetensors$/, '').split('-').filter(part => !isCodePoint(part)).join('-')
  return { name, face: faces[path.replace('/models/', '/emoji/').replace('.safetensors', '.png')], url }
}).sort((a, b) => Number(b.name === 'lizard') - Number(a.name === 'lizard'))

export const bundledModels: readonly Bundled[] = [...emoji, ...Object.entries(families).map(([path, url]) => (
  { name: path.replace(/^.*\//, '').replace(/\.safetensors$/, ''), face: null, url }
))]

const fetched = new Map<string, Promise<Uint8Array>>()

/** The bytes of a bundled model; asked for once. */
export function bytesOf({ url, name }: Bundled): Promise<Uint8Array> {
  const known = fetched.get(url) ?? fetch(url).then(async response => {
    if (!response.ok) throw new Error(`the model ${name} could not be fetched: ${response.status}.`)
    return new Uint8Array(await response.arrayBuffer())
  })
  fetched.set(url, known)
  known.catch(() => fetched.delete(url)) // it may be asked for again
  return known
}
