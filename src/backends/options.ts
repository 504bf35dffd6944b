/**
 * Checks of arguments, for mistakes that TypeScript cannot see and JavaScript does not notice, each with a one-sentence message.
 *
 *   adam: rate is -1, expected a number ≥ 0.
 *   rollout: there is no option "readout"; did you mean "readouts"?
 *   conv: activation is "rleu", expected 'linear', 'relu' or 'leakyRelu'; did you mean "relu"?
 *
 * Public functions check their arguments wherever a mistake would otherwise fail later, under another name, or not at all.
 */

/** Throws `where: name is got, expected …` unless `ok`. */
export function check(ok: boolean, where: string, name: string, got: unknown, expected: string): void {
  if (!ok) throw new Error(`${where}: ${name} is ${show(got)}, expected ${expected}${expected.endsWith('?') ? '' : '.'}`)
}

/** Throws unless the word is one of these. */
export function checkWord(where: string, name: string, got: unknown, words: readonly string[]): void {
  checkKind(where, name, got, oneOf(words))
}

/** Throws unless the value is of this kind. */
export function checkKind(where: string, name: string, got: unknown, kind: Kind): void {
  if (!kind.fits(got)) check(false, where, name, got, expectedOf(kind, got))
}

/** Throws unless `f` is a function. */
export function checkFunction(where: string, name: string, f: unknown): void {
  checkKind(where, name, f, callable)
}

/** The kind of a value: a test, the words for a message, and its JSON Schema. */
export type Kind = {
  readonly fits: (x: unknown) => boolean
  readonly expected: string
  readonly required?: true
  readonly json?: Json
}

/** The expected value as words for a message; if a word was given, with the most similar valid one. */
export function expectedOf({ expected, json = {} }: Kind, got: unknown): string {
  return typeof got === 'string' ? expected + didYouMean(got, wordsIn(json)) : expected
}

function wordsIn({ enum: words = [], anyOf = [] }: Json): string[] {
  return [...words.filter(word => typeof word === 'string'), ...anyOf.flatMap(wordsIn)]
}

/** JSON Schema, as far as it is used here. */
export type Json = {
  readonly description?: string
  readonly default?: unknown
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly minimum?: number
  readonly maximum?: number
  readonly exclusiveMinimum?: number
  readonly exclusiveMaximum?: number
  readonly not?: { readonly multipleOf: number }
  readonly items?: Json
  readonly minItems?: number
  readonly maxItems?: number
  readonly properties?: Readonly<Record<string, Json>>
  readonly required?: readonly string[]
  readonly additionalProperties?: false | Json
  readonly anyOf?: readonly Json[]
}

/** The options of a function by name, each with its kind. */
export type Options = Readonly<Record<string, Kind>>

/**
 * The options of type T: every one by name and no others, as the compiler checks. So the list of names cannot drift from the
 * type that users read.
 *
 * @example const sumOptions = keysOf<ReduceOptions>({ keepDims: flag })
 */
export function keysOf<T>(kinds: Kinds<T>): Options {
  return kinds
}

/** A kind for every option of type T; those that T requires are `required`. */
export type Kinds<T> = { readonly [K in keyof T]-?: undefined extends T[K] ? Kind : RequiredKind }

type RequiredKind = Kind & { readonly required: true }

/** The kind of an option that must be given. */
export const required = (kind: Kind): RequiredKind => ({ ...kind, required: true })

export const flag: Kind = { fits: x => typeof x === 'boolean', expected: 'true or false', json: { type: 'boolean' } }
export const text: Kind = { fits: x => typeof x === 'string', expected: 'a text', json: { type: 'string' } }
export const callable: Kind = { fits: x => typeof x === 'function', expected: 'a function' }

/** For an option that is checked later, together with others; it may be required or not. */
export const later: RequiredKind = required({ fits: () => true, expected: 'anything' })

/** A finite number from `least` to `most`. */
export function numberFrom(least: number = -Infinity, most: number = Infinity): Kind {
  return {
    fits: x => isNumber(x, least) && x <= most,
    expected: `a number${between(least, most)}`,
    json: { type: 'number', ...limits(least, most) },
  }
}

/** A finite number above `bound`, at most `most`. */
export function numberAbove(bound: number, most: number = Infinity): Kind {
  return {
    fits: x => isNumber(x) && x > bound && x <= most,
    expected: `a number > ${bound}${most < Infinity ? `, at most ${most}` : ''}`,
    json: { type: 'number', exclusiveMinimum: bound, ...limits(-Infinity, most) },
  }
}

/** A whole number from `least` to `most`. */
export function wholeFrom(least: number, most: number = Infinity): Kind {
  const range = least === 1 && most === Infinity ? ' > 0' : between(least, most)
  return {
    fits: x => isWhole(x, least) && x <= most,
    expected: `a whole number${range}`,
    json: { type: 'integer', ...limits(least, most) },
  }
}

function limits(least: number, most: number): Json {
  return { ...(least > -Infinity && { minimum: least }), ...(most < Infinity && { maximum: most }) }
}

function between(least: number, most: number): string {
  if (most < Infinity) return least > -Infinity ? ` from ${least} to ${most}` : ` ≤ ${most}`
  return least > -Infinity ? ` ≥ ${least}` : ''
}

/** One of these words. */
export function oneOf(words: readonly (string | number)[]): Kind {
  const quoted = words.map(word => (typeof word === 'string' ? `'${word}'` : String(word)))
  const all = quoted.length > 1 ? `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}` : quoted[0]
  return { fits: x => words.includes(x as string), expected: all, json: { enum: words } }
}

/** One of these names, for names that users have chosen, or of which there are many. */
export function oneOfNames(names: readonly string[]): Kind {
  return { ...oneOf(names), expected: `one of ${names.join(', ')}` }
}

/**
 * Throws unless these are options by name, all of them known and of their kind. Names in `tolerated` are accepted but not
 * suggested. An option that is undefined counts as not given.
 */
export function checkOptions(
  where: string, given: unknown, kinds: Options, tolerated: readonly string[] = [],
): void {
  if (!isObject(given)) check(false, where, 'the options argument', given, `an object with ${Object.keys(kinds).join(', ')}`)
  const options = given as Readonly<Record<string, unknown>>
  for (const name of Object.keys(options)) {
    if (Object.hasOwn(kinds, name)) {
      const x = options[name]
      if (x !== undefined) checkKind(where, name, x, kinds[name])
    } else if (!tolerated.includes(name)) refuseOption(where, name, Object.keys(kinds))
  }
  for (const name in kinds) {
    const { required: must, fits, expected } = kinds[name]
    if (must && options[name] === undefined) check(fits(undefined), where, name, undefined, expected)
  }
}

export function refuseOption(where: string, name: string, known: readonly string[]): never {
  const hint = didYouMean(name, known) || `; there are ${known.join(', ')}.`
  throw new Error(`${where}: there is no option ${quoted(name)}${hint}`)
}

/** Whether x is an object, and no array. */
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

/** A value as text for a message; lists and objects only one level deep. */
export function show(value: unknown, inside: boolean = false): string {
  if (typeof value === 'string') return quoted(value)
  if (typeof value === 'function') return 'a function'
  if (typeof value !== 'object' || value === null) return String(value)
  if ('dtype' in value && 'shape' in value && Array.isArray(value.shape)) {
    return `a tensor [${value.shape.join(',')}] ${String(value.dtype)}`
  }
  if (Array.isArray(value)) return inside ? '[…]' : `[${short(value.map(x => show(x, true)))}]`
  if (![Object, undefined].includes(value.constructor as ObjectConstructor)) return value.constructor.name
  return inside ? '{…}' : `{${short(Object.entries(value).map(([name, x]) => `${/^\w{1,80}$/.test(name) ? name : quoted(name)}: ${show(x, true)}`))}}`
}

// Control characters (C0, delete, C1), line and paragraph separators, and characters that change the direction of writing.
const steering = /[\p{Cc}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu

/** Any text as a part of a message: on one line, shortened, and without characters that control a terminal. */
export function inLine(text: string, longest: number = 80): string {
  const cut = text.length > longest ? `${text.slice(0, longest)}…` : text
  return cut.replaceAll(steering, char => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`)
}

/** The same in quotes, for text from a user. */
export function quoted(text: string): string {
  return inLine(JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text), Infinity)
}

function short(parts: readonly string[]): string {
  return [...parts.slice(0, 6), ...(parts.length > 6 ? ['…'] : [])].join(', ')
}

/**
 * `; did you mean "batch"?` if one of the candidates is similar, else nothing. With a prefix: `; did you mean --batch?`
 */
export function didYouMean(word: string, candidates: readonly string[], prefix: string = ''): string {
  const best = nearest(word, candidates)
  if (best === undefined) return ''
  return `; did you mean ${prefix === '' ? JSON.stringify(best) : prefix + best}?`
}

/**
 * The most similar candidate: the one with the fewest different letters, ignoring case, if at most a third of them differ. The
 * first letter is seldom wrong, and counts twice: whoever writes gpu does not mean cpu.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  const edits = (name: string): number => distance(word.toLowerCase(), name.toLowerCase()) + Number(word[0]?.toLowerCase() !== name[0]?.toLowerCase())
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
