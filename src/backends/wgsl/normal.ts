/**
 * WGSL: `normalOf(bits: u32) -> f32`, the normal number made from random bits, as in src/tensor/ops/random.ts.
 * Its source needs the functions of functions.ts.
 */
import { central, tail } from '../erfinv.ts'

/** The polynomial of `at` with these coefficients. */
function horner(coefficients: readonly number[]): string {
  return coefficients.map(String).reduce((sum, c) => `(${sum}) * at + ${c}`)
}

export const normalWgsl: string = `
fn normalOf(bits: u32) -> f32 {
  let p = f32(i32(bits >> 9) * 4 + 1 - 0x1000000) / 0x1000000;
  let w = -logarithm((1 - p) * (1 + p));
  var at = w - 2.5;
  var sum = ${horner(central)};
  if (w >= 5) {
    at = sqrt(w) - 3;
    sum = ${horner(tail)};
  }
  return ${Math.SQRT2} * p * sum;
}`
