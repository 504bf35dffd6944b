/** The allowed sizes of the square grids in the rooms Play and Look inside, in cells. */
export const sizes: Readonly<Record<'play' | 'inside', { readonly min: number; readonly max: number }>> = { play: { min: 8, max: 256 }, inside: { min: 8, max: 96 } }
