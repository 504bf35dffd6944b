/**
 * The errors of the command line. If arguments or files cannot be understood, there is a line for each mistake, and status 2.
 */
import { WriteError } from '../../node/atomic-file.ts'

/** An error with one or more lines. They are printed one by one: a line break inside a line is escaped. */
export class Failure extends Error {
  readonly lines: readonly string[]
  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(lines.join('\n'), options)
    this.lines = lines
  }
}

/** A command line or a configuration that cannot be understood, with a line for each mistake. */
export class UsageError extends Failure {
  override readonly name = 'UsageError'
  constructor(...lines: readonly string[]) {
    super(lines)
  }
}

/** The exit status if a file could not be written: EX_IOERR of sysexits.h. It stops a sweep, since it is not the run's fault. */
export const unwritten = 74

/** Whether an error comes from a file that could not be written, or from a full or read-only disk. */
export function isUnwritten(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const isDisk = ['ENOSPC', 'EDQUOT', 'EROFS'].includes((error as NodeJS.ErrnoException).code!)
  return isDisk || error instanceof WriteError || isUnwritten(error.cause)
}

/** The text as a number, or unchanged if it is not a number. */
export function toNumber(text: string): number | string {
  const value = Number(text)
  return text.trim() === '' || Number.isNaN(value) ? text : value
}
