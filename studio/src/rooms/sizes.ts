/** Rows and columns of the grids that are played, and of those that are looked into. */
export const sizes: Readonly<Record<'play' | 'inside', { readonly min: number; readonly max: number }>> = { play: { min: 8, max: 256 }, inside: { min: 8, max: 96 } }
