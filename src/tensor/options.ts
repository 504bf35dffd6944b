/**
 * Arguments: what TypeScript cannot see, or JavaScript never asks, said in one sentence.
 *
 *   adam: rate is -1, expected a number ≥ 0.
 *   rollout: there is no option "readout"; did you mean "readouts"?
 *
 * Public functions check what they are given where it would otherwise fail later, under another name, or not at all.
 */

/** Throws `where: name is got, expected …` unless `ok`. */
export function check(ok: boolean, where: string, name: string, got: unknown, expected: string): void {
  if (!ok) throw new Error(`${where}: ${name} is ${show(got)}, expected ${expected}.`)
}

/** Throws unless the word is one of these. */
export function checkWord(where: string, name: string, got: unknown, words: readonly string[]): void {
  if (words.includes(got as string)) return
  const quoted = words.map(word => `'${word}'`)
  check(false, where, name, got, `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`)
}

/** Throws unless these are options by name, all of them known. What is `tolerated` is let through, but not offered. */
export function checkOptions(
  where: string, given: unknown, known: readonly string[], tolerated: readonly string[] = [],
): void {
  check(isObject(given), where, 'the options argument', given, `an object with ${known.join(', ')}`)
  const unknown = Object.keys(given as object).find(name => !known.includes(name) && !tolerated.includes(name))
  if (unknown === undefined) return
  const hint = didYouMean(unknown, known) || `; there are ${known.join(', ')}.`
  throw new Error(`${where}: there is no option ${JSON.stringify(unknown)}${hint}`)
}

/** Whether x has values by name. */
export function isObject(x: unknown): x is Readonly<Record<string, unknown>> {
  return typeof x === 'object' && x !== null && !Array.isArray(x)
}

/** Whether x is a whole number ≥ `least`. */
export function isWhole(x: unknown, least: number = 0): x is number {
  return Number.isSafeInteger(x) && (x as number) >= least
}

/** Whether x is a finite number ≥ `least`. */
export function isNumber(x: unknown, least: number = -Infinity): x is number {
  return Number.isFinite(x) && (x as number) >= least
}

/** A value as it stands in a message: what is inside of lists and objects only one level deep. */
export function show(value: unknown, inside: boolean = false): string {
  if (typeof value === 'string') return JSON.stringify(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  if ('dtype' in value && 'shape' in value && Array.isArray(value.shape)) {
    return `a tensor [${value.shape.join(',')}] ${String(value.dtype)}`
  }
  if (Array.isArray(value)) return inside ? '[…]' : `[${short(value.map(x => show(x, true)))}]`
  if (![Object, undefined].includes(value.constructor as ObjectConstructor)) return value.constructor.name
  return inside ? '{…}' : `{${short(Object.entries(value).map(([name, x]) => `${name}: ${show(x, true)}`))}}`
}

function short(parts: readonly string[]): string {
  return [...parts.slice(0, 6), ...(parts.length > 6 ? ['…'] : [])].join(', ')
}

/**
 * `; did you mean "batch"?` if one of the candidates is near, else nothing. With a prefix: `; did you mean --batch?`
 */
export function didYouMean(word: string, candidates: readonly string[], prefix: string = ''): string {
  const best = nearest(word, candidates)
  if (best === undefined) return ''
  return `; did you mean ${prefix === '' ? JSON.stringify(best) : prefix + best}?`
}

/** The candidate with the fewest letters that are otherwise, great or small, if those are at most a third. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const edits = (name: string): number => distance(word.toLowerCase(), name.toLowerCase())
  const [best] = candidates.map(name => ({ name, edits: edits(name) })).sort((a, b) => a.edits - b.edits)
  return best && best.edits <= Math.ceil(word.length / 3) ? best.name : undefined
}

/** How many letters must be inserted, deleted or replaced to get from one word to the other (Levenshtein 1966). */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j)
  for (let i = 1; i <= a.length; i++) {
    const next = [i]
    for (let j = 1; j <= b.length; j++) {
      next.push(Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + +(a[i - 1] !== b[j - 1])))
    }
    row = next
  }
  return row[b.length]
}
