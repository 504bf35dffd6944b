/**
 * erf⁻¹(p) to single precision, from which normal numbers are made: p times a polynomial of w = −ln(1 − p²), one for w < 5
 * and one for the tail (Giles, "Approximating the erfinv function", 2010).
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
