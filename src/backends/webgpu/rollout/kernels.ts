/**
 * All kernels of a program as whole WGSL sources: the text of the other files behind the declarations of its arrays.
 */
import type { RolloutProgram } from '../../rollout.ts'
import { backwardWgsl, collectFirstWgsl } from './backward.ts'
import { forwardWgsl } from './forward.ts'
import {
  addCotangentWgsl, gradientWgsl, loadMarksWgsl, loadWgsl, markHeldWgsl, packFirstWgsl, packKernelWgsl, packRestWgsl,
  storeWgsl,
} from './packing.ts'
import { sizesOf, slotOf } from './sizes.ts'
import type { Shape, Sizes, Slot } from './sizes.ts'

/** An array of a kernel: the type of its elements, how it is bound, and of uniforms the length. */
type ArrayType = {
  readonly type: 'f32' | 'u32' | 'vec2u' | 'vec4f'
  readonly access: 'read' | 'write' | 'uniform'
  readonly length?: number
}

export type RolloutKernel = {
  readonly name: string
  readonly code: string
  /** How its arrays are bound, in order. */
  readonly access: readonly ArrayType['access'][]
}

/** The caller's weights. */
export const partNames = ['kernel', 'w1', 'b1', 'w2', 'b2'] as const
export type Part = typeof partNames[number]

export type ProgramKernels = {
  readonly sizes: Sizes
  readonly slot: Slot
  /** Arrays: packed, kernel. Null where there are no filters. */
  readonly packKernel: RolloutKernel | null
  /** Arrays: packed, W1. */
  readonly packFirst: RolloutKernel
  /** Arrays: packed, W2, then b1 and b2 where there are any. */
  readonly packRest: RolloutKernel
  /** Arrays: state, x. */
  readonly load: RolloutKernel
  /** Arrays: marks, x. */
  readonly loadMarks: RolloutKernel
  /** Arrays: out, state, marks. */
  readonly store: RolloutKernel
  /** Arrays: next, after, state, before, then the mask in `masked`, then weights. */
  readonly step: RolloutKernel
  readonly masked: RolloutKernel
  /** Arrays: records, cotangent, marks of the records. */
  readonly addCotangent: RolloutKernel
  /** Arrays: marks of the records. */
  readonly markHeld: RolloutKernel
  /** Arrays: next records and their marks, slots, state, before, after, records and their marks, weights. */
  readonly back: RolloutKernel
  /** Arrays: gx, records and their marks, then the packed kernel where there are filters. */
  readonly collect: RolloutKernel
  /** Arrays: gradient, slots, the caller's weights. */
  readonly gradient: Readonly<Record<Part, RolloutKernel>>
}

/** `uniformBytes`: how large weights may be to be bound as uniforms, which are faster. */
export function kernelsOf(program: RolloutProgram, uniformBytes: number, shape: Shape): ProgramKernels {
  const sizes = sizesOf(program, shape)
  const back = { ...sizes, rowsAtOnce: shape.rowsBackAtOnce }
  const slot = slotOf(program, back)
  const filters = program.perception.type === 'filters'
  const [first, last] = program.layers
  const weight = (length: number): ArrayType =>
    ({ type: 'vec4f', access: 16 * length <= uniformBytes ? 'uniform' : 'read', length })
  const kernel = { ...(filters && { kernel: weight(sizes.kernel) }) }
  const weights = { w1: weight(sizes.w1), rest: weight(sizes.rest), ...kernel }
  const step = (masked: boolean): RolloutKernel => source('rollout step', forwardWgsl(program, sizes, masked), {
    next: write('vec4f'), after: write('vec2u'), state: read('vec4f'), before: read('vec2u'),
    ...(masked && { mask: read('u32') }), ...weights,
  })
  const gradient = (part: Part): [Part, RolloutKernel] => [
    part, source('rollout gradient', gradientWgsl(program, sizes, slot, part), {
      gradient: write('f32'), slots: read('f32'), value: read('f32'),
    }),
  ]
  return {
    sizes, slot,
    packKernel: filters
      ? source('rollout filters', packKernelWgsl(program, sizes), { packed: write('f32'), kernel: read('f32') }) : null,
    packFirst: source('rollout weights', packFirstWgsl(program, sizes), { packed: write('f32'), weights: read('f32') }),
    packRest: source('rollout weights', packRestWgsl(program, sizes), {
      packed: write('f32'), weights: read('f32'),
      ...(first.bias && { firstBias: read('f32') }), ...(last.bias && { lastBias: read('f32') }),
    }),
    load: source('rollout start', loadWgsl(program, sizes), {
      state: write('vec4f'), x: read('f32'),
    }),
    loadMarks: source('rollout start', loadMarksWgsl(program, sizes), { marks: write('vec2u'), x: read('f32') }),
    store: source('rollout readout', storeWgsl(program, sizes), {
      out: write('f32'), state: read('vec4f'), before: read('vec2u'),
    }),
    step: step(false),
    masked: step(true),
    addCotangent: source('rollout cotangent', addCotangentWgsl(program, sizes), {
      records: write('vec4f'), cotangent: read('f32'), had: read('u32'),
    }),
    markHeld: source('rollout cotangent', markHeldWgsl(program, sizes), { had: write('u32') }),
    back: source('rollout step back', backwardWgsl(program, back, slot), {
      next: write('vec4f'), gives: write('u32'), slots: write('vec4f'), state: read('vec4f'), before: read('vec2u'),
      after: read('vec2u'), records: read('vec4f'), had: read('u32'), ...weights,
    }),
    collect: source('rollout cotangent of the start', collectFirstWgsl(program, sizes), {
      gx: write('f32'), records: read('vec4f'), had: read('u32'), ...kernel,
    }),
    gradient: Object.fromEntries(partNames.map(gradient)) as Record<Part, RolloutKernel>,
  }
}

const write = (type: ArrayType['type']): ArrayType => ({ type, access: 'write' })
const read = (type: ArrayType['type']): ArrayType => ({ type, access: 'read' })

const spaces = { write: 'storage, read_write', read: 'storage, read', uniform: 'uniform' }

function source(name: string, body: string, arrays: Readonly<Record<string, ArrayType>>): RolloutKernel {
  const declarations = Object.entries(arrays).map(([array, { type, access, length }], i) => {
    const size = access === 'uniform' ? `, ${length}` : ''
    return `@group(0) @binding(${i}) var<${spaces[access]}> ${array}: array<${type}${size}>;`
  })
  return {
    name, code: `${declarations.join('\n')}\n${body}`, access: Object.values(arrays).map(({ access }) => access),
  }
}
