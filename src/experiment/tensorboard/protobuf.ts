/**
 * Protocol buffers by hand, as far as event files need them (https://protobuf.dev/programming-guides/encoding): a
 * message is its fields one after the other, each behind a key, (number << 3) | kind:
 *
 *   0   a whole number in groups of seven bits, the lowest first      1   a double, 8 bytes
 *   2   a length, and so many bytes: text, a message, many doubles     5   a float, 4 bytes
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

/** Bytes: of a message, or as they are. */
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

// As the machine has them, that is, little-endian, as everywhere in this library.
function numbers(values: readonly number[]): Uint8Array {
  return new Uint8Array(Float64Array.from(values).buffer)
}

/** Up to 2⁵³ − 1, hence by division and not by shifting. */
function varint(value: number): Uint8Array {
  const groups: number[] = []
  for (; value >= 128; value = Math.floor(value / 128)) groups.push((value % 128) | 128)
  return Uint8Array.from([...groups, value])
}
