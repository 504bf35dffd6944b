/** How numbers are written. */

/** A number with a true minus. */
export function minus(x: number | string): string {
  return String(x).replaceAll('-', '−')
}

/** In so many digits, without zeros at the end: 0.0004 */
export function brief(x: number, digits: number = 2): string {
  return minus(Number(x.toPrecision(digits)))
}
