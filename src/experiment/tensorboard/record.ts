/**
 * Records in the framing of TensorFlow, for files that are only appended to ("TFRecords details" of its guide):
 *
 *     8 bytes   length, little-endian u64        4 bytes   masked CRC of these 8
 *     length    the data                         4 bytes   masked CRC of the data
 *
 * The CRC is CRC-32C (Castagnoli; RFC 3720, appendix B.4). It is masked (rotated right by 15 bits, plus a constant, modulo
 * 2³²), because a CRC of data that contain CRCs is weak.
 */

const table = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte
  for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
  return crc
})

/** CRC-32C of some bytes, as an unsigned number. */
export function crc32c(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255]
  return ~crc >>> 0
}

function masked(crc: number): number {
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
}

/** The bytes of a record. */
export function encodeRecord(data: Uint8Array): Uint8Array {
  const record = new Uint8Array(data.length + 16)
  const view = new DataView(record.buffer)
  view.setBigUint64(0, BigInt(data.length), true)
  view.setUint32(8, masked(crc32c(record.subarray(0, 8))), true)
  record.set(data, 12)
  view.setUint32(12 + data.length, masked(crc32c(data)), true)
  return record
}
