/**
 * What every reproduction is given, and how it leaves its results.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Image } from '../../src/index.ts'
import { writeFileAtomic, writePng } from '../../src/node/index.ts'

export type Context = {
  readonly name: string
  /** Where results go, and where training can go on after an interruption. */
  readonly out: string
  readonly work: string
  readonly seed: number
  /** All seeds of the reproduction, of which this is one. */
  readonly seeds: readonly number[]
  /** Data sets from `npm run data`. */
  readonly data: string
  /** Few iterations, to see that it runs. */
  readonly quick: boolean
  /** Iterations of each training, where others were asked for than a claim has. */
  readonly iterations: number | null
}

/** Iterations of a training: those that were asked for, few where it only has to run, or the claim's own. */
export function iterationsOf({ iterations, quick }: Context, own: number, few: number): number {
  return iterations ?? (quick ? few : own)
}

export type Row = Readonly<Record<string, string | number>>

/** Rows as CSV, in `out/reproduce-NAME.csv`; what has a comma in it stands in quotes. */
export async function writeCsv(context: Context, rows: readonly Row[]): Promise<void> {
  const columns = Object.keys(rows[0])
  const lines = [columns, ...rows.map(row => columns.map(column => row[column]))]
  const cell = (v: string | number): string => (String(v).includes(',') ? `"${v}"` : String(v))
  await write(context, '', 'csv', `${lines.map(line => line.map(cell).join(',')).join('\n')}\n`)
}

/** Text, in `out/reproduce-NAME.md`. */
export function writeText(context: Context, text: string): Promise<void> {
  return write(context, '', 'md', `${text.trim()}\n`)
}

/** A drawing, in `out/reproduce-NAME-part.svg`. */
export function writeSvg(context: Context, part: string, svg: string): Promise<void> {
  return write(context, part, 'svg', svg)
}

/** A picture, in `out/reproduce-NAME-part.png`. */
export async function writePicture(context: Context, part: string, image: Image): Promise<void> {
  await writePng(pathOf(context, part, 'png'), image)
}

/** The file of a part, as it is called in the text beside it. */
export function fileOf({ name }: Context, part: string, extension: string): string {
  return `reproduce-${name}${part === '' ? '' : `-${part}`}.${extension}`
}

function pathOf(context: Context, part: string, extension: string): string {
  mkdirSync(context.out, { recursive: true })
  return join(context.out, fileOf(context, part, extension))
}

async function write(context: Context, part: string, extension: string, text: string): Promise<void> {
  await writeFileAtomic(pathOf(context, part, extension), text)
}
