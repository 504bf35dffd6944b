/**
 * Sweeps as files describe them, and their plans: candidates, each a point of the fields, trained once for each seed and fold;
 * and the state machine (`halving.ts`) that decides how long each is trained. A design without halving is a machine of one rung.
 */
import { orNull, record, type Field } from '../../backends/fields.ts'
import { check, isObject, isWhole, numberAbove, oneOf, text, wholeFrom, flag } from '../../backends/options.ts'
import { key } from '../../tensor/key.ts'
import { arranged, placeOf } from '../config/sections.ts'
import { valueAt, withValue, type JsonObject } from '../flat.ts'
import { gridOf, latinHypercube, randomOf } from './designs.ts'
import { configAt, runId, type Point, type SweepFields } from './fields.ts'
import { halving, type Halving } from './halving.ts'
import { isGrowing, runConfigOf } from '../tasks/values.ts'

/** The content of a sweep's file. */
export type Sweep = {
  /** What all runs have in common: the values of a configuration, or the path of its file. */
  readonly base: JsonObject | string
  readonly fields: SweepFields
  readonly design: 'grid' | 'random' | 'latinHypercube'
  /** How many points are drawn; null for a grid. */
  readonly runs: number | null
  /** Seed of the draw. */
  readonly seed: number
  /** Each candidate is trained with each of these seeds; null: with the seed of the base. */
  readonly seeds: readonly number[] | null
  /** Trains all candidates for `least` iterations, and the best of them longer, see `halving`; null trains all to the end. */
  readonly halving: { readonly least: number; readonly factor: number; readonly wait: boolean } | null
  /** The budget of the sweep: the most runs, iterations of all runs together, and minutes; null for no limit. */
  readonly budget: { readonly runs: number | null; readonly iterations: number | null; readonly minutes: number | null }
  /** How often a run is restarted whose process or worker was killed, in a row without a new checkpoint, before it has failed. */
  readonly retries: number
}

/** Three weeks: JavaScript timers of more than 2³¹ milliseconds fire at once. */
const mostMinutes = 30_000

/** The fields of a sweep's file. */
export const sweepField: Field<Sweep> = record<Sweep>({
  fields: {
    base: {
      fits: x => isObject(x) || text.fits(x), expected: 'the values of a configuration, or the path of its file',
      json: { anyOf: [{ type: 'object' }, { type: 'string' }] }, about: 'What all runs have in common: a configuration, or the path of its file',
    },
    fields: {
      fits: isObject, expected: 'a list of values or a range for each path', json: { type: 'object' },
      about: 'Paths in the configuration, each with a list of values or { from, to, scale, whole, levels }; { values, when } applies only if earlier fields have the given values',
    },
    design: { ...oneOf(['grid', 'random', 'latinHypercube']), default: 'grid', about: 'Which points of the fields are tried' },
    runs: {
      fits: x => x === null || isWhole(x, 1), expected: 'null or a whole number > 0', default: null,
      about: 'How many points are drawn, for random designs and Latin hypercubes',
    },
    seed: { ...wholeFrom(0, Number.MAX_SAFE_INTEGER), default: 0, about: 'Seed with which points are drawn' },
    seeds: {
      ...orNull<readonly number[]>({
        fits: x => Array.isArray(x) && x.length > 0 && x.every(n => isWhole(n)) && new Set(x).size === x.length,
        expected: 'a list of whole numbers ≥ 0 that differ', json: { type: 'array', items: { type: 'integer', minimum: 0 }, minItems: 1 },
      }),
      default: null, about: 'Seeds of training: each point is trained with every seed; null: with that of the base',
    },
    halving: {
      ...orNull(record<NonNullable<Sweep['halving']>>({
        fields: {
          least: { ...wholeFrom(1), about: 'Iterations before the first selection' },
          factor: { ...numberAbove(1), default: 3, about: 'One in this many is selected, and is trained this many times as long' },
          wait: { ...flag, default: true, about: 'Whether each selection waits for all candidates; false (ASHA): no worker waits' },
        },
      })),
      default: null, about: 'Trains all candidates for a short time, and only the best further; null: all to the end',
    },
    budget: {
      ...record<Sweep['budget']>({
        fields: {
          runs: { ...orNull(wholeFrom(1)), default: null, about: 'Number of runs: candidates are taken in order while there is room for all runs of the next one, one for each seed and fold; null: no limit' },
          iterations: { ...orNull(wholeFrom(1, Number.MAX_SAFE_INTEGER)), default: null, about: 'Iterations of all runs together: a run that would need more is not started; null: no limit' },
          minutes: { ...orNull(numberAbove(0, mostMinutes)), default: null, about: 'Ends the sweep this many minutes after its last start; unfinished runs are saved; null: no limit' },
        },
      }),
      default: { runs: null, iterations: null, minutes: null }, about: 'Limits of the sweep, for any design',
    },
    retries: { ...wholeFrom(0, 1000), default: 5, about: 'How often a run is restarted after its process or worker was killed, in a row and without a new checkpoint; then it has failed' },
  },
  together({ design, runs }, expect) {
    expect(design === 'grid' ? runs === null : runs !== null, ['runs'], runs, design === 'grid' ? 'null, for a grid' : 'a whole number > 0, for a design that is drawn')
  },
})

/** A planned run: one candidate with one seed. */
export type PlannedRun = { readonly id: string; readonly candidate: number; readonly seed: number; readonly config: JsonObject }

/** The plan of a sweep: everything that it may train. */
export type Plan = {
  readonly points: readonly Point[]
  /** The configuration of each candidate, with the first of the seeds. */
  readonly configs: readonly JsonObject[]
  /** The runs of each candidate, one for each seed and, if its validate.fold is 'all', for each fold. */
  readonly runs: readonly (readonly PlannedRun[])[]
  /** The state machine, with as many of the first candidates as the budget has runs for. */
  readonly machine: Halving
}

/**
 * The plan of a sweep.
 *
 * @param base the values of the configuration that all runs have in common
 * @param otherwise the iterations of a run if the base does not give them
 * @throws one sentence where the fields are invalid, or values do not fit together
 * @example planOf(sweep, { data: { target: '🦎' }, train: { iterations: 500 } }, 8001).runs.flat().map(({ id }) => id)
 */
export function planOf(sweep: Sweep, base: JsonObject, otherwise: number): Plan {
  const said = valueAt(arranged(base) as JsonObject, 'train.iterations')
  const most = typeof said === 'number' ? said : otherwise
  const draw = { n: sweep.runs ?? 1, key: key(sweep.seed) }
  const designs = { grid: () => gridOf(sweep.fields), random: () => randomOf(sweep.fields, draw), latinHypercube: () => latinHypercube(sweep.fields, draw) }
  checkPlaces(Object.keys(sweep.fields))
  const points = designs[sweep.design]()
  const seeds = sweep.seeds ?? [typeof base.seed === 'number' ? base.seed : 0]
  const configs = points.map(point => withValue(configAt(base, point), 'seed', seeds[0]))
  const runs = configs.map((first, candidate) => seeds.flatMap(seed => foldsOf(withValue(first, 'seed', seed)).map(config => (
    { id: runId(config), candidate, seed, config }
  ))))
  const each = Math.max(...runs.map(({ length }) => length))
  const { least, factor, wait } = sweep.halving ?? { least: most, factor: 3, wait: true }
  check(least <= most, 'sweep', 'halving.least', least, `at most the iterations of a run, ${most}`)
  const first = least * each
  const { iterations: budget, runs: mostRuns } = sweep.budget
  check(budget === null || budget >= first, 'sweep', 'budget.iterations', budget, `at least ${first}, which the first candidate needs`)
  check(mostRuns === null || mostRuns >= each, 'sweep', 'budget.runs', mostRuns, `at least ${each}, which the first candidate needs`)
  const candidates = Math.min(points.length, Math.floor((mostRuns ?? Infinity) / each))
  return {
    points, configs, runs,
    machine: halving({ candidates, least, most, factor, wait, budget: (budget ?? Infinity) / each }),
  }
}

/** A configuration for each fold, if each is held out in turn; else just the given one. */
function foldsOf(config: JsonObject): JsonObject[] {
  const made = runConfigOf(config)
  if (!('config' in made) || isGrowing(made.config) || made.config.validate?.fold !== 'all') return [config]
  return Array.from({ length: made.config.validate.folds }, (_, fold) => withValue(config, 'validate.fold', fold))
}

/** Refuses fields that a sweep sets itself, and two paths for the same field. */
function checkPlaces(paths: readonly string[]): void {
  const places = paths.map(placeOf)
  paths.forEach((path, i) => {
    check(places[i] !== 'seed', 'sweep', 'a field', path, 'seeds: a list, over which results are averaged')
    check(places[i] !== 'train.iterations', 'sweep', 'a field', path, 'train.iterations in the base: all candidates are trained equally long, or by halving')
    check(places.indexOf(places[i]) === i, 'sweep', 'a field', path, `each field once; it is ${paths[places.indexOf(places[i])]}, which is there too`)
  })
}
