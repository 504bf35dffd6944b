// Damage to files, from a seed: by disks, networks, editors and attackers.

export type Random = { whole(below: number): number; pick<T>(from: readonly T[]): T }

/** Mulberry32: a small generator, the same on every machine. */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const whole = (below: number): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) % below
  }
  return { whole, pick: from => from[whole(from.length)] }
}

const latin = (text: string): Uint8Array => Buffer.from(text, 'latin1')
const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1')

// Texts that mean something to one of the readers, and numbers at which others overflow.
const tokens = [
  '{', '}', '[', ']', '"', "'", ',', ':', '\\', '\n', '\0', '\x1b[2J', '\x9b', '&a ', '*a', '!!binary ', '<<: ', '%YAML 1.1\n',
  '__proto__', 'constructor', '__metadata__', '$tensor', 'toString', 'null', 'true', 'NaN', 'Infinity', '{}', '[]', '""', '()',
  'F64', 'F32', 'I32', 'F16', 'BF16', 'float64', 'type', 'dilation', 'hidden', 'circular', '<f8', '>i2', '|b1', '=f4', '|O8', 'IHDR', 'IDAT',
  'IEND', 'PLTE', 'tRNS', 'gAMA', 'eXIf', '[['.repeat(400), '{"a":'.repeat(200), 'é', '🦎',
]
const numbers = [
  '0', '-0', '-1', '1', '2', '255', '256', '65535', '65536', '1000000000', '2147483647', '2147483648', '4294967295', '4294967296',
  '9007199254740993', '1e9', '1e308', '1e999', '-1e999', '0.1', '1e-320', '00', '0x10', 'NaN',
]
const extremes = [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x00100000, 0x7fc00000]

type Mutation = (bytes: Uint8Array, random: Random, others: readonly Uint8Array[]) => Uint8Array

function replaced(bytes: Uint8Array, from: number, to: number, by: Uint8Array): Uint8Array {
  return new Uint8Array(Buffer.concat([bytes.subarray(0, from), by, bytes.subarray(to)]))
}

const mutations: readonly Mutation[] = [
  function flip(bytes, { whole }) {
    const copy = bytes.slice()
    if (copy.length > 0) copy[whole(copy.length)] ^= 1 << whole(8)
    return copy
  },
  function cut(bytes, { whole }) { return bytes.slice(0, whole(bytes.length + 1)) },
  function remove(bytes, { whole }) {
    const from = whole(bytes.length + 1)
    return replaced(bytes, from, Math.min(bytes.length, from + whole(40)), new Uint8Array(0))
  },
  function repeat(bytes, { whole }) {
    const from = whole(bytes.length + 1)
    const part = bytes.subarray(from, from + whole(40))
    return replaced(bytes, from, from, latin(textOf(part).repeat(1 + whole(30))))
  },
  function splice(bytes, { whole, pick }, others) {
    const other = pick(others)
    const from = whole(other.length + 1)
    const at = whole(bytes.length + 1)
    return replaced(bytes, at, Math.min(bytes.length, at + whole(60)), other.subarray(from, from + whole(60)))
  },
  function insert(bytes, { whole, pick }) {
    const at = whole(bytes.length + 1)
    return replaced(bytes, at, Math.min(bytes.length, at + whole(4)), latin(pick(tokens)))
  },
  function number(bytes, { pick }) {
    const found = [...textOf(bytes).matchAll(/-?\d+(\.\d+)?/g)]
    if (found.length === 0) return bytes
    const { 0: text, index } = pick(found)
    return replaced(bytes, index, index + text.length, latin(pick(numbers)))
  },
  function word(bytes, { pick }) {
    const found = [...textOf(bytes).matchAll(/[A-Za-z_$]\w+/g)]
    if (found.length < 2) return bytes
    const { 0: text, index } = pick(found)
    return replaced(bytes, index, index + text.length, latin(pick(found)[0]))
  },
  function binary(bytes, { whole, pick }) {
    const width = pick([1, 2, 4, 8])
    if (bytes.length < width) return bytes
    const copy = bytes.slice()
    const at = whole(Math.min(copy.length - width + 1, 512))
    const value = pick(extremes)
    for (let i = 0, big = whole(2); i < width; i++) copy[at + (big ? width - 1 - i : i)] = (value / 2 ** (8 * i)) & 255
    return copy
  },
]

/** A file with one to four faults. */
export function mutate(bytes: Uint8Array, random: Random, others: readonly Uint8Array[]): Uint8Array {
  let file: Uint8Array = new Uint8Array(bytes) // `slice` of a Buffer would not copy
  for (let n = 1 + random.whole(4); n > 0; n--) file = random.pick(mutations)(file, random, others)
  return file
}

const values: readonly unknown[] = [
  null, true, '', 'x', 'update.w1', -1, 0, 1, 2, 7, 0.5, 255, 4096, 65_536, 2 ** 31, 2 ** 32, 1e9, 1e300, -1e300, 2 ** 53, [], {}, [1], [2, 3, 4], { type: 'mlp' },
]

/** A tree of JSON with another value, without a value, or with a copy of another one, in one place. */
export function mutateJson(tree: unknown, random: Random): unknown {
  const nodes: (readonly [holder: Record<string, unknown>, name: string])[] = []
  const copy = structuredClone(tree)
  const collect = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return
    for (const [name, inner] of Object.entries(node)) {
      nodes.push([node as Record<string, unknown>, name])
      collect(inner)
    }
  }
  collect(copy)
  if (nodes.length === 0) return random.pick(values)
  const [holder, name] = random.pick(nodes)
  const how = random.whole(4)
  if (how === 0 && !Array.isArray(holder)) delete holder[name]
  else if (how === 1) holder[random.whole(2) === 0 ? name : `${name}2`] = structuredClone(random.pick(nodes)[0])
  else holder[name] = random.pick(values)
  return copy
}
