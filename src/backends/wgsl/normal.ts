/**
 * Normal numbers from random bits: √2·erf⁻¹(p), p = (4k + 1) / 2²⁴ − 1, k the upper 23 of the bits, with erf⁻¹ to single
 * precision as p times a polynomial of w = −ln(1 − p²), one for w < 5 and one for its tail (Giles, "Approximating the
 * erfinv function", 2010).
 */

/** Coefficients of w − 2.5 and of √w − 3, the highest first. */
export const central: readonly number[] = [
  2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06,
  0.00021858087, -0.00125372503, -0.00417768164, 0.246640727, 1.50140941,
]
export const tail: readonly number[] = [
  -0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844,
  0.00573950773, -0.0076224613, 0.00943887047, 1.00167406, 2.83297682,
]

/** The polynomial of `at` with these coefficients. */
function horner(coefficients: readonly number[]): string {
  return coefficients.map(String).reduce((sum, c) => `(${sum}) * at + ${c}`)
}

/** WGSL: `normalOf(bits: u32) -> f32`, for sources that go through `withFunctions`. */
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
