/**
 * Half precision: floating-point numbers of 16 bits (IEEE 754-2008, binary16).
 *
 *     bit 15      the sign
 *     bits 14…10  e + 15; from 2^e to 2^(e+1) halves are 2^(e−10) apart, e from −14 to 15
 *     bits 9…0    how many such steps above 2^e
 *
 * Below 2^−14 (subnormals, 0 in bits 14…10) halves are 2^−24 apart. So |x| = n · 2^(e−10) has the bits n + 1024 (e + 14), also
 * for subnormals, and also if rounding makes n = 2048, the first number of the next e. The largest half is 65504; 31 in bits
 * 14…10 means infinity if the other bits are 0, else NaN.
 */

const infinity = 0x7c00

/** The bits of the half nearest to a number; ties go to the even one. 65520 and more become infinity. */
export function toHalf(x: number): number {
  if (Number.isNaN(x)) return 0x7e00
  const size = Math.abs(x)
  const e = Math.max(Math.floor(Math.log2(size)), -14)
  const n = size / 2 ** (e - 10) + 2 ** 52 - 2 ** 52 // rounded to a whole number: float64 has no bits for a fraction at 2^52
  const bits = size < 65520 ? n + 1024 * (e + 14) : infinity
  return x < 0 || Object.is(x, -0) ? bits + 0x8000 : bits
}

/** The number of a half, exactly. */
export function fromHalf(bits: number): number {
  const e = (bits >> 10) & 31, rest = bits & 1023
  const size = e === 31 ? (rest ? NaN : Infinity) : e === 0 ? rest * 2 ** -24 : (1024 + rest) * 2 ** (e - 25)
  return bits & 0x8000 ? -size : size
}
