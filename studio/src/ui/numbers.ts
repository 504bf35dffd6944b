/** How numbers are written. */

/** A number with a true minus sign. */
export function minus(x: number | string): string {
  return String(x).replaceAll('-', '−')
}

/** A number in so many significant digits, without trailing zeros: 0.0004 */
export function brief(x: number, digits: number = 2): string {
  return minus(Number(x.toPrecision(digits)))
}
