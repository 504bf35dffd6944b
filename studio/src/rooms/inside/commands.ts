/**
 * What Look inside asks of the worker: to open a model, to show a moment of its time line, to read a cell, to compute
 * gradients. The functions that train compute everything that is shown.
 */
import {
  channelNames, channelView, decodeModel, encodeNpy, foldIn, imageToPixels, inspectStep, norm, paramShapes,
  perceivedSum, perceptionNames, scope, stateAt, updatedChannels, type DataRule, type Tensor,
} from 'cellgrad'
import type { Engine } from '../../engine/engine.ts'
import type { Pixels } from '../../ui/picture.ts'
import type { ModelFile } from '../model-file.ts'
import { nowPlaying } from '../play/commands.ts'
import { kindOf, pixelsOf, trainedSize, type Kind } from '../play/family.ts'
import { sizes } from '../sizes.ts'
import { cellNumbers, read, readParts, seenBy, type CellNumbers, type HostParts, type Seen } from './cell.ts'
import { openLines, type Lines, type Start, type Subject } from './line.ts'
import { mapsOf, palette, type Maps, type Scale } from './maps.ts'

/** The quantities of a step that can be shown, with a map for each number of a cell. */
export type Quantity = 'channels' | 'perception' | 'hidden' | 'change' | 'masks' | 'gradient'

/** A quantity, and the scale of its maps. */
type Shown = { readonly quantity: Quantity; readonly scale: Scale }

/** What the page must know about a model to label its numbers. */
export type Facts = {
  readonly name: string
  readonly channels: readonly string[]
  /** The channels that are not frozen. */
  readonly changing: readonly number[]
  readonly perception: readonly string[]
  /** Units of the hidden layers. */
  readonly hidden: readonly number[]
  readonly activation: string
  readonly kind: Kind
  /** Whether Play shows it on a grid of this size. */
  readonly played: boolean
  /** Rows and columns of the grid. */
  readonly size: number
  /** The activation on the change. */
  readonly lastActivation: string
  readonly residual: boolean
  /** The groups of its layer norms, 1 without. */
  readonly groups: number
  readonly stepSize: number
  readonly bounded: boolean
  /** Weights of the network by name, `w1` `[in,out]`, `b1`, …, row by row. */
  readonly weights: Readonly<Record<string, Float32Array>>
  /** The colours from −range to range. */
  readonly palette: Uint8ClampedArray<ArrayBuffer>
  /** The loss in words. */
  readonly loss: string
}

/** A moment of the time line; `took` is in milliseconds. */
export type Moment = { readonly picture: Pixels; readonly maps: Maps; readonly took: number }

/** The gradients of a rollout: by the state of each step (their norms), and by each parameter. */
export type Gradients = {
  readonly loss: number
  readonly norms: Float32Array
  readonly weights: readonly { readonly path: string; readonly shape: readonly number[]; readonly norm: number; readonly maps: Maps }[]
}

/** A cell in the step that follows the state s_t of a rollout. */
export type Place = { readonly start: Start; readonly t: number; readonly x: number; readonly y: number }

/** A request to open a model; size null: that of its training. */
type Wish = Omit<Subject, 'played' | 'setup'> & { readonly setup: { readonly size: number | null; readonly steps: number } }

let subject: Subject | null = null
let lines: Lines | null = null
let parts: { readonly of: Lines; readonly start: Start; readonly t: number; readonly values: HostParts } | null = null

function open(engine: Engine): Lines {
  if (!subject) throw new Error('look inside: there is no model yet.')
  if (lines?.backend !== engine.backend || lines.subject !== subject) lines = openLines(engine, subject)
  return lines
}

/** All quantities of the step that follows the state s_t. */
async function partsAt(of: Lines, start: Start, t: number): Promise<HostParts> {
  if (parts?.of === of && parts.start === start && parts.t === t) return parts.values
  const line = of.line(start)
  const found = scope(() => inspectStep(of.rule, of.params, stateAt(line, t), { key: foldIn(line.key, t), t }))
  const values = await readParts(found)
  parts = { of, start, t, values }
  return values
}

/** A picture with one pixel for each cell: as in Play, or, for kinds of rules that Play does not know, the first channel. */
async function pictureOf(rule: DataRule, state: Tensor): Promise<Pixels> {
  const [, height, width, channels] = state.shape
  if (!['latent', 'other'].includes(kindOf(rule)) || rule.channels.rgb === 3) return pixelsOf({ rule }, await read(state), { width, height, channels })
  const image = await channelView(0)(state)
  return { width, height, data: imageToPixels(image) }
}

async function quantityAt(of: Lines, start: Start, t: number, { quantity, scale }: Shown, state: Tensor): Promise<Maps> {
  const { rule } = of
  const names = channelNames(rule.channels, of.names)
  const [, height, width] = state.shape
  if (quantity === 'channels') return mapsOf(await read(state), names, width, height, scale)
  if (quantity === 'gradient') return mapsOf(await read(of.gradients(start).states[t]), names, width, height, scale)
  const step = await partsAt(of, start, t)
  if (quantity === 'perception') return mapsOf(step.perception.values, perceptionNames(rule, of.names), width, height, scale)
  if (quantity === 'change') return mapsOf(step.change.values, updatedChannels(rule).map(c => names[c]), width, height, scale)
  if (quantity === 'hidden') {
    const all = step.hidden.flatMap(({ channels }, layer) => Array.from({ length: channels }, (_, j) => `h${layer + 1}.${j}`))
    return mapsOf(sideBySide(step.hidden.map(({ values }) => values), step.hidden.map(({ channels }) => channels)), all, width, height, scale)
  }
  const masks = { 'lived before': step.pre, fires: step.fires, 'lives after': step.post }
  const given = Object.entries(masks).filter((entry): entry is [string, Uint32Array] => entry[1] !== null)
  const frozen = names.map((name, c) => ({ name: `${name}, frozen`, c })).filter(({ c }) => !updatedChannels(rule).includes(c))
  const values = [...given.map(([, mask]) => mask), ...frozen.map(({ c }) => channelOf(step.state.values, names.length, c))]
  return mapsOf(sideBySide(values, values.map(() => 1)), [...given.map(([name]) => name), ...frozen.map(({ name }) => name)], width, height, 1)
}

function channelOf(values: Float32Array, n: number, c: number): Float32Array {
  return Float32Array.from({ length: values.length / n }, (_, i) => values[i * n + c])
}

/** A matrix `[rows,columns]` as `[columns,rows]`. */
function turned(values: Float32Array, rows: number, columns: number): Float32Array {
  return Float32Array.from({ length: values.length }, (_, i) => values[(i % rows) * columns + Math.floor(i / rows)])
}

/** Joins arrays `[cells,width]` along their last axis: one array with all numbers of each cell. */
function sideBySide(list: readonly ArrayLike<number>[], widths: readonly number[]): Float32Array {
  const n = widths.reduce((sum, width) => sum + width, 0)
  const cells = list.length === 0 ? 0 : list[0].length / widths[0]
  const all = new Float32Array(n * cells)
  let from = 0
  list.forEach((values, k) => {
    for (let cell = 0; cell < cells; cell++) {
      for (let i = 0; i < widths[k]; i++) all[cell * n + from + i] = values[cell * widths[k] + i]
    }
    from += widths[k]
  })
  return all
}

/** The commands of the room. */
export const inside = {
  /** Throws unless a file is a model that the room can show. */
  check(engine: Engine, file: ModelFile): void {
    openLines(engine, { file, setup: { size: sizes.inside.min, steps: 1 }, target: null, played: null })
  },

  /** Opens a model, on the grid of its training if no size is given; if it cannot be opened, the previous one stays. */
  async begin(engine: Engine, { file, setup, target }: Wish): Promise<Facts> {
    const size = setup.size ?? Math.min(trainedSize(decodeModel(file.bytes, file.name)), sizes.inside.max)
    const playing = nowPlaying()
    const isHere = playing?.name === file.name && playing.size === size
    const wanted = { file, target, setup: { size, steps: setup.steps }, played: isHere ? playing.state : null }
    const opened = openLines(engine, wanted)
    const { rule, params, names } = opened
    const weights = Object.fromEntries(await Promise.all(Object.entries(params.update).map(async ([name, t]) => (
      [name, await read(t as Tensor)] as const
    ))))
    subject = wanted
    lines = opened
    const { hidden, activation, lastActivation, residual, norm } = rule.update
    return {
      name: file.name, kind: kindOf(rule), played: wanted.played !== null, size, channels: channelNames(rule.channels, names), changing: updatedChannels(rule), perception: perceptionNames(rule, names),
      hidden, activation, lastActivation, residual, groups: norm?.groups ?? 1, stepSize: rule.stepSize, bounded: rule.bound !== null, weights, palette: (await palette).slice(), loss: opened.words,
    }
  },

  /** Shows the state after t steps, and a quantity of the step that follows. */
  async look(engine: Engine, { start, t, ...shown }: { start: Start; t: number } & Shown): Promise<Moment> {
    const began = performance.now()
    const of = open(engine)
    const state = stateAt(of.line(start), t)
    const picture = await pictureOf(of.rule, state)
    const maps = await quantityAt(of, start, t, shown, state)
    return { picture, maps, took: performance.now() - began }
  },

  /** The state after t steps, or its gradient, as the bytes of an .npy file `[1,h,w,c]`. */
  async save(engine: Engine, { start, t, what }: { start: Start; t: number; what: 'state' | 'gradient' }): Promise<Uint8Array> {
    const of = open(engine)
    const found = what === 'state' ? stateAt(of.line(start), t) : of.gradients(start).states[t]
    return encodeNpy({ shape: found.shape, data: await read(found) })
  },

  /** The numbers of a cell in the step that follows s_t. */
  async cell(engine: Engine, { start, t, x, y }: Place): Promise<CellNumbers> {
    return cellNumbers(await partsAt(open(engine), start, t), x, y)
  },

  /** The perceived number i of a cell as a sum over its window, with the values; null if it is not such a sum. */
  async seen(engine: Engine, { start, t, x, y }: Place, i: number): Promise<Seen | null> {
    const of = open(engine)
    const sum = await perceivedSum(of.rule, of.params, i)
    return sum && seenBy(of.rule, await partsAt(of, start, t), x, y, i, sum)
  },

  /** The gradients of a rollout from a start; computed once, in a second or two. */
  async gradients(engine: Engine, start: Start): Promise<Gradients> {
    const of = open(engine)
    const { loss, norms, params } = of.gradients(start)
    const leaves = Object.entries(paramShapes(of.rule)).map(([path, shape]) => (
      { path, shape, gradient: path.split('.').reduce<unknown>((node, name) => (node as Record<string, unknown>)[name], params) as Tensor }
    ))
    return {
      loss: (await read(loss))[0],
      norms: await read(norms),
      weights: await Promise.all(leaves.map(async ({ path, shape, gradient }) => {
        const outputs = shape.at(-1)!, values = await read(gradient), inputs = values.length / outputs
        // The longer side is drawn horizontally: there is more room to the right than below.
        const lies = inputs <= outputs ? values : turned(values, inputs, outputs)
        const maps = await mapsOf(lies, [path], Math.max(inputs, outputs), Math.min(inputs, outputs))
        return { path, shape, norm: (await read(norm(gradient)))[0], maps }
      })),
    }
  },
}
