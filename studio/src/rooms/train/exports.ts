/**
 * The results of a run, as files for other programs.
 */
import {
  encodeModel, exportHtml, filmStrip, key, rollout, scope, seed, tensorToImage, type CpuBackend, type Image, type Model,
} from 'cellgrad'
import { configYaml, type Config } from 'cellgrad/experiment'
import { encodeGif } from './gif.ts'
import { encodePng } from './png.ts'
import { pixelsOf, type Session } from './session.ts'

/** A file to keep. */
export type Export = { readonly name: string; readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> }

export const exportNames = ['safetensors', 'yaml', 'gif', 'strip', 'html', 'target', 'start'] as const
export type ExportName = (typeof exportNames)[number]

export async function exported(session: Session, what: ExportName): Promise<Export> {
  const { run } = session
  const name = fileName(run.name)
  switch (what) {
    case 'safetensors': return { name: `${name}.safetensors`, type: 'application/octet-stream', bytes: await encodeModel(modelOf(session)) as Uint8Array<ArrayBuffer> }
    case 'yaml': return { name: `${name}.yaml`, type: 'text/yaml', bytes: utf8(yamlOf(session, name)) }
    case 'html': return { name: `${name}.html`, type: 'text/html', bytes: utf8(await exportHtml(modelOf(session), { title: run.name, size: gridOf(session) })) }
    case 'gif': return { name: `${name}.gif`, type: 'image/gif', bytes: encodeGif(await pictures(session, 48)) as Uint8Array<ArrayBuffer> }
    case 'strip': return { name: `${name}-growth.png`, type: 'image/png', bytes: await encodePng(pixelsOf(filmStrip(await pictures(session, 8)))) }
    case 'start': return { name: `${name}-start.safetensors`, type: 'application/octet-stream', bytes: new Uint8Array(run.from!.bytes) }
    case 'target': return { name: `${name}.png`, type: 'image/png', bytes: await encodePng(pixelsOf(run.picture)) }
  }
}

/** A name made valid for files on every system, so that the target's file has exactly the name that the YAML gives. */
function fileName(name: string): string {
  return name.replaceAll(/[^\p{L}\p{M}\p{N}\p{S}\u200d _-]|[<>|`^~$]/gu, '-').replaceAll(/^[- ]+|[- ]+$/g, '') || 'picture'
}

/** The configuration, with the backend that computed this run; comments say what no configuration can. */
function yamlOf({ run: { config, changes }, backend }: Session, name: string): string {
  const { fma } = backend as Partial<CpuBackend>
  const start = config.train.from && `${name}-start.safetensors`
  const same = changes.length > 0 ? 'Trains as this run was, but for what was done by hand' : fma === undefined
    ? 'Trains the same, but for the last bits, which each GPU rounds by itself'
    : `Trains the same weights, bit for bit${fma ? ', where multiplications are fused as in this browser (Node 22)' : ''}`
  const notes = [
    `${same}: cellgrad train --config "${name}.yaml", in the folder of "${name}.png"${start ? ` and "${start}"` : ''}.`,
    ...changes.map(change => `By hand, ${change}; a run of this file leaves that out.`),
  ]
  const computed: Config = {
    ...config, data: { ...config.data, target: `${name}.png` }, train: { ...config.train, from: start },
    backend: fma === undefined ? 'webgpu' : 'cpu', fma: fma === undefined ? config.fma : fma ? 'on' : 'off',
  }
  return `${notes.map(note => `# ${note}\n`).join('')}${configYaml(computed)}`
}

const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text)

function gridOf({ config: { data: { size, padding } } }: Session): number {
  return size + 2 * padding
}

/** The model, with its provenance. */
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

/** So many pictures of growth, over twice the length of a rollout, to show whether the pattern persists. */
async function pictures(session: Session, count: number): Promise<Image[]> {
  const { config, rule, state, backend } = session
  const steps = 2 * config.train.steps[1]
  const [height, width] = [gridOf(session), gridOf(session)]
  const readouts = Array.from({ length: count }, (_, i) => Math.max(1, Math.round(((i + 1) * steps) / count)))
  const states = scope(() => rollout(rule, state.params, seed(rule, { height, width, backend }), key(0), { steps, readouts }))
  return Promise.all(states.map(x => tensorToImage(x)))
}
