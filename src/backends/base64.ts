/**
 * Bytes as text and back: base64 (RFC 4648).
 */

/** Bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  const most = 0x8000 // arguments, which every engine takes
  let text = ''
  for (let i = 0; i < bytes.length; i += most) text += String.fromCharCode(...bytes.subarray(i, i + most))
  return btoa(text)
}

/** The bytes of base64. Throws where the text is not base64. */
export function fromBase64(base64: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(base64), c => c.charCodeAt(0))
}
