/**
 * The runner of programs on a GPU: one dispatch for each forward step (`forward.ts`) and one for each backward step
 * (`backward.ts`). This file only sequences them, and owns the memory.
 *
 * The backward pass needs the state before each step. All of them are kept if the budget allows; otherwise only those at
 * the beginnings of segments, from which the steps are run again. Hidden layers are always computed again: on a GPU
 * that is cheaper than storing them.
 */
import type { Handle } from '../../backend.ts'
import type { History, ProgramRunner, Program } from '../../program.ts'
import type { Commands } from '../commands.ts'
import type { OpenDevice } from '../device.ts'
import type { GpuMemory } from '../memory.ts'
import { widestWindow } from './cells.ts'
import { dispatchesOf, type Buffers, type Dispatches, type State, type Weights } from './dispatches.ts'
import { kernelsOf, type ProgramKernels } from './kernels.ts'
import { divisions } from './sizes.ts'

/** Bytes of states kept between forward and backward, unless the caller says otherwise. */
const defaultBudget = 192 * 2 ** 20

/** The most layers: each adds to the text of the shader and to the private memory of its invocations. */
const mostLayers = 8

/** The kept states, by the number of steps before them. */
type StatesHistory = History & { readonly states: ReadonlyMap<number, State> }

/** The history of a rollout without cells. */
const noHistory: History = { drop: () => {} }

/** Buffers that are freed together, unless they have been freed before. */
function leaseOf(memory: GpuMemory): Buffers & { end(): void } {
  const held = new Set<GPUBuffer>()
  return {
    acquire(bytes, name, shape): GPUBuffer {
      const buffer = memory.acquire(bytes, name, shape)
      held.add(buffer)
      return buffer
    },
    release(buffer): void {
      held.delete(buffer)
      memory.release(buffer)
    },
    end(): void {
      for (const buffer of held) memory.release(buffer)
      held.clear()
    },
  }
}

export function runnerOf(
  { device, software }: OpenDevice, commands: Commands, memory: GpuMemory,
): ProgramRunner {
  const division = software ? divisions.software : divisions.hardware
  const { maxUniformBufferBindingSize: uniform, maxStorageBufferBindingSize: storage } = device.limits
  const { maxComputeWorkgroupsPerDimension: mostGroups } = device.limits
  const kernels = new Map<string, ProgramKernels>()

  /** Runs `fn` with the dispatches of the program. Its buffers are freed unless it returns a history. */
  function using<H extends History | null>(
    program: Program, fn: (dispatches: Dispatches, lease: { end(): void }) => H,
  ): H {
    const key = JSON.stringify(program)
    let found = kernels.get(key)
    if (!found) kernels.set(key, found = kernelsOf(program, { uniform, storage }, division))
    const lease = leaseOf(memory)
    let history: H | null = null
    try {
      return history = fn(dispatchesOf(program, found, commands, lease, mostGroups), lease)
    } finally {
      if (!history) lease.end()
    }
  }

  const isEmpty = ({ batch, height, width }: Program): boolean => batch * height * width === 0
  const clearAll = (gradients: readonly (Handle | null)[]): void => {
    for (const gradient of gradients) if (gradient) commands.clear(gradient as GPUBuffer)
  }

  return {
    features: [],
    mostLayers,
    widestWindow,
    multiples: { hidden: 4 * division.hiddenAtOnce, last: 4 },

    forward: (program, inputs, run, outputs, keep) => isEmpty(program) ? noHistory : using(program, (dispatches, lease): StatesHistory | null => {
      const { steps, readouts, segment, budget } = run
      const all = (steps + 1) * dispatches.stateBytes <= (budget === 'auto' ? defaultBudget : budget)
      const weights = inputs.slice(1) as Weights
      const states = new Map<number, State>()
      let now = dispatches.load(inputs[0])
      for (let t = 0; t < steps; t++) {
        const next = dispatches.step(weights, run, now, t)
        if (keep && (all || t % segment === 0)) states.set(t, now)
        else dispatches.free(now)
        now = next
        const readout = readouts.indexOf(t + 1)
        if (readout >= 0) dispatches.store(now, outputs[readout])
      }
      return keep ? { states: states.set(steps, now), drop: () => lease.end() } : null
    }),

    backward: (program, inputs, run, history, cotangents, gradients) => {
      const last = cotangents.findLastIndex(g => g !== null)
      if (last < 0 || isEmpty(program)) return clearAll(gradients)
      using(program, dispatches => {
        const { states: kept } = history as StatesHistory
        const weights = inputs.slice(1) as Weights
        const { readouts, segment } = run
        const sums = dispatches.newGradients(readouts[last])
        let records = dispatches.newRecords()
        dispatches.addCotangent(records, cotangents[last]!, true)
        /** States of one segment that were not kept, computed again. */
        const again = new Map<number, State>()
        const has = (t: number): boolean => kept.has(t) || again.has(t)
        const stateAt = (t: number): State => kept.get(t) ?? again.get(t)!
        for (let t = readouts[last] - 1; t >= 0; t--) {
          if (!has(t) || !has(t + 1)) {
            for (let i = t - t % segment; i <= t; i++) {
              if (!has(i + 1)) again.set(i + 1, dispatches.step(weights, run, stateAt(i), i))
            }
          }
          const earlier = dispatches.back(weights, stateAt(t), stateAt(t + 1), records, sums, t, gradients[0] !== null)
          dispatches.free(records)
          records = earlier
          const cotangent = cotangents[readouts.indexOf(t)]
          if (cotangent) dispatches.addCotangent(records, cotangent, false)
          const done = again.get(t + 1)
          if (done) dispatches.free(done)
          again.delete(t + 1)
        }
        dispatches.finish(weights, sums, records, gradients)
        return null
      })
    },
  }
}
