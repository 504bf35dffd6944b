// A run that is validated while it trains, and keeps its best parameters.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  conv, decodeCheckpoint, decodeModel, defineRule, eachLeaf, encodeCheckpoint, encodeModel, full, globalNorm, memory,
  mlp, mse, sgd, taskTrainer, Tensor, train, zeros, type Best, type DataParams, type IterationMetrics,
  type TrainOptions, type TrainerState,
} from '../../src/index.ts'
import { supersede } from '../../src/tensor/lifetime.ts'
import { runs } from '../long.ts'

const rule = defineRule({ channels: { a: 2 }, perceive: ['identity', conv(2)], update: mlp(3, { lastStd: 0.3 }), living: null })
const trainer = taskTrainer({
  rule, batch: 2, steps: [2, 5], optimiser: sgd({ rate: 0.05, momentum: 0.5 }), pool: 4,
  task: { examples: 1, seeds: ids => zeros([ids.length, 3, 3, 2]), loss: x => mse(x, full([3, 3, 2], 0.3)) },
})

type State = TrainerState<DataParams>
type Options = Omit<TrainOptions<State>, 'iterations'>

function bits(tree: unknown): string[] {
  const found: string[] = []
  eachLeaf(tree, (leaf, path) => {
    if (leaf instanceof Tensor) found.push(`${path} ${Buffer.from(leaf.toArray().buffer).toString('hex')}`)
  })
  return found
}

/** Runs until so many iterations are done; the last state, the best, and each best as it was. */
async function runTo(iterations: number, options: Options): Promise<{ state: State; best: Best<DataParams> | null; bests: (number | null)[] }> {
  let [state, best]: [State | undefined, Best<DataParams> | null] = [undefined, null]
  const bests: (number | null)[] = []
  for await (const progress of train(trainer, { iterations, seed: 4, ...options })) {
    ({ state, best } = progress)
    bests.push(best?.iteration ?? null)
  }
  return { state: state!, best, bests }
}

describe('validation', () => {
  it('runs at multiples of its interval, and keeps the parameters of the lowest value, never of NaN', async () => {
    const values: Record<number, number> = { 2: NaN, 4: 5, 6: 7, 8: 3, 10: NaN, 12: 3, 14: 9 }
    const params: Record<number, string[]> = {}
    const measure = (p: DataParams, iteration: number): number => {
      params[iteration] = bits(p)
      return values[iteration]
    }
    const { best, bests } = await runTo(15, { validation: { every: 2, measure } })
    expect(Object.keys(params).map(Number)).toEqual([2, 4, 6, 8, 10, 12, 14])
    expect(bests).toEqual([null, null, null, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8])
    expect(best).toMatchObject({ iteration: 8, value: 3 })
    expect(bits(best!.params)).toEqual(params[8])
    expect(params[8]).not.toEqual(params[10])
  })

  it('ends a run when its patience is over, at the same iteration after any interruption, and with the best', async () => {
    const values = fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 8, maxLength: 8 })
    await fc.assert(fc.asyncProperty(values, fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 15 }), async (list, patience, at) => {
      const validation = { every: 2, patience, measure: (_: DataParams, iteration: number) => list[iteration / 2 - 1] }
      const firstBest = list.findIndex((least, i) => i < list.length && list.slice(0, i).every(x => x > least) && list.slice(i + 1, i + 1 + patience).every(x => x >= least) && list.slice(i + 1).length >= patience)
      const end = firstBest < 0 ? 16 : 2 * (firstBest + 1 + patience)
      const whole = await runTo(16, { validation })
      expect(whole.state.iteration).toBe(end)
      const part = await runTo(Math.min(at, end), { validation })
      const rest = await runTo(16, { validation, state: part.state, best: part.best })
      if (part.state.iteration === end) expect(rest.bests).toEqual([]) // nothing is done again
      else expect([rest.state.iteration, bits(rest.best!.params)]).toEqual([end, bits(whole.best!.params)])
    }), { numRuns: 15 })
  })

  it('reports its last value', async () => {
    const said: (number | null)[] = []
    const measure = (_: DataParams, iteration: number): Promise<number> => Promise.resolve(10 * iteration)
    for await (const { validation } of train(trainer, { iterations: 5, validation: { every: 2, measure } })) said.push(validation)
    expect(said).toEqual([null, 20, 20, 40, 40])
  })

  it('does not change the training, and keeps only the best parameters', async () => {
    const plain = await runTo(9, {})
    const before = memory().buffers
    const { state, best } = await runTo(9, { validation: { every: 1, measure: (_, iteration) => -iteration } })
    expect(bits(state)).toEqual(bits(plain.state))
    let held = 0
    eachLeaf([state.params, state.optimiser], leaf => { held += +(leaf instanceof Tensor) })
    expect(best!.iteration).toBe(9)
    expect(memory().buffers - before).toBe(held) // the best are those of the last state, in the same memory
    supersede(best, null, 'is not wanted')
    expect(memory().buffers - before).toBe(held)
  })

  it('ends the same when the run is stopped anywhere, stored and resumed with its best', async () => {
    // A value that goes up and down with the parameters themselves.
    const measure = (p: DataParams): number => Math.abs(Math.sin(1e3 * p.update.w1.toArray()[0]))
    const validation = { every: 2, measure }
    const whole = await runTo(12, { validation })
    await fc.assert(fc.asyncProperty(fc.integer({ min: 1, max: 11 }), async at => {
      const first = await runTo(at, { validation })
      const { state } = decodeCheckpoint<DataParams>(await encodeCheckpoint(first.state))
      let best: Best<DataParams> | null = null
      if (first.best) {
        const { iteration, value, params } = first.best
        const bytes = await encodeModel({ rule, params, provenance: { iteration: `${iteration}`, value: `${value}` } })
        const { params: kept, provenance } = decodeModel(bytes)
        best = { iteration: Number(provenance.iteration), value: Number(provenance.value), params: kept }
      }
      const second = await runTo(12, { state, best, validation })
      expect(bits(second.state)).toEqual(bits(whole.state))
      expect([second.best!.iteration, second.best!.value, bits(second.best!.params)])
        .toEqual([whole.best!.iteration, whole.best!.value, bits(whole.best!.params)])
    }), runs(8))
  })

  it('refuses wrong validations and a wrong best', async () => {
    const outcome = (options: unknown): Promise<unknown> => runTo(2, options as Options)
    const measure = (): number => 1
    await expect(outcome({ validation: { every: 0, measure } })).rejects.toThrow('train: validation: every is 0, expected a whole number > 0.')
    await expect(outcome({ validation: { every: 1 } })).rejects.toThrow('train: validation: measure is undefined, expected a function.')
    await expect(outcome({ validation: { every: 1, measure: () => 'good' } })).rejects.toThrow('train: what validation.measure returned is "good", expected a number.')
    await expect(outcome({ validation: { every: 1, measure }, best: { iteration: 1, value: NaN, params: {} } })).rejects.toThrow('train: best: value is NaN')
    await expect(outcome({ validation: { every: 1, measure }, best: { iteration: 1, value: 1, params: {} } })).rejects.toThrow('train: best: params is {}')
  })
})

describe('onMetrics', () => {
  it('gets the numbers of every iteration, and is awaited; the norm is that of the gradient', async () => {
    const told: number[] = []
    const onMetrics = async ({ iteration, gradNorm, loss }: IterationMetrics): Promise<void> => {
      await Promise.resolve()
      expect([gradNorm, loss].every(Number.isFinite)).toBe(true)
      told.push(iteration)
    }
    const yielded: number[] = []
    for await (const { iteration, grads, gradNorm } of train(trainer, { iterations: 7, every: 3, onMetrics })) {
      yielded.push(iteration)
      expect(told).toEqual(Array.from({ length: iteration }, (_, i) => i + 1))
      expect(globalNorm(grads).toArray()[0]).toBeCloseTo(gradNorm, 6)
    }
    expect(yielded).toEqual([3, 6, 7])
  })

  it('ends the run with its error if it throws', async () => {
    const run = train(trainer, { iterations: 3, onMetrics: () => { throw new Error('full') } })
    await expect(run.next()).rejects.toThrow('full')
  })
})
