/**
 * The context that every measurement gets.
 */
import type { Probe } from './machine.ts'

export type Context = {
  /** Tiny sizes and one round: checks that everything runs, without a useful result. */
  readonly quick: boolean
  /** Folder for cases, removed at the end. */
  readonly temp: string
  /** Folder for results. */
  readonly out: string
  readonly probe: Probe
}
