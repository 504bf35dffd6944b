/**
 * Pipelines and bind groups, created once and cached: a layout for each list of kinds of access, a pipeline for each
 * source, and a bind group for each list of buffers. Creating them takes longer than everything else in a dispatch, and a
 * training loop needs few different ones, because freed buffers are reused in the same order.
 */
import type { Dispatch } from './commands.ts'
import type { Errors } from './errors.ts'

export type Bindings = {
  /** The compiled shader of a dispatch, and its buffers as group 0. Throws where the buffers cannot be bound. */
  of(d: Dispatch): { readonly pipeline: GPUComputePipeline; readonly group: GPUBindGroup }
  /** Drops the groups that contain this buffer. */
  forget(buffer: GPUBuffer): void
}

type KernelLayout = {
  readonly buffers: GPUBindGroupLayout
  readonly whole: GPUPipelineLayout
  readonly pipelines: Map<string, GPUComputePipeline>
}

/** A bind group, with its key in the cache and its buffers. */
type Group = { readonly key: string; readonly group: GPUBindGroup; readonly buffers: readonly Known[] }

/** A buffer that groups contain. */
type Known = { readonly id: number; readonly groups: Set<Group> }

/** The most groups in the cache; beyond that the oldest is dropped. */
const mostGroups = 1024

const types = { read: 'read-only-storage', write: 'storage', uniform: 'uniform' } as const
const computeStage = 0x4 // of the WebGPU specification; the name exists as a global in browsers only

/**
 * `uniformLayout` is that of group 1, which is omitted if a dispatch has no uniforms; `beforeCompiling` is called before a
 * pipeline is created.
 */
export function bindingsOf(
  device: GPUDevice, errors: Errors, uniformLayout: GPUBindGroupLayout, beforeCompiling: () => void,
): Bindings {
  const layouts = new Map<string, KernelLayout>()
  const groups = new Map<string, Group>()
  const known = new WeakMap<GPUBuffer, Known>()
  let nextId = 0

  function layoutOf(key: string, { buffers, uniforms }: Dispatch): KernelLayout {
    const kept = layouts.get(key)
    if (kept) return kept
    const group = device.createBindGroupLayout({
      entries: buffers.map(({ access }, binding) => (
        { binding, visibility: computeStage, buffer: { type: types[access] } })),
    })
    const bindGroupLayouts = uniforms.length > 0 ? [group, uniformLayout] : [group]
    const layout = { buffers: group, whole: device.createPipelineLayout({ bindGroupLayouts }), pipelines: new Map() }
    layouts.set(key, layout)
    return layout
  }

  function compile(layout: KernelLayout, d: Dispatch): GPUComputePipeline {
    const explain = (reason: string): string => `${d.name}: its WGSL kernel does not compile: ${reason}${shapesOf(d)}.`
    const create = (): GPUComputePipeline => device.createComputePipeline({
      label: d.name,
      layout: layout.whole,
      compute: { module: device.createShaderModule({ label: d.name, code: d.code }), entryPoint: 'invoke' },
    })
    const forget = (): void => void layout.pipelines.delete(d.code)
    beforeCompiling()
    const pipeline = errors.watch('internal', explain, () => errors.watch('validation', explain, create, forget), forget)
    layout.pipelines.set(d.code, pipeline)
    return pipeline
  }

  function know(buffer: GPUBuffer): Known {
    let it = known.get(buffer)
    if (!it) known.set(buffer, it = { id: nextId++, groups: new Set() })
    return it
  }

  function drop(group: Group): void {
    groups.delete(group.key)
    for (const buffer of group.buffers) buffer.groups.delete(group)
  }

  function bind(key: string, layout: KernelLayout, d: Dispatch): GPUBindGroup {
    refuseAlias(d)
    const explain = (reason: string): string => `${d.name}: its arrays cannot be bound: ${reason}${shapesOf(d)}.`
    const create = (): GPUBindGroup => device.createBindGroup({
      label: d.name,
      layout: layout.buffers,
      entries: d.buffers.map(({ buffer }, binding) => ({ binding, resource: { buffer } })),
    })
    const group = errors.watch('validation', explain, create, () => drop(made))
    const made = { key, group, buffers: d.buffers.map(({ buffer }) => know(buffer)) }
    for (const buffer of made.buffers) buffer.groups.add(made)
    groups.set(key, made)
    if (groups.size > mostGroups) drop(groups.values().next().value!)
    return group
  }

  return {
    of(d: Dispatch) {
      let layoutKey = d.uniforms.length > 0 ? '+' : ''
      let ids = ''
      for (const { buffer, access } of d.buffers) {
        layoutKey += access[0]
        ids += `,${know(buffer).id}`
      }
      const layout = layoutOf(layoutKey, d)
      const key = layoutKey + ids
      return {
        pipeline: layout.pipelines.get(d.code) ?? compile(layout, d),
        group: groups.get(key)?.group ?? bind(key, layout, d),
      }
    },

    forget(buffer: GPUBuffer): void {
      for (const group of known.get(buffer)?.groups ?? []) drop(group)
    },
  }
}

/** The invocations of a dispatch run in no order, so an array that is written must be bound only once. */
function refuseAlias(d: Dispatch): void {
  for (const { buffer, access } of d.buffers) {
    if (access === 'write' && d.buffers.filter(other => other.buffer === buffer).length > 1) {
      throw new Error(`${d.name}: an array that it writes is bound twice${shapesOf(d)}.`)
    }
  }
}

/** The inputs of a dispatch, as the end of a message. */
export function shapesOf({ inputs }: { readonly inputs?: Dispatch['inputs'] }): string {
  return inputs?.length ? `; inputs ${inputs.map(({ shape }) => `[${shape.join(',')}]`).join(', ')}` : ''
}
