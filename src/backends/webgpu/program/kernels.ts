/**
 * All kernels of a program as whole WGSL sources: the text from the other files, after the declarations of its arrays.
 */
import type { Program } from '../../program.ts'
import { withFunctions } from '../../wgsl/functions.ts'
import { backwardWgsl, collectFirstWgsl } from './backward.ts'
import { forwardWgsl } from './forward.ts'
import {
  addCotangentWgsl, gatherWgsl, gradientWgsl, loadMarksWgsl, loadWgsl, markHeldWgsl, storeWgsl,
} from './packing.ts'
import { sizesOf, workspaceOf, type Division, type Sizes, type Workspace } from './sizes.ts'

/** An array of a kernel: the type of its elements, how it is bound, and for uniforms the length. */
type ArrayType = {
  readonly type: 'f32' | 'u32' | 'vec4u' | 'vec4f'
  readonly access: 'read' | 'write' | 'uniform'
  readonly length?: number
}

export type ProgramKernel = {
  readonly name: string
  readonly code: string
  /** How its arrays are bound, in order. */
  readonly access: readonly ArrayType['access'][]
}

export type ProgramKernels = {
  readonly sizes: Sizes
  readonly workspace: Workspace
  /** Arrays: state, x. */
  readonly load: ProgramKernel
  /** Arrays: state, x. */
  readonly loadMarks: ProgramKernel
  /** Arrays: out, state. */
  readonly store: ProgramKernel
  /** Arrays: next, state, then the mask in `masked`, then the caller's weights. */
  readonly step: ProgramKernel
  readonly masked: ProgramKernel
  /** Arrays: records, cotangent. */
  readonly addCotangent: ProgramKernel
  /** Arrays: records. */
  readonly markHeld: ProgramKernel
  /** Arrays: next records, workspaces, the state before and the one after, records, weights. */
  readonly back: ProgramKernel
  /** Arrays: gx, records, then the kernel if there are filters. */
  readonly collect: ProgramKernel
  /** Arrays: tree, workspaces. */
  readonly gather: ProgramKernel
  /** One for each of the caller's weights. Arrays: gradient, tree. */
  readonly gradients: readonly ProgramKernel[]
}

/** The most bytes of one array; weights with more than `uniform` bytes are bound as storage, which is slower. */
export type MostBytes = { readonly uniform: number; readonly storage: number }

export function kernelsOf(program: Program, most: MostBytes, division: Division): ProgramKernels {
  const sizes = sizesOf(program, division)
  const back = { ...sizes, rowsAtOnce: division.rowsBackAtOnce }
  const workspace = workspaceOf(program, back, most.storage)
  const weight = (length: number): ArrayType =>
    ({ type: 'vec4f', access: 16 * length <= most.uniform ? 'uniform' : 'read', length })
  const kernel = { ...(sizes.kernel > 0 && { kernel: weight(sizes.kernel) }) }
  const weights = { ...kernel, w1: weight(sizes.w1), rest: weight(sizes.rest.size) }
  const step = (masked: boolean): ProgramKernel => source('rollout step', forwardWgsl(program, sizes, masked), {
    next: write('vec4u'), state: read('vec4u'),
    ...(masked && { mask: read('u32') }), ...weights,
  })
  const gradient = (name: string): ProgramKernel => (
    source('rollout gradient', gradientWgsl(program, sizes, workspace, workspace.at[name]), {
      gradient: write('f32'), tree: read('f32'),
    }))
  return {
    sizes, workspace,
    load: source('rollout start', loadWgsl(program, sizes), {
      state: write('vec4u'), x: read('f32'),
    }),
    loadMarks: source('rollout start', loadMarksWgsl(program, sizes), { state: write('vec4u'), x: read('f32') }),
    store: source('rollout readout', storeWgsl(program, sizes), {
      out: write('f32'), state: read('vec4u'),
    }),
    step: step(false),
    masked: step(true),
    addCotangent: source('rollout cotangent', addCotangentWgsl(program, sizes), {
      records: write('vec4u'), cotangent: read('f32'),
    }),
    markHeld: source('rollout cotangent', markHeldWgsl(program, sizes), { records: write('vec4u') }),
    back: source('rollout step back', backwardWgsl(program, back, workspace), {
      next: write('vec4u'), workspaces: write('vec4f'), state: read('vec4u'), after: read('vec4u'), records: read('vec4u'),
      ...weights,
    }),
    collect: source('rollout cotangent of the start', collectFirstWgsl(program, sizes), {
      gx: write('f32'), records: read('vec4u'), ...kernel,
    }),
    gather: source('rollout gradients', gatherWgsl(program, sizes, workspace), {
      tree: write('vec4f'), workspaces: write('vec4f'),
    }),
    gradients: Object.keys(weights).map(gradient),
  }
}

const write = (type: ArrayType['type']): ArrayType => ({ type, access: 'write' })
const read = (type: ArrayType['type']): ArrayType => ({ type, access: 'read' })

const spaces = { write: 'storage, read_write', read: 'storage, read', uniform: 'uniform' }

function source(name: string, body: string, arrays: Readonly<Record<string, ArrayType>>): ProgramKernel {
  const declarations = Object.entries(arrays).map(([array, { type, access, length }], i) => {
    const size = access === 'uniform' ? `, ${length}` : ''
    return `@group(0) @binding(${i}) var<${spaces[access]}> ${array}: array<${type}${size}>;`
  })
  return {
    name, code: `${declarations.join('\n')}\n${withFunctions(body)}`, access: Object.values(arrays).map(({ access }) => access),
  }
}
