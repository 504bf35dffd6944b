/**
 * One sentence about everything in the address that cannot be used: mistakes that are found at once, and those that a room
 * finds once its model is loaded.
 */
import { mistakesIn, type Address } from '../address.ts'
import { notify } from './notice.tsx'

let told: readonly string[] = []

/** Tells the visitor of mistakes in the address, together with those already told. */
export function tellOfAddress(mistakes: readonly string[]): void {
  if (mistakes.length === 0) return
  told = [...told, ...mistakes]
  const last = told.at(-1)!
  notify(`The address says ${told.length === 1 ? last : `${told.slice(0, -1).join(', ')} and ${last}`}.`)
}

/** Begins anew with an address that has just been opened, and tells its mistakes. */
export function tellOfNewAddress(address: Address): void {
  told = []
  tellOfAddress(mistakesIn(address))
}
