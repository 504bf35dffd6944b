/**
 * Numbers in the text of a shader. All numbers from a caller pass through here, because WGSL has no constants for NaN,
 * infinity and −0, and may flush numbers below 2⁻¹²⁶ to 0: these are written as their bits, through a function.
 */

/**
 * A float32 as WGSL reads it. Its source needs the functions of functions.ts.
 *
 * @example literal(0.1)         // f32(0.10000000149011612)
 * @example literal(-Infinity)   // float(0xff800000u)
 */
export function literal(x: number): string {
  const bits = new Uint32Array(Float32Array.of(x).buffer)[0]
  const exponent = (bits >>> 23) & 0xff
  if (bits !== 0 && (exponent === 0 || exponent === 0xff)) return `float(0x${bits.toString(16)}u)`
  const text = String(Math.fround(x))
  return `f32(${/[.e]/.test(text) ? text : `${text}.0`})`
}

/** A whole number from 0 to 2³¹ − 1, which fits every integer type. */
export function wholeLiteral(x: number): string {
  if (!(Number.isInteger(x) && x >= 0 && x < 2 ** 31)) throw new Error(`webgpu: ${x} is no whole number below 2³¹.`)
  return String(x)
}
