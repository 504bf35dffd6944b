/**
 * The tensor: an immutable array with a shape, an element type and a backend.
 *
 * Two kinds share one class, so that user code need not know which it has. A concrete tensor has a storage. A traced
 * tensor stands for a value while it is being differentiated: `{ tape, value, output }`, where `value` is the tensor one
 * level below (HIPS autograd calls this a box). Operators are free functions; this class only has methods that read.
 */
import { cpu } from '../backends/cpu.ts'
import {
  dtypeOf, hostArray, type Backend, type Data, type DType, type Handle, type Memory, type Spec,
} from '../backends/backend.ts'
import { adopt, finalisersRun, Resource, type Held } from './lifetime.ts'
import { check, checkOptions, isObject, keysOf, later, oneOf, type Kind, type Kinds, type Options } from '../backends/options.ts'
import { checkShape, showShape, sizeOf, type Shape } from './shape.ts'
import { resolve } from './frame.ts'
import type { Tape } from './trace.ts'
import { mapTree } from './tree.ts'

/** The backend of new tensors unless `like` or `backend` says otherwise. */
export const defaultBackend: Backend = cpu()

/** One buffer and the number of tensors that view it. */
export class Storage {
  private readonly count = { views: 1 }
  readonly backend: Backend
  readonly handle: Handle
  constructor(backend: Backend, handle: Handle) {
    this.backend = backend
    this.handle = handle
  }
  share(): Storage {
    this.count.views++
    return this
  }
  drop(): void {
    if (--this.count.views === 0) this.backend.free(this.handle)
  }
  /** What to do when a view has been collected: on the CPU only counting, without a reference to the array. */
  remains(): Held {
    const after = this.backend.collected?.(this.handle)
    if (!after) return this
    const { count } = this
    return { drop: () => { if (--count.views === 0) after() } }
  }
  weight(): number {
    return this.backend.unseen?.(this.handle) ?? 0
  }
}

/** The output of a recorded operator that a traced tensor is. */
export type NodeOutput = { readonly node: number; readonly index: number }


type Traced = { readonly tape: Tape; readonly value: Tensor; readonly output: NodeOutput }

let nextId = 0

/** Ids grow with time: a tensor with a smaller id existed before. */
export function nextTensorId(): number {
  return nextId
}

/** An immutable array. Made by `tensor`, `zeros`, … and by operators; read with `data`, `item` or `toArray`. */
export class Tensor extends Resource {
  readonly shape: Shape
  readonly dtype: DType
  readonly backend: Backend
  /** The operator that made it, for messages. */
  readonly op: string
  /** @internal */
  readonly id: number = nextId++
  /** @internal Null for a traced tensor. */
  override readonly held: Storage | null
  /** @internal Null for a concrete tensor. */
  readonly traced: Traced | null

  /** @internal Use the functions of this file. */
  constructor(spec: Spec, backend: Backend, op: string, held: Storage | null, traced: Traced | null = null) {
    super()
    this.shape = spec.shape
    this.dtype = spec.dtype
    this.backend = backend
    this.op = op
    this.held = held
    this.traced = traced
  }

  /** @internal The concrete tensor beneath, which owns the memory. */
  get resource(): Tensor {
    return this.traced ? this.traced.value.resource : this
  }

  /** How many axes there are: the length of `shape`. */
  get ndim(): number {
    return this.shape.length
  }

  /** `depthwiseConv#12 [1,8,8,16]` */
  name(): string {
    return `${this.op}#${this.id} ${showShape(this.shape)}`
  }

  /**
   * The values, row-major, as a new typed array. Works on every backend. Whatever is computed from them is a constant to every
   * transform. Throws if the tensor has been released.
   */
  async data(): Promise<Data> {
    const t = concrete(this)
    const values = await t.backend.read(storageOf(t).handle, t)
    await finalisersRun()
    return values
  }

  /** The only value of a tensor of one element. */
  async item(): Promise<number> {
    if (sizeOf(this.shape) !== 1) throw new Error(`item: ${this.name()} has ${sizeOf(this.shape)} elements, not one.`)
    return (await this.data())[0]
  }

  /**
   * The values, synchronously, as a new typed array. Only on the CPU; elsewhere `await data()`. Whatever is computed from them
   * is a constant to every transform.
   *
   * @example tensor([[1, 2], [3, 4]]).toArray()   // Float32Array [1, 2, 3, 4]
   */
  toArray(): Data {
    return valuesOf(this).slice()
  }

  /**
   * The values, synchronously, nested like the shape: what `tensor` takes. Only on the CPU, like `toArray`. If an axis has
   * size 0, the sizes after it are lost.
   *
   * @example reshape(range(4), [2, 2]).toNested()   // [[0, 1], [2, 3]]
   */
  toNested(): Nested {
    return nested(valuesOf(this, 'toNested'), this.shape)
  }

  toString(): string {
    const head = `Tensor ${showShape(this.shape)} ${this.dtype} ${this.backend.name}`
    const t = concrete(this)
    if (t.gone !== null || !t.backend.readSync) return `${head} (${t.name()}${t.gone === null ? '' : ` ${t.gone}`})`
    return `${head} ${showValues(valuesOf(t), this.shape)}`
  }

  /** Throws, since `x > 0` and `x + 1` would compare and join texts. */
  [Symbol.toPrimitive](hint: string): string {
    if (hint === 'string') return this.toString()
    throw new TypeError(`a tensor is no number: ${this.name()} in an expression; `
      + 'use greater, add, …, or await x.item().')
  }

  // What `console.log` prints in Node.
  static {
    const inspect = Symbol.for('nodejs.util.inspect.custom')
    Object.defineProperty(Tensor.prototype, inspect, { value: Tensor.prototype.toString })
  }
}

/** Values in row-major order as lists of lists. */
function nested(values: Data, shape: Shape): Nested {
  if (shape.length === 0) return values[0]
  const size = sizeOf(shape.slice(1))
  return Array.from({ length: shape[0] }, (_, i) => nested(values.subarray(i * size, (i + 1) * size), shape.slice(1)))
}

/** The concrete tensor that `t` stands for, beneath every trace. */
export function concrete(t: Tensor): Tensor {
  let under = resolve(t)
  while (under.traced) under = resolve(under.traced.value)
  return under
}

/** The storage of a concrete tensor. Throws where it has been released. */
export function storageOf(t: Tensor): Storage {
  if (t.gone !== null || !t.held) throw new Error(`tensor ${t.name()} ${t.gone ?? 'has no storage'}`)
  return t.held
}

/** The values that `toArray` copies: to be read immediately and never to be written. */
export function valuesOf(x: Tensor, reader: string = 'toArray'): Data {
  const t = concrete(x)
  if (!t.backend.readSync) {
    throw new Error(`${reader}: ${t.name()} is on ${t.backend.name}, which can only be read by 'await x.data()'.`)
  }
  return t.backend.readSync(storageOf(t).handle, t)
}

/** A concrete tensor around memory that was just allocated; the current scope owns it. */
export function wrap(spec: Spec, backend: Backend, op: string, storage: Storage): Tensor {
  const t = new Tensor({ shape: Object.freeze([...spec.shape]), dtype: spec.dtype }, backend, op, storage)
  adopt(t)
  return t
}

/** Whether a tensor of this type can hold a number. Floating types can hold any, rounded. */
export function holds(dtype: DType, x: number): boolean {
  return dtype === 'int32' ? x === (x | 0) : dtype === 'uint32' ? x === x >>> 0 : true
}

/** Throws unless `x` is a number that a tensor of this type can hold. */
export function checkNumber(op: string, name: string, x: unknown, dtype: DType): void {
  const expected = dtype.startsWith('float') ? 'a number' : `a number that ${dtype} can hold`
  check(typeof x === 'number' && holds(dtype, x), op, name, x, expected)
}

/** Numbers nested to any depth, all rows of equal length. */
export type Nested = number | readonly Nested[]

/** The backend and the element type of a new tensor; `like` fills in what is not given. */
export type Placement = {
  /** The element type: that of `like`, else 'float32'. */
  dtype?: DType
  /** The backend: that of `like`, else the CPU. */
  backend?: Backend
  /** A tensor whose type and backend are taken. */
  like?: Tensor
}

/** The kind of an option that is a tensor. */
export const aTensor: Kind = { fits: x => x instanceof Tensor, expected: 'a tensor' }

/** The kind of an option that is a backend. */
export const aBackend: Kind = {
  fits: x => isObject(x) && typeof x.alloc === 'function', expected: 'a backend, cpu() or await webgpu()',
}

/** The kinds of a placement, to be spread into those of a function with further options. */
export const placementKinds: Kinds<Placement> = {
  dtype: oneOf(['float32', 'float64', 'int32', 'uint32']), backend: aBackend, like: aTensor,
}

export const placementOptions: Options = keysOf<Placement>(placementKinds)
const { dtype: _, ...homeKinds } = placementKinds
const homeOptions = keysOf<Omit<Placement, 'dtype'>>(homeKinds)
export type TensorOptions = Placement & {
  /** The shape, a list of whole numbers ≥ 0; by default that of the nesting. */
  shape?: Shape
}

const tensorOptions = keysOf<TensorOptions>({ ...placementKinds, shape: later })

/**
 * Resolves a placement: float32 on the default backend unless it says otherwise. If the operator fixes the type, there
 * is no option `dtype`. Throws for a type that the backend lacks.
 */
export function place(placement: Placement, op: string, fixed?: DType): { dtype: DType; backend: Backend } {
  checkOptions(op, placement, fixed ? homeOptions : placementOptions)
  const { dtype = fixed, backend, like } = placement
  const where = backend ?? like?.backend ?? defaultBackend
  const type = dtype ?? like?.dtype ?? 'float32'
  if (!where.dtypes.includes(type)) {
    throw new Error(`${op}: ${where.name} has no ${type}; it has ${where.dtypes.join(', ')}.`)
  }
  return { dtype: type, backend: where }
}

/**
 * A tensor from host values: nested or flat lists, or a typed array. `shape` is that of the nesting unless given. The
 * element type is that of the typed array, else float32. Values are copied.
 *
 * @throws for ragged lists, for a shape that does not fit, and for numbers that an integer type cannot hold
 *
 * @example tensor([[1, 2], [3, 4]])                                  // [2,2] float32
 * @example tensor(new Float64Array(6), { shape: [1, 2, 3] })         // [1,2,3] float64
 */
export function tensor(values: Nested | Data, options: TensorOptions = {}): Tensor {
  checkOptions('tensor', options, tensorOptions)
  const { shape: givenShape, ...placement } = options
  const typed = ArrayBuffer.isView(values) ? values : null
  const known = !typed || hostArrays.some(kind => typed instanceof kind)
  check(known, 'tensor', 'the list', typed, `one of ${hostArrays.map(kind => kind.name).join(', ')}`)
  const wanted = options.dtype ?? (typed && !options.like ? dtypeOf(typed) : undefined)
  const { dtype, backend } = place({ ...placement, dtype: wanted }, 'tensor')
  const shape = givenShape ?? (typed ? [typed.length] : nestedShape(values as Nested))
  checkShape('tensor', shape)
  const flat = typed ?? flatten(values as Nested, nestedShape(values as Nested))
  if (flat.length !== sizeOf(shape)) {
    throw new Error(`tensor: ${flat.length} values do not fill the shape ${showShape(shape)} (${sizeOf(shape)}).`)
  }
  let data = flat as Data
  if (!typed || dtypeOf(typed) !== dtype) {
    for (const x of flat) if (!holds(dtype, x)) checkNumber('tensor', 'a value', x, dtype)
    data = hostArray(dtype, flat.length)
    data.set(flat)
  }
  return wrap({ shape, dtype }, backend, 'tensor', new Storage(backend, backend.upload(data, shape)))
}

const hostArrays = [Float32Array, Float64Array, Int32Array, Uint32Array]

function nestedShape(values: Nested): number[] {
  return !Array.isArray(values) ? [] : [values.length, ...(values.length ? nestedShape(values[0]) : [])]
}

function flatten(values: Nested, shape: Shape): number[] {
  const flat: number[] = []
  const walk = (x: Nested, axis: number): void => {
    check(typeof x === 'number' || Array.isArray(x), 'tensor', 'a value', x, 'a number or a list of numbers')
    if (typeof x === 'number' ? axis !== shape.length : x.length !== shape[axis]) {
      throw new Error(`tensor: ragged list; expected every part to have the shape of the first, ${showShape(shape)}.`)
    }
    if (typeof x === 'number') flat.push(x)
    else for (const part of x) walk(part, axis + 1)
  }
  walk(values, 0)
  return flat
}

/**
 * The same tree with its tensors copied to another backend. Tensors that are already there stay as they are.
 * Asynchronous, because a GPU can only be read asynchronously.
 *
 * @example const onGpu = await to(gpu, params)
 */
export async function to<T>(backend: Backend, tree: T): Promise<T> {
  check(aBackend.fits(backend), 'to', 'the backend', backend, aBackend.expected)
  const copies = new Map<Tensor, Data>()
  const pending: Promise<void>[] = []
  mapTree(tree, leaf => {
    if (leaf instanceof Tensor && leaf.backend !== backend) {
      pending.push(leaf.data().then(data => void copies.set(leaf, data)))
    }
  })
  await Promise.all(pending)
  return mapTree(tree, leaf => {
    const data = leaf instanceof Tensor && copies.get(leaf)
    return data ? tensor(data, { shape: (leaf as Tensor).shape, backend }) : leaf
  })
}

/** The memory in use on a backend, see `Memory`; on the default backend if none is given. */
export function memory(backend: Backend = defaultBackend): Memory {
  check(aBackend.fits(backend), 'memory', 'the backend', backend, aBackend.expected)
  return backend.memory()
}

const shown = 6

function showValues(data: Data, shape: Shape, axis = 0, offset = 0): string {
  if (axis === shape.length) {
    const x = data[offset] ?? ''
    return String(typeof x === 'string' || Number.isSafeInteger(x) ? x : Number(x.toPrecision(5)))
  }
  const stride = sizeOf(shape.slice(axis + 1))
  const parts = Array.from({ length: Math.min(shape[axis], shown) }, (_, i) =>
    showValues(data, shape, axis + 1, offset + i * stride))
  if (shape[axis] > shown) parts.push('…')
  return `[${parts.join(', ')}]`
}
