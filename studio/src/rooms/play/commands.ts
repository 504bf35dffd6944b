/**
 * What Play asks of the worker: to load a model, to take steps, to change cells by hand, to draw a picture.
 *
 * A rollout of n steps from step t is a part of one endless rollout under one key, so the result does not depend on
 * how many steps are taken between two pictures. Two models on one grid (a graft) share its cells: the left half updates by
 * the one, the right half by the other, and each perceives the cells of both:
 *
 *   s ← where(left, step of one (s), step of the other (s))
 */
import {
  channelCount, decodeModel, defineRule, key, roleNames, rollout, scope, tensor, where, type Backend, type DataRule,
  type Key, type Model, type Tensor,
} from 'cellgrad'
import type { Engine } from '../../engine/engine.ts'
import type { Pixels } from '../../ui/picture.ts'
import type { ModelFile } from '../model-file.ts'
import {
  conditionsOf, firstState, isKept, kindOf, pixelsOf, seedValues, trainedSize, votes, withCondition, type Kind,
} from './family.ts'
import { resized, touched, type Grid, type Touch } from './world.ts'

export type Border = DataRule['padding']

/** The settings that can change while the world runs. `angle` is in radians. */
export type Setup = {
  readonly size: number
  readonly border: Border
  readonly angle: number
  /** Which of its targets a conditional rule is told to grow. */
  readonly condition: number
}

/** What the page is told about a world. */
export type Facts = {
  readonly kind: Kind
  /** The names of its conditions in the model's file, or else their numbers. */
  readonly conditions: readonly string[]
  /** The names of its classes in the model's file; empty if it has none. */
  readonly classes: readonly string[]
  readonly channels: number
  /** The number of channels that painting sets, from the first on: 4 for premultiplied colour, 1 for a grey image. */
  readonly paints: number
  readonly border: Border
  readonly size: number
}

/** A picture of the world, with figures. */
export type Frame = {
  readonly pixels: Pixels
  /** Steps since the world began. */
  readonly t: number
  readonly alive: number
  /** For each class the number of cells that predict it; null if the rule has no classes. */
  readonly votes: readonly number[] | null
  /** Milliseconds of a step. */
  readonly cost: number
  /** Bytes of the engine's tensors, together with the memory that it keeps for further ones. */
  readonly held: number
}

type World = {
  readonly files: readonly ModelFile[]
  readonly setup: Setup
  readonly state: Float32Array
  readonly t: number
  readonly cost: number
}

const runKey: Key = key(0)
let world: World | null = null

/** Decoded models, by the backend of their parameters and by the bytes of their file. */
const decoded = new WeakMap<Backend, WeakMap<Uint8Array, Model>>()

function modelOf({ backend }: Engine, { name, bytes }: ModelFile): Model & { rule: DataRule } {
  const models = decoded.get(backend) ?? new WeakMap<Uint8Array, Model>()
  decoded.set(backend, models)
  const known = models.get(bytes) ?? decodeModel(bytes, name, { backend, dtype: 'float32' })
  models.set(bytes, known)
  return known as Model & { rule: DataRule }
}

function ruleOf(engine: Engine, file: ModelFile, { border }: Setup): DataRule {
  return defineRule({ ...modelOf(engine, file).rule, padding: border })
}

function gridOf({ channels }: DataRule, size: number): Grid {
  return { width: size, height: size, channels: channelCount(channels) }
}

function begin(engine: Engine, files: readonly ModelFile[], setup: Setup): World {
  const inLatents = files.length > 1 ? files.find(file => modelOf(engine, file).codec) : undefined
  if (inLatents) throw new Error(`${inLatents.name}: this rule lives in the latents of an autoencoder of its own, and cannot share its grid.`)
  const inStages = files.find(file => modelOf(engine, file).cascade)
  if (inStages) throw new Error(`${inStages.name}: this rule begins on coarse grids (a cascade), and Play shows one grid; cellgrad grow plays it.`)
  const [first, second] = files.map(file => modelOf(engine, file).rule)
  if (first.grid !== 2) throw new Error(`${files[0].name}: this rule is for grids of ${first.grid} dimensions, and Play shows planes.`)
  const same = !second || JSON.stringify(first.channels) === JSON.stringify(second.channels)
  if (!same) throw new Error(`${files[1].name}: its cells have other channels than those of ${files[0].name}, so they cannot live on one grid.`)
  const grid = gridOf(first, setup.size)
  const columns = second ? [Math.floor(setup.size / 4), Math.floor(3 * setup.size / 4)] : [Math.floor(setup.size / 2)]
  return { files, setup, state: firstState(first, grid, columns, setup.condition), t: 0, cost: world?.cost ?? 1 }
}

function here(): World {
  if (!world) throw new Error('play: there is no model yet.')
  return world
}

/** The world of Play at this moment, with which another room can begin; null if there is none. */
export function nowPlaying(): { readonly name: string; readonly size: number; readonly state: Float32Array } | null {
  return world && { name: world.files[0].name, size: world.setup.size, state: world.state }
}

/** The state after some steps, on the backend. */
function advanced(engine: Engine, { files, setup, state, t }: World, steps: number): Tensor {
  const { size, angle } = setup
  const models = files.map(file => ({ rule: ruleOf(engine, file, setup), params: modelOf(engine, file).params }))
  return scope(() => {
    const [one, other] = models
    const x = tensor(state, { shape: [1, size, size, channelCount(one.rule.channels)], backend: engine.backend })
    const run = ({ rule, params }: typeof one, x: Tensor, from: number, steps: number): Tensor =>
      rollout(rule, params, x, runKey, { steps, from, ...(angle !== 0 && { angle }) })
    if (!other) return run(one, x, t, steps)
    const left = tensor(Uint32Array.from({ length: size }, (_, i) => +(i < size / 2)), { shape: [size, 1], backend: engine.backend })
    let now = x
    for (let i = 0; i < steps; i++) now = scope(() => where(left, run(one, now, t + i, 1), run(other, now, t + i, 1)))
    return now
  })
}

function living(rule: DataRule, state: Float32Array): number {
  const mask = rule.living ?? rule.inputMask
  if (!mask) return state.length / channelCount(rule.channels)
  const { channel, above } = mask
  let count = 0
  for (let i = channel; i < state.length; i += channelCount(rule.channels)) count += +(state[i] > above)
  return count
}

const numbered = (n: number): string[] => Array.from({ length: n }, (_, i) => String(i + 1))

/** The commands of the room. */
export const play = {
  /** Throws unless a file is a model that the room can play. */
  look(engine: Engine, file: ModelFile): void {
    begin(engine, [file], { size: 16, border: 'zero', angle: 0, condition: 0 })
  },

  /** Begins a world with one model, or with two on one grid. By default, size and border are those of the first model. */
  begin(engine: Engine, files: readonly ModelFile[], given: Partial<Setup>): Facts {
    const model = modelOf(engine, files[0]), { rule } = model
    const { condition: conditions = numbered(conditionsOf(rule)), classes = [] } = roleNames(model)
    world = begin(engine, files, { size: trainedSize(model), border: rule.padding, angle: 0, condition: 0, ...given })
    const [paints] = Object.values(rule.channels)
    return {
      kind: kindOf(rule), conditions, classes,
      channels: channelCount(rule.channels), paints, border: world.setup.border, size: world.setup.size,
    }
  },

  /** Takes some steps, or as many as fit into `budget` milliseconds, and draws the world. */
  async tick(engine: Engine, { steps, budget }: { steps?: number; budget?: number }): Promise<Frame> {
    const before = here()
    const count = steps ?? Math.max(1, Math.floor(budget! / before.cost))
    const began = performance.now()
    const x = advanced(engine, before, count)
    const state = await x.data() as Float32Array
    const took = (performance.now() - began) / Math.max(count, 1)
    const cost = count === 0 ? before.cost : 0.8 * before.cost + 0.2 * took
    const model = modelOf(engine, before.files[0]), { rule } = model
    world = { ...before, state, t: before.t + count, cost }
    const pixels = await pixelsOf(model, state, gridOf(rule, before.setup.size))
    const { bytes, pooledBytes } = engine.backend.memory()
    return { pixels, t: world.t, alive: living(rule, state), votes: votes(rule, state), cost, held: bytes + pooledBytes }
  },

  /** Changes cells by hand. */
  touch(engine: Engine, touch: Touch): void {
    const now = here()
    const { rule } = modelOf(engine, now.files[0])
    const grid = gridOf(rule, now.setup.size)
    world = { ...now, state: touched(now.state, grid, touch, seedValues(rule), c => isKept(rule, c)) }
  },

  /** Changes the settings. A grid of another size keeps the cells around its centre. */
  change(engine: Engine, change: Partial<Setup>): void {
    const now = here()
    const setup = { ...now.setup, ...change }
    const { rule } = modelOf(engine, now.files[0])
    const state = resized(now.state, gridOf(rule, now.setup.size), gridOf(rule, setup.size))
    world = { ...now, setup, state: withCondition(state, rule, setup.condition) }
  },

  /** Begins again from the seed. */
  reset(engine: Engine): void {
    const { files, setup } = here()
    world = begin(engine, files, setup)
  },
}
