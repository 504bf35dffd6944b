/**
 * What every measurement is given.
 */
import type { Probe } from './machine.ts'

export type Context = {
  /** Tiny sizes and one round: whether everything runs, no result. */
  readonly quick: boolean
  /** Folder for cases, removed in the end. */
  readonly temp: string
  /** Folder for results. */
  readonly out: string
  readonly probe: Probe
}
