/**
 * cellgrad/experiment: what describes a training run, as data. Pages and programs read and write the same configuration
 * as the command line.
 */
export { configYaml } from './config/yaml.ts'
export { describe } from './config/describe.ts'
export type { Description } from './config/describe.ts'
export { ruleOf } from './config/schema.ts'
export type { Config, PresetName } from './config/schema.ts'
export { trainerOf } from './config/trainer.ts'
export { configOf } from './config/values.ts'
export type { Mistake, Values } from './config/values.ts'
