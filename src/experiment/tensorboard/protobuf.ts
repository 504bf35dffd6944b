/**
 * The part of protocol buffers that event files need (https://protobuf.dev/programming-guides/encoding): a message is its
 * fields one after the other, each preceded by a key, (number << 3) | kind:
 *
 *   0   a whole number in groups of seven bits, the lowest first      1   a double, 8 bytes
 *   2   a length, and as many bytes: text, a message, many doubles     5   a float, 4 bytes
 */

/** A field of a message, or several, as bytes. */
export type Field = Uint8Array

/** A message: its fields one after the other. */
export function message(...fields: readonly Field[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const field of fields) {
    bytes.set(field, at)
    at += field.length
  }
  return bytes
}

/** A whole number ≥ 0. */
export function whole(number: number, value: number): Field {
  return message(varint(number << 3), varint(value))
}

export function double(number: number, value: number): Field {
  return message(varint((number << 3) | 1), numbers([value]))
}

export function float(number: number, value: number): Field {
  return message(varint((number << 3) | 5), new Uint8Array(Float32Array.of(value).buffer))
}

/** Bytes, for instance of a message. */
export function bytes(number: number, value: Uint8Array): Field {
  return message(varint((number << 3) | 2), varint(value.length), value)
}

export function text(number: number, value: string): Field {
  return bytes(number, new TextEncoder().encode(value))
}

/** Many doubles, packed. */
export function doubles(number: number, values: readonly number[]): Field {
  return bytes(number, numbers(values))
}

// In the machine's byte order, which is little-endian wherever JavaScript engines run.
function numbers(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer)
}

/** A varint. Numbers may be up to 2⁵³ − 1, hence division and not shifts. */
function varint(value: number): Uint8Array {
  const groups: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) groups.push((value % 128) | 128)
  return Uint8Array.from([...groups, value])
}
