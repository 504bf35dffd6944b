/**
 * cellgrad/experiment: what describes training runs, and what comes of them, as data. Pages and programs read and write the
 * same as the command line.
 */
export { configYaml } from './config/yaml.ts'
export { describe } from './config/describe.ts'
export type { Description } from './config/describe.ts'
export type { Config, PresetName } from './config/schema.ts'
export { trainerOf } from './config/trainer.ts'
export { configOf } from './config/values.ts'
export type { Mistake, Values } from './config/values.ts'

export { flatten, valueAt, withValue } from './flat.ts'
export type { Json, JsonObject } from './flat.ts'
export { compareRuns, differingFields, filterRuns, sortRuns, tableOfRuns, toCsv, toMarkdown } from './runs.ts'
export type { RunRecord, RunTable } from './runs.ts'
export { configAt, runId } from './sweep/fields.ts'
export type { ChoiceField, Point, RangeField, SweepFields, When } from './sweep/fields.ts'
export { gridOf, latinHypercube, randomOf } from './sweep/designs.ts'
export type { DrawOptions } from './sweep/designs.ts'
export { halving } from './sweep/halving.ts'
export type { Halving, HalvingJob, HalvingOptions, HalvingState } from './sweep/halving.ts'
export { importanceOf } from './sweep/importance.ts'
export { planOf, sweepField } from './sweep/plan.ts'
export type { Plan, PlannedRun, Sweep } from './sweep/plan.ts'
export { meanAndStd, ranked, sweepReport, sweepTable } from './sweep/report.ts'
export type { Candidate, Judged } from './sweep/report.ts'
export { encodeTensorboard } from './tensorboard/events.ts'
export type { Summary, TensorboardEvent } from './tensorboard/events.ts'
