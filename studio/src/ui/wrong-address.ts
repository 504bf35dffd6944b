/**
 * What of the address cannot be used, as one sentence: what is seen at once, and what a room finds when its model is there.
 */
import { mistakesIn, type Address } from '../address.ts'
import { notify } from './notice.tsx'

let told: readonly string[] = []

/** Tells what of the address cannot be used, beside what has been told of it before. */
export function tellOfAddress(mistakes: readonly string[]): void {
  if (mistakes.length === 0) return
  told = [...told, ...mistakes]
  const last = told.at(-1)!
  notify(`The address says ${told.length === 1 ? last : `${told.slice(0, -1).join(', ')} and ${last}`}.`)
}

/** Tells the same of an address that has just been opened. */
export function tellOfNewAddress(address: Address): void {
  told = []
  tellOfAddress(mistakesIn(address))
}
