/**
 * What comes out of a run: files that others read.
 */
import {
  encodeModel, exportHtml, filmStrip, imageToPixels, key, rollout, scope, seed, tensorToImage, type Image, type Model,
} from 'cellgrad'
import { configYaml } from 'cellgrad/experiment'
import { encodeGif } from './gif.ts'
import type { Pixels } from '../../ui/picture.ts'
import type { Session } from './session.ts'

/** A file, or the pixels of one that the page makes: browsers encode PNG by themselves. */
export type Export =
  | { readonly name: string; readonly bytes: Uint8Array; readonly type: string }
  | { readonly name: string; readonly pixels: Pixels }

export const exportNames = ['safetensors', 'yaml', 'gif', 'strip', 'html', 'target'] as const
export type ExportName = (typeof exportNames)[number]

export async function exported(session: Session, what: ExportName): Promise<Export> {
  const { run, config } = session
  const { name } = run
  const text = (file: string, type: string, words: string): Export => ({ name: file, type, bytes: new TextEncoder().encode(words) })
  switch (what) {
    case 'safetensors':
      return { name: `${name}.safetensors`, type: 'application/octet-stream', bytes: await encodeModel(modelOf(session)) }
    case 'yaml': {
      // What was done by hand cannot be said in a configuration, so it is said beside it.
      const notes = run.changes.map(change => `# By hand, ${change}; a run of this file does without.\n`).join('')
      return text(`${name}.yaml`, 'text/yaml', `${notes}${configYaml({ ...config, data: { ...config.data, target: `${name}.png` } })}`)
    }
    case 'html':
      return text(`${name}.html`, 'text/html', await exportHtml(modelOf(session), { title: name, size: gridOf(session) }))
    case 'gif':
      return { name: `${name}.gif`, type: 'image/gif', bytes: encodeGif(await pictures(session, 48)) }
    case 'strip': {
      const strip = filmStrip(await pictures(session, 8))
      return { name: `${name}-growth.png`, pixels: { width: strip.width, height: strip.height, data: imageToPixels(strip) } }
    }
    case 'target': {
      const { width, height } = run.picture
      return { name: `${name}.png`, pixels: { width, height, data: imageToPixels(run.picture) } }
    }
  }
}

function gridOf({ config: { data: { size, padding } } }: Session): number {
  return size + 2 * padding
}

/** The model, and where it comes from. */
export function modelOf(session: Session): Model {
  const { run, config, state, rule } = session
  const recent = run.losses.slice(-100)
  return {
    rule, params: state.params,
    provenance: {
      target: run.name, preset: config.preset, seed: String(config.seed), iterations: String(state.iteration),
      loss: String(recent.reduce((a, b) => a + b, 0) / recent.length), grid: String(gridOf(session)), steps: config.train.steps.join(' to '),
    },
  }
}

/** So many pictures of growth, over twice the length of a rollout: what holds, and what does not. */
async function pictures(session: Session, count: number): Promise<Image[]> {
  const { config, rule, state, backend } = session
  const steps = 2 * config.train.steps[1]
  const [height, width] = [gridOf(session), gridOf(session)]
  const readouts = Array.from({ length: count }, (_, i) => Math.max(1, Math.round(((i + 1) * steps) / count)))
  const states = scope(() => rollout(rule, state.params, seed(rule, { height, width, backend }), key(0), { steps, readouts }))
  return Promise.all(states.map(x => tensorToImage(x)))
}
