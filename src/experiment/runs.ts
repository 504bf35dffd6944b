/**
 * Comparing runs: their configurations and results as tables.
 *
 * A run has fields: `name`, its results (`iteration`, `loss`, …), and the values of its configuration by their paths.
 */
import { check, checkKind, isNumber, oneOfNames } from '../backends/options.ts'
import { placeOf } from './config/sections.ts'
import { digits, flatten, shortPaths, word, type JsonObject, type Json } from './flat.ts'
import { canonical, isRunId } from './sweep/fields.ts'

/** A run: its name, its configuration, and its results by name. */
export type RunRecord = {
  readonly name: string
  readonly config: JsonObject
  readonly results: Readonly<Record<string, Json>>
}

/** A run as `cellgrad studio` serves it to a page. */
export type ServedRun = RunRecord & {
  /** Losses over iterations, each the mean of those since the one before. */
  readonly curve: { readonly iterations: readonly number[]; readonly losses: readonly number[] }
  /** The file names of its pictures and models. */
  readonly files: readonly string[]
  /** When one of its files was last changed, in milliseconds since 1970. */
  readonly changed: number
  /** Whether a process is training it now. */
  readonly training: boolean
}

/** The content of `runs.json`: the runs in a folder. */
export type ServedRuns = {
  /** Null if a page is served without runs. */
  readonly folder: string | null
  readonly runs: readonly ServedRun[]
  /** A sentence for each run that could not be read. */
  readonly leftOut: readonly string[]
}

/** A table: the names of columns, and rows of values. */
export type RunTable = { readonly columns: readonly string[]; readonly rows: readonly (readonly (Json | undefined)[])[] }

/** The fields of a run; a result takes precedence over a field of the same name in the configuration. */
export function fieldsOfRun({ name, config, results }: RunRecord): Readonly<Record<string, Json>> {
  return { ...flatten(config), ...results, name }
}

/** The paths of the configuration in which some of these runs differ, in order of first appearance. */
export function differingFields(runs: readonly RunRecord[]): string[] {
  const flat = runs.map(({ config }) => flatten(config))
  const paths = [...new Set(flat.flatMap(Object.keys))]
  return paths.filter(path => new Set(flat.map(fields => canonical(fields[path] ?? null) + String(path in fields))).size > 1)
}

/**
 * Labels of runs in a common picture: their names or, for runs of a sweep, whose names are hashes, the fields in which they
 * differ, if these distinguish them.
 *
 * @example labelsOf(runs)   // ['rate 0.001, seed 0', 'rate 0.001, seed 1', …]
 */
export function labelsOf(runs: readonly RunRecord[]): string[] {
  const names = runs.map(({ name }) => name)
  if (!names.every(name => isRunId(name.split(/[/\\]/).at(-1)!))) return names
  const short = shortPaths(differingFields(runs))
  const labels = runs.map(run => [...short].flatMap(([path, name]) => {
    const value = flatten(run.config)[path]
    return value === undefined ? [] : [`${name} ${word(digits(value, 4))}`]
  }).join(', '))
  return new Set(labels).size === labels.length ? labels : names
}

const conditionText = /^([^<>=!]+?)\s*(<=|>=|!=|=|<|>)\s*(.*)$/

/**
 * The conditions in a text, separated by commas; a comma that no condition follows is part of a value.
 *
 * @example conditionsIn('loss<0.01, rule.perceive=["identity","sobelX"]')   // ['loss<0.01', 'rule.perceive=["identity","sobelX"]']
 */
export function conditionsIn(text: string): string[] {
  return text.split(/,(?=[^,<>=!"]+(?:<=|>=|!=|=|<|>))/).map(condition => condition.trim())
}

/**
 * The runs that fulfil all conditions: `loss<0.01`, `train.batch=8`, `data.target!=🦎`, `rule.fireRate>=0.5`. A run without the
 * field fulfils only `!=`.
 *
 * @throws where a condition is not of this form, or no run has its field
 */
export function filterRuns<R extends RunRecord>(runs: readonly R[], conditions: readonly string[]): R[] {
  return conditions.reduce<R[]>((left, condition) => {
    const [, path, operator, text] = conditionText.exec(condition.trim()) ?? []
    check(path !== undefined, 'runs', 'a condition', condition, 'a field, one of = != < <= > >=, and a value')
    const field = knownField(runs, path)
    const isMeasured = /[<>]/.test(operator)
    check(!isMeasured || (text.trim() !== '' && isNumber(Number(text))), 'runs', 'a condition', condition, `a number behind ${operator}`)
    return left.filter(run => holds(fieldsOfRun(run)[field], operator, text))
  }, [...runs])
}

function holds(value: Json | undefined, operator: string, text: string): boolean {
  if (operator === '!=') return word(value) !== text
  if (value === undefined) return false
  if (operator === '=') return word(value) === text || (isNumber(value) && text.trim() !== '' && value === Number(text))
  const [a, b] = [value, Number(text)]
  if (!isNumber(a) || !isNumber(b)) return false
  return { '<': a < b, '<=': a <= b, '>': a > b, '>=': a >= b }[operator]!
}

/**
 * The runs sorted by a field, the least first, or with a minus before its name the greatest first; runs without it come last.
 *
 * @throws where no run has the field
 */
export function sortRuns<R extends RunRecord>(runs: readonly R[], by: string): R[] {
  const path = knownField(runs, by.replace(/^-/, ''))
  const sign = by.startsWith('-') ? -1 : 1
  const rank = (x: Json | undefined): number => (isNumber(x) ? 0 : x === undefined || x === null ? 2 : 1)
  return runs.toSorted((a, b) => {
    const [x, y] = [fieldsOfRun(a)[path], fieldsOfRun(b)[path]]
    if (rank(x) !== rank(y)) return rank(x) - rank(y)
    return sign * (isNumber(x) ? x - (y as number) : word(x) < word(y) ? -1 : Number(word(x) > word(y)))
  })
}

/** The path of a field that some run has (`train.batch` for `batch`). */
function knownField(runs: readonly RunRecord[], path: string): string {
  const known = [...new Set(runs.flatMap(run => Object.keys(fieldsOfRun(run))))]
  const found = [path, placeOf(path)].find(place => known.includes(place))
  check(known.length > 0, 'runs', 'the field', path, 'a field of a run, and there is none')
  if (found === undefined) checkKind('runs', 'the field', path, oneOfNames(known))
  return found!
}

/**
 * A table of runs: their names, their results, and the fields in which they differ; or the given columns.
 *
 * @throws where no run has such a column
 */
export function tableOfRuns(runs: readonly RunRecord[], columns?: readonly string[]): RunTable {
  const results = [...new Set(runs.flatMap(({ results }) => Object.keys(results)))]
  const shown = columns?.map(column => knownField(runs, column)) ?? [...new Set(['name', ...results, ...differingFields(runs)])]
  return { columns: shown, rows: runs.map(run => shown.map(column => fieldsOfRun(run)[column])) }
}

/** What differs between runs: a row for each field, results first, and a column for each run. */
export function compareRuns(runs: readonly RunRecord[]): RunTable {
  const { columns, rows } = tableOfRuns(runs)
  const [names, ...others] = columns.map((column, c) => [column, ...rows.map(row => row[c])])
  return { columns: ['field', ...names.slice(1).map(word)], rows: others }
}

/** A table as Markdown. */
export function toMarkdown({ columns, rows }: RunTable): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(cell => cell.replaceAll('|', '\\|').replaceAll('\n', ' ')).join(' | ')} |\n`
  return line(columns) + line(columns.map(() => '---')) + rows.map(row => line(row.map(word))).join('')
}

/** A table as CSV (RFC 4180). */
export function toCsv({ columns, rows }: RunTable): string {
  return csvLine(columns) + rows.map(row => csvLine(row.map(word))).join('')
}

/** A line of CSV (RFC 4180). */
export function csvLine(cells: readonly string[]): string {
  return `${cells.map(cell => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)).join(',')}\n`
}
