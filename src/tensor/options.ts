/** Arguments are checked in every layer, so the page on it stands in the lowest one. */
export * from '../backends/options.ts'
