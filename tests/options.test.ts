// Every public function with options refuses unknown options, values of a wrong kind, and numbers that are not finite.
// The functions and their options are read from the types, so that a new one is tested without a line here.

import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import * as core from '../src/index.ts'
import * as node from '../src/node/index.ts'
import { functionsWithOptions } from './surface.ts'

const entry = (file: string): string => fileURLToPath(new URL(`../src/${file}`, import.meta.url))
const functions = functionsWithOptions([entry('index.ts'), entry('node/index.ts')])
const lib = { ...core, ...node } as unknown as Record<string, (...args: unknown[]) => unknown>

const { growingRule, key, ones } = core
const image = { width: 2, height: 2, data: new Float32Array(16) }
const task = { examples: 1, seeds: () => ones([1, 8, 8, 16]), loss: () => ones([1]) }
const trained = { rule: growingRule, batch: 1, steps: [1, 2], optimiser: core.adam() }
const played = { key: key(0), size: 8 }

const autoencoder = core.defineAutoencoder({ channels: 3, latent: 2, widths: [2] })
const images = core.examplesOf(new Float32Array(12), [2, 2, 3])

/** Required options, for the functions that have some. */
const complete: Readonly<Record<string, object>> = {
  autoencoderTrainer: { autoencoder, images, batch: 1 },
  customRule: { channels: { a: 1 }, init: () => ({}), step: (_: unknown, x: unknown) => x },
  cosineDecay: { length: 1 },
  defineAutoencoder: { channels: 3, latent: 2, widths: [2] },
  defineRule: { channels: { a: 1 }, perceive: ['identity'], update: core.mlp(1) },
  evaluate: { steps: 1 },
  exponentialDecay: { factor: 1 },
  filmStripsSvg: { ...played, at: [1] },
  growingTrainer: { ...trained, target: ones([8, 8, 4]) },
  inspectStep: { key: key(0), t: 0 },
  latinHypercube: { key: key(0), n: 1 },
  lossCurveSvg: { iterations: [0, 1], losses: [1, 0.5] },
  observe: { steps: 1 },
  play: { ...played, steps: 1 },
  predict: { steps: 1 },
  randomOf: { key: key(0), n: 1 },
  recover: { by: 'damage', perturb: 1, judge: 2 },
  rollout: { steps: 1 },
  saveGif: { ...played, steps: 1 },
  seed: { height: 8, width: 8 },
  step: { key: key(0), t: 0 },
  stepDecay: { at: [1], factor: 1 },
  taskTrainer: { ...trained, task },
  timeline: { steps: 1 },
  train: { iterations: 1 },
  uncertainty: { steps: 1 },
  writeFilmStrip: { ...played, at: [1] },
  wsd: { warmUp: 1, stable: 1, decay: 1 },
}

/** Arguments for the other parameters, by their names; if a function needs a special one, by the names of both. */
const given: Readonly<Record<string, unknown>> = {
  bytes: new Uint8Array(8), carry: ones([1]), channel: 0, channels: 1, f: () => ones([1]), filters: 1, folder: '/nowhere',
  frames: [image], hidden: 4, image, images: [image], k: key(0), kernel: ones([3, 3, 16, 1]), key: key(0), look: () => 0,
  'dilate k': 3, 'maxPool k': 3, list: ['mean'], mask: ones([1, 8, 8], { dtype: 'uint32' }), n: 2, outputs: 1, over: 1, p: 0.5,
  params: core.init(growingRule, key(0)), path: '/nowhere', rate: 1, rule: growingRule, shape: [2], step: () => [ones([1]), 0],
  models: [{ name: 'a', rule: growingRule, params: core.init(growingRule, key(0)) }],
  trainer: core.growingTrainer(complete.growingTrainer as never), value: 1, values: [1, 2], where: 'a file',
  autoencoder, codec: { autoencoder, params: core.initAutoencoder(autoencoder, key(0)) }, targets: images,
  'conditionalTask rule': core.defineRule({
    channels: { rgba: 4, condition: 1 }, frozen: ['condition'], perceive: ['identity'], update: core.mlp(1),
  }),
  'conditionalTask targets': ones([1, 8, 8, 4]), 'trajectoryTask targets': ones([1, 8, 8, 4]), target: ones([8, 8, 4]),
  'latentTask rule': core.defineRule({ channels: { latent: 2 }, perceive: ['identity'], update: core.mlp(1) }),
  task, texture: ones([8, 8, 3]), which: 'mean', widths: [], x: ones([1, 8, 8, 16]),
}

/** The sentence with which a function refuses these options: at once, by a rejected promise, or with its first value. */
async function refusal({ name, at, parameters }: typeof functions[number], options: unknown): Promise<string> {
  const args = parameters.map((parameter, i) => (i === at ? options : given[`${name} ${parameter}`] ?? given[parameter]))
  try {
    const result = await lib[name](...args)
    if (typeof result === 'object' && result !== null && Symbol.asyncIterator in result) {
      await (result as AsyncGenerator).next()
    }
  } catch (error) {
    return (error as Error).message
  }
  return 'nothing was refused'
}

it('knows the functions that take options', () => {
  const names = new Set(functions.map(({ name }) => name))
  for (const name of ['sum', 'conv2d', 'zeros', 'cpu', 'webgpu', 'scan', 'rollout', 'train', 'adam', 'saveGif', 'readMnist']) {
    expect(names).toContain(name)
  }
  expect(names.size).toBeGreaterThan(90)
})

describe.each(functions)('$name', f => {
  const options = complete[f.name] ?? {}

  it('refuses unknown options, and values that are no options', async () => {
    expect(await refusal(f, { ...options, nonsense: 1 })).toMatch(/there is no option "nonsense"/)
    for (const wrong of [null, 5, 'text', [1]]) expect(await refusal(f, wrong)).toMatch(/: the options argument is /)
  })

  it.each(f.options)('refuses wrong values of $name', async ({ name, isNumber }) => {
    const wrong = [Symbol('wrong'), ...(isNumber ? [NaN, '1'] : [])]
    for (const x of wrong) {
      expect(await refusal(f, { ...options, [name]: x })).toMatch(new RegExp(`\\b${name}\\b.*(Symbol|NaN|"1")`))
    }
  })
})
