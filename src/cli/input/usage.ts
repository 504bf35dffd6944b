/**
 * What is said when something was typed or written that cannot be understood: a line for each mistake, status 2.
 */
import { WriteError } from '../../node/atomic-file.ts'

/** What went wrong, in one or more lines. They are printed one by one: a line break inside of a line is escaped. */
export class Failure extends Error {
  readonly lines: readonly string[]
  constructor(lines: readonly string[], options?: ErrorOptions) {
    super(lines.join('\n'), options)
    this.lines = lines
  }
}

/** A command line or a configuration that cannot be understood: one mistake a line. */
export class UsageError extends Failure {
  override readonly name = 'UsageError'
  constructor(...lines: readonly string[]) {
    super(lines)
  }
}

/** The status where a file could not be written: EX_IOERR of sysexits.h. A sweep stops then, it is not the run's fault. */
export const unwritten = 74

/** Whether an error comes from a file that could not be written, or a folder that could not be made on a full disk. */
export function isUnwritten(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const isDisk = ['ENOSPC', 'EDQUOT', 'EROFS'].includes((error as NodeJS.ErrnoException).code!)
  return isDisk || error instanceof WriteError || isUnwritten(error.cause)
}

/** The text as a number, or as it is where it is none. */
export function toNumber(text: string): number | string {
  const value = Number(text)
  return text.trim() === '' || Number.isNaN(value) ? text : value
}
