/** The limits of a script: its time in seconds, the printed lines (the last ones are kept), and the tapes that are drawn. */
export const limits = { seconds: 10, lines: 500, tapes: 50 } as const
