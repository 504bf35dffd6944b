/**
 * The command queue of a GPU: compute shaders, copies and clears, each of which sees what earlier ones have written.
 *
 * A call only records a command. Commands are collected in one compute pass and submitted to the GPU 64 at a time, or when a
 * value is read, because submitting costs more than a command. Their uniforms lie side by side in one buffer, 256 bytes
 * for each.
 */
import type { Data, Spec } from '../backend.ts'
import { bindingsOf, shapesOf } from './bindings.ts'
import type { Errors } from './errors.ts'
import { faultsOf } from './faults.ts'

/** One run of a compute shader. */
export type Dispatch = {
  /** The operator, for messages. */
  readonly name: string
  /** The whole WGSL, with the entry point `invoke`. It should contain no sizes or scalars, so that it is compiled once. */
  readonly code: string
  /** Group 0, in order. A buffer that is written must occur only once. */
  readonly buffers: readonly { readonly buffer: GPUBuffer; readonly access: 'read' | 'write' | 'uniform' }[]
  /** Group 1 binding 0, at most 256 bytes, copied at the call. If it is empty, there is no group 1. */
  readonly uniforms: Uint32Array
  /** Whether it checks indices: then its last array is that of faults.ts, its last uniform the call's number; both are added. */
  readonly indices?: boolean
  /** Workgroups along x, y, z: at most 65535 each. */
  readonly groups: readonly [number, number, number]
  /** The inputs of the operator, for messages. */
  readonly inputs?: readonly Spec[]
}

export type Commands = {
  dispatch(d: Dispatch): void
  /** Copies the first `bytes`, a multiple of 4, by default as many as the smaller buffer has. */
  copy(from: GPUBuffer, to: GPUBuffer, bytes?: number): void
  /** Fills with zeros. */
  clear(buffer: GPUBuffer): void
  /** Copies host values to the beginning of a buffer. */
  write(buffer: GPUBuffer, data: Data): void
  /** Copies a buffer to host memory of the same size, once all earlier commands have run. Rejects with their errors. */
  read(buffer: GPUBuffer, into: Data): Promise<void>
  /** Gives a buffer back to the system, once the commands that use it have been submitted. */
  destroy(buffer: GPUBuffer): void
  /** Submits the collected commands. */
  flush(): void
  /** Submits them, and reads the note on indices outside of their axes; to be called before waiting for errors. */
  finish(): void
}

/** How many commands are submitted at once, and the bytes of uniforms of each (the alignment that every adapter supports). */
const batchSize = 64
const slotBytes = 256

/** Numbers of the WebGPU specification; the names exist as globals in browsers only. */
const usage = { mapRead: 0x1, copyDst: 0x8, uniform: 0x40 }
const computeStage = 0x4

type Batch = {
  readonly encoder: GPUCommandEncoder
  pass: GPUComputePassEncoder | null
  readonly calls: Pick<Dispatch, 'name' | 'inputs'>[]
}

export function commandsOf(device: GPUDevice, errors: Errors): Commands {
  const { queue, limits: { maxComputeWorkgroupsPerDimension: mostGroups } } = device
  const uniformLayout = device.createBindGroupLayout({
    entries: [{ binding: 0, visibility: computeStage, buffer: { type: 'uniform', hasDynamicOffset: true } }],
  })
  const { trust } = errors
  const faults = faultsOf(device, trust)
  // A pipeline that does not compile invalidates its batch, so earlier commands are submitted first.
  const bindings = bindingsOf(device, errors, uniformLayout, flush)
  errors.onArrival(() => {
    flush() // the batch that is being collected may be invalid
    trust.next()
  })
  const values = new Uint32Array(batchSize * slotBytes / 4)
  const uniforms = device.createBuffer({ size: values.byteLength, usage: usage.uniform | usage.copyDst })
  const uniformGroup = device.createBindGroup({
    layout: uniformLayout,
    entries: [{ binding: 0, resource: { buffer: uniforms, size: slotBytes } }],
  })
  let batch: Batch | null = null
  const doomed: GPUBuffer[] = []

  function open(): Batch {
    return batch ??= { encoder: device.createCommandEncoder(), pass: null, calls: [] }
  }

  /** Records a command that cannot be part of a compute pass. */
  function between(name: string, encode: (encoder: GPUCommandEncoder) => void): void {
    const current = open()
    current.pass?.end()
    current.pass = null
    encode(current.encoder)
    added(current, { name })
  }

  function added(current: Batch, call: Batch['calls'][number]): void {
    current.calls.push(call)
    if (current.calls.length === batchSize) flush()
  }

  function flush(): void {
    if (batch) {
      const { encoder, pass, calls } = batch
      batch = null
      pass?.end()
      errors.watch('validation', reason => blame(calls, reason), () => {
        // Takes effect before the commands of this batch, and after those of the batches before it.
        queue.writeBuffer(uniforms, 0, values, 0, calls.length * slotBytes / 4)
        queue.submit([encoder.finish()])
      })
      trust.next()
    }
    for (const buffer of doomed.splice(0)) buffer.destroy()
  }

  function checkDispatch(d: Dispatch): void {
    errors.check()
    if (4 * (d.uniforms.length + +(d.indices ?? false)) > slotBytes) {
      throw new Error(`${d.name}: ${4 * d.uniforms.length} bytes of uniforms; at most ${slotBytes} fit${shapesOf(d)}.`)
    }
    if (!d.groups.every(n => Number.isInteger(n) && n >= 0 && n <= mostGroups)) {
      const asked = `${d.name}: ${d.groups.join(' × ')} workgroups`
      throw new Error(`${asked}; at most ${mostGroups} fit along an axis${shapesOf(d)}.`)
    }
  }

  /** Submits everything, and lets the note on indices be read together with the errors. */
  function finish(): void {
    let note: { read(): Promise<void> } | undefined
    if (faults.pending) between('read', encoder => { note = faults.take(encoder) })
    flush()
    if (note) errors.follow(note.read(), () => {})
  }

  return {
    dispatch(given: Dispatch): void {
      const d = given.indices
        ? { ...given, buffers: [...given.buffers, { buffer: faults.buffer, access: 'write' as const }] } : given
      checkDispatch(d)
      for (const { buffer } of given.buffers) trust.reads(buffer)
      const { pipeline, group } = bindings.of(d)
      // Again, since only now is it certain which batch the command is in.
      for (const { buffer } of given.buffers) trust.reads(buffer)
      for (const { buffer, access } of given.buffers) if (access === 'write') trust.writes(buffer)
      const current = open()
      const pass = current.pass ??= current.encoder.beginComputePass()
      pass.setPipeline(pipeline)
      pass.setBindGroup(0, group)
      if (d.uniforms.length > 0) {
        const offset = current.calls.length * slotBytes
        values.set(d.uniforms, offset / 4)
        if (d.indices) values[offset / 4 + d.uniforms.length] = faults.number(d.name)
        pass.setBindGroup(1, uniformGroup, [offset])
      }
      pass.dispatchWorkgroups(...d.groups)
      added(current, d)
    },

    copy(from: GPUBuffer, to: GPUBuffer, bytes = Math.min(from.size, to.size)): void {
      errors.check()
      trust.reads(from)
      trust.writes(to)
      between('copy', encoder => encoder.copyBufferToBuffer(from, 0, to, 0, bytes))
    },

    clear(buffer: GPUBuffer): void {
      errors.check()
      trust.writes(buffer)
      between('clear', encoder => encoder.clearBuffer(buffer))
    },

    write(buffer: GPUBuffer, data: Data): void {
      errors.check()
      flush() // otherwise it would overtake the commands that are still being collected
      // Dawn crashes when it gets shared memory.
      queue.writeBuffer(buffer, 0, data.buffer instanceof ArrayBuffer ? data : data.slice())
      trust.writes(buffer)
      trust.next()
    },

    async read(buffer: GPUBuffer, into: Data): Promise<void> {
      errors.check()
      trust.reads(buffer)
      const { batch: number } = trust
      const refused = (reason: string): string => `webgpu: no memory to read ${into.byteLength} bytes: ${reason}.`
      const staging = errors.watch('out-of-memory', refused, () => (
        device.createBuffer({ size: buffer.size, usage: usage.mapRead | usage.copyDst })))
      trust.writes(staging)
      between('read', encoder => encoder.copyBufferToBuffer(buffer, 0, staging, 0, staging.size))
      finish()
      let failure = ''
      errors.follow(staging.mapAsync(usage.mapRead).then(() => {
        const bytes = new Uint8Array(staging.getMappedRange(), 0, into.byteLength)
        new Uint8Array(into.buffer, into.byteOffset).set(bytes)
        staging.destroy()
      }), reason => { failure = reason })
      await errors.settle()
      trust.settled(number)
      trust.reads(staging)
      if (failure === '') return
      await Promise.race([device.lost, new Promise(resolve => { setTimeout(resolve, 0) })])
      errors.check()
      throw new Error(`webgpu: a read failed: ${failure}.`)
    },

    destroy(buffer: GPUBuffer): void {
      bindings.forget(buffer)
      doomed.push(buffer)
    },

    flush,
    finish,
  }
}

/** Names the operators of a failed batch: those that the GPU names, or all. */
function blame(calls: Batch['calls'], reason: string): string {
  const named = calls.filter(({ name }) => reason.includes(`"${name}"`))
  const suspects = (named.length > 0 ? named : calls).map(call => call.name + shapesOf(call))
  return `webgpu: while running ${[...new Set(suspects)].join(', ')}: ${reason}.`
}
