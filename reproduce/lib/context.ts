/**
 * The context that every reproduction gets, and the functions that write its results.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Image } from '../../src/index.ts'
import { writeFileAtomic, writePng } from '../../src/node/index.ts'

export type Context = {
  readonly name: string
  /** The folder for results, and the folder of trainings, from which they go on after an interruption. */
  readonly out: string
  readonly work: string
  /** The folder for trained models; null for seeds other than the first, whose models are not written. */
  readonly models: string | null
  readonly seed: number
  /** All seeds of the reproduction, of which this is one. */
  readonly seeds: readonly number[]
  /** Data sets from `npm run data`. */
  readonly data: string
  /** Few iterations, to check that it runs. */
  readonly quick: boolean
  /** Iterations of each training that were asked for instead of the reproduction's own, or null. */
  readonly iterations: number | null
}

/** Iterations of a training: those that were asked for, few for a quick run, or the reproduction's own. */
export function iterationsOf({ iterations, quick }: Context, own: number, few: number): number {
  return iterations ?? (quick ? few : own)
}

export type Row = Readonly<Record<string, string | number>>

/** Rows as CSV, in `out/reproduce-NAME.csv`; values with a comma are quoted. */
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

/** The file name of a part, for links in the text. */
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
