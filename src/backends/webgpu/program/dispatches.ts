/**
 * The dispatches of a program on a GPU, one by one: which kernel runs on which buffers.
 */
import type { Handle } from '../../backend.ts'
import type { Program, ProgramRun } from '../../program.ts'
import type { Commands } from '../commands.ts'
import type { GpuMemory } from '../memory.ts'
import { uniformNames, type UniformValues } from './cells.ts'
import type { ProgramKernels, ProgramKernel } from './kernels.ts'
import { recordSize } from './sizes.ts'

/** A state: the cells before any of them dies, followed by their marks. */
export type State = GPUBuffer

/** The cotangents between two backward steps: a record for each cell, followed by marks of the cells that have one. */
export type Records = GPUBuffer

/** The caller's arrays besides the state, in the order in which kernels bind them. */
export type Weights = readonly GPUBuffer[]

/** Weight gradients: the workspaces of the workgroups, and a tree with the sums of earlier steps, with the number of its sums. */
export type Gradients = {
  readonly workspaces: GPUBuffer
  readonly tree: GPUBuffer
  runs: number
  /** The number of tiles that the workspaces have summed. */
  tiles: number
}

/** Allocates and frees buffers. */
export type Buffers = Pick<GpuMemory, 'acquire' | 'release'>

export type Dispatches = {
  /** Bytes of a state. */
  readonly stateBytes: number
  /** The first state. */
  load(x: Handle): State
  /** Writes a state as the caller sees it, with dead cells zero. */
  store(state: State, out: Handle): void
  /** The state after step t, from that before it. */
  step(weights: Weights, run: ProgramRun, before: State, t: number): State
  /** Gradients for a number of steps. */
  newGradients(steps: number): Gradients
  newRecords(): Records
  addCotangent(records: Records, cotangent: Handle, fresh: boolean): void
  /** The records before step t, from those after it. */
  back(
    weights: Weights, before: State, after: State, records: Records, sums: Gradients, t: number, wantX: boolean,
  ): Records
  /** Sums up the gradients, and collects the cotangent of the first state. */
  finish(weights: Weights, sums: Gradients, records: Records, gradients: readonly (Handle | null)[]): void
  free(what: State | Records): void
}

/** The steps of a program. `memory` allocates buffers; a dispatch has at most `mostGroups` workgroups along an axis. */
export function dispatchesOf(
  program: Program, kernels: ProgramKernels, commands: Commands, memory: Buffers, mostGroups: number,
): Dispatches {
  const { batch, height, width, perception } = program
  const { sizes, workspace } = kernels
  const { C, cells, rows, tiles, lanes } = sizes
  const shape = [batch, height, width]
  const geometry = { height, width, cells, tilesX: tiles.x, tilesY: tiles.y, tiles: tiles.all, workspaces: workspace.count }
  const { filters, learned } = perception

  function run(
    { name, code, access }: ProgramKernel, groups: number, arrays: readonly GPUBuffer[],
    uniforms: Partial<UniformValues> = {},
  ): void {
    const values = { ...geometry, ...uniforms }
    const y = Math.ceil(groups / mostGroups)
    commands.dispatch({
      name, code,
      buffers: arrays.map((buffer, i) => ({ buffer, access: access[i] })),
      uniforms: Uint32Array.from(uniformNames, field => values[field] ?? 0),
      groups: [Math.ceil(groups / y), y, 1],
    })
  }

  /** Runs a kernel with one invocation for each of n numbers or cells. */
  const runEach = (kernel: ProgramKernel, n: number, arrays: readonly GPUBuffer[], uniforms?: Partial<UniformValues>) =>
    run(kernel, Math.ceil(n / lanes), arrays, uniforms)

  const stateBytes = 16 * (C * cells + rows)

  const newState = (): State => memory.acquire(stateBytes, 'rollout state', [...shape, 4 * C])

  const newRecords = (): Records => (
    memory.acquire(16 * (recordSize(sizes) * cells + rows), 'rollout cotangents', [...shape, 4 * recordSize(sizes)]))

  /** Moves the sums of the workspaces into the tree. */
  function gather(sums: Gradients): void {
    runEach(kernels.gather, workspace.sums, [sums.tree, sums.workspaces], { runs: sums.runs })
    sums.runs++
    sums.tiles = 0
  }

  return {
    stateBytes,

    load(x: Handle): State {
      const state = newState()
      runEach(kernels.load, C * cells, [state, x as GPUBuffer])
      runEach(kernels.loadMarks, rows, [state, x as GPUBuffer])
      return state
    },

    store(state: State, out: Handle): void {
      run(kernels.store, tiles.all, [out as GPUBuffer, state])
    },

    step(weights: Weights, { keys, noiseKeys, masks }: ProgramRun, from: State, t: number): State {
      const to = newState()
      const mask = masks ? [masks[t] as GPUBuffer] : []
      const arrays = [to, from, ...mask, ...weights]
      run(masks ? kernels.masked : kernels.step, tiles.all, arrays, {
        first: +(t === 0), key0: keys[2 * t], key1: keys[2 * t + 1], threshold: Math.round(program.fireRate * 2 ** 32),
        ...(noiseKeys && { noise0: noiseKeys[2 * t], noise1: noiseKeys[2 * t + 1] }),
      })
      return to
    },

    newGradients(steps: number): Gradients {
      const { count, size, sums, tilesAtOnce, mostLevels } = workspace
      const levels = Math.ceil(Math.log2(steps * Math.ceil(tiles.all / tilesAtOnce) + 1))
      const acquire = (n: number, size: number): GPUBuffer => memory.acquire(16 * n * size, 'rollout gradients', [n, size, 4])
      const workspaces = acquire(count, size)
      commands.clear(workspaces)
      return { workspaces, tree: acquire(Math.min(levels, mostLevels), sums), runs: 0, tiles: 0 }
    },

    newRecords,

    addCotangent(records: Records, cotangent: Handle, fresh: boolean): void {
      const wanted = +!fresh
      runEach(kernels.addCotangent, cells, [records, cotangent as GPUBuffer], { wanted })
      runEach(kernels.markHeld, rows, [records], { wanted })
    },

    back(
      weights: Weights, before: State, after: State, records: Records, sums: Gradients, t: number, wantX: boolean,
    ): Records {
      const next = newRecords()
      const { tilesAtOnce, count } = workspace
      for (let firstTile = 0; firstTile < tiles.all; firstTile += tilesAtOnce) {
        const end = Math.min(firstTile + tilesAtOnce, tiles.all)
        const added = Math.ceil((end - firstTile) / count) * count
        if (sums.tiles + added > tilesAtOnce) gather(sums)
        sums.tiles += added
        run(kernels.back, count, [next, sums.workspaces, before, after, records, ...weights], {
          first: +(t === 0), wanted: +(t > 0 || wantX || learned), firstTile, tiles: end,
        })
      }
      return next
    },

    finish(weights: Weights, sums: Gradients, records: Records, gradients: readonly (Handle | null)[]): void {
      gather(sums)
      const { tree, runs } = sums
      const [x, ...others] = gradients as readonly (GPUBuffer | null)[]
      others.forEach((gradient, i) => {
        if (!gradient) return
        if (i === 0 && filters > 0 && !learned) commands.clear(gradient) // fixed filters have no gradient
        else runEach(kernels.gradients[i], gradient.size / 4, [gradient, tree], { runs })
      })
      if (x) run(kernels.collect, tiles.all, [x, records, ...(filters > 0 ? [weights[0]] : [])])
    },

    free: memory.release,
  }
}
