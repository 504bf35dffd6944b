/**
 * A tape and its backward pass in the form that the page draws: the rows, and for each cotangent its shape, its norm, its first
 * numbers, and pictures if it is a plane of cells.
 */
import { eachLeaf, Tensor, type GradTrace, type Shape, type Trace } from 'cellgrad'
import { mapsOf, type Maps } from '../inside/maps.ts'

/** A tensor of the backward pass: a cotangent or a gradient. */
export type Numbers = {
  readonly shape: Shape
  /** √Σ g², over all numbers. */
  readonly norm: number
  /** The first six numbers. */
  readonly first: readonly number[]
  readonly size: number
  /** For a batch of planes, up to four channels of the first one; null for other shapes. */
  readonly maps: Maps | null
}

/** A step of the backward pass: the cotangents of a row's outputs, and those that its rules give to its inputs. */
export type DrawnStep = {
  readonly row: number
  readonly cotangents: readonly (Numbers | null)[]
  readonly gives: readonly (Numbers | null)[]
}

export type Drawn = {
  /** The name of the function, '' if it has none. */
  readonly name: string
  /** The tape, with as many of its first rows as are drawn. */
  readonly trace: Trace
  /** The number of all its rows. */
  readonly rows: number
  readonly steps: readonly DrawnStep[]
  /** ∂L/∂ each argument, in the order of their rows. */
  readonly grads: readonly Numbers[]
}

const mostRows = 1000

/** Prepares the result of `traceGrad` for drawing. */
export async function drawnOf(name: string, { trace, steps, grads }: GradTrace<unknown>): Promise<Drawn> {
  const rows = trace.rows.slice(0, mostRows)
  const seen = steps.filter(({ row }) => row < mostRows)
  // Start reading all tensors at once: the script may release them as soon as it continues.
  const reading = Promise.all(seen.map(async ({ row, cotangents, gives }) => {
    const [given, giving] = [Promise.all(cotangents.map(numbersOf)), Promise.all(gives.map(numbersOf))]
    return { row, cotangents: await given, gives: await giving }
  }))
  const gradients = Promise.all(tensorsIn(grads).map(numbersOf))
  return {
    name,
    trace: { ...trace, rows },
    rows: trace.rows.length,
    steps: await reading,
    grads: (await gradients).filter(found => found !== null),
  }
}

function tensorsIn(tree: unknown): Tensor[] {
  const found: Tensor[] = []
  eachLeaf(tree, leaf => { if (leaf instanceof Tensor) found.push(leaf) })
  return found
}

async function numbersOf(tensor: Tensor | null): Promise<Numbers | null> {
  if (!tensor) return null
  const { shape } = tensor
  const values = await tensor.data()
  const [height, width, channels] = shape.slice(-3)
  const planes = shape.length === 4 && height > 1 && width > 1 && height * width <= 128 * 128
  const shown = planes ? Math.min(channels, 4) : 0
  return {
    shape,
    norm: normOf(values),
    first: Array.from(values.slice(0, 6)),
    size: values.length,
    maps: planes ? await mapsOf(firstChannels(values, height * width, channels, shown), Array.from({ length: shown }, (_, c) => `channel ${c}`), width, height) : null,
  }
}

/** The first few channels of values `[cells,channels]`. */
function firstChannels(values: ArrayLike<number>, cells: number, channels: number, few: number): Float32Array {
  return Float32Array.from({ length: cells * few }, (_, i) => values[Math.floor(i / few) * channels + (i % few)])
}

function normOf(values: ArrayLike<number>): number {
  let sum = 0
  for (let i = 0; i < values.length; i++) sum += values[i] * values[i]
  return Math.sqrt(sum)
}
