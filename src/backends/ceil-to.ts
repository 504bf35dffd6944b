/** n rounded up to a whole multiple of `unit`. */
export const ceilTo = (n: number, unit: number): number => Math.ceil(n / unit) * unit
