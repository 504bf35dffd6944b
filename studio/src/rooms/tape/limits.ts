/** What a script may take and show at most: seconds, printed lines (the last ones are kept), and tapes. */
export const limits = { seconds: 10, lines: 500, tapes: 50 } as const
