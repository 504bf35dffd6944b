// The page of all fields of a file, docs/fields.md, made from the tables that read files.

import { schemaOf, type Field } from '../../src/backends/fields.ts'
import type { Json } from '../../src/backends/options.ts'
import { configField } from '../../src/experiment/config/schema.ts'
import { experimentFields, taskNames } from '../../src/experiment/tasks/experiment.ts'

/** The page. */
export function fieldsPage(): string {
  told = new Set()
  const growing = schemaOf(configField).properties!
  const tasks = Object.fromEntries(taskNames.map(name => [name, schemaOf(experimentFields[name] as Field).properties!]))
  const { data: _data, rule, train, task: _task, ...run } = tasks[taskNames[0]]
  const training = tableOf(rowsOf('train', train, false).slice(1)) // before the data, so that objects in both are described here
  const words = (names: string[]): string => names.map(name => `\`${name}\``).join(' and ')
  const [own, others] = [Object.keys(growing).filter(name => !(name in tasks[taskNames[0]])), Object.keys(run).filter(name => !(name in growing))]
  return `${head}
## The run

Of these, only \`growing\` has ${words(own)}; all other tasks have ${words(others)}.

${tableOf([...rowsOf('preset', growing.preset, true), ...rowsIn(run)])}
## The data of each task

${[['growing', growing] as const, ...Object.entries(tasks)].map(([name, { data }]) => `### ${name}\n\n${tableOf(rowsOf('data', data, false).slice(1))}`).join('\n')}
## Training

${training}
## The rule

${tableOf(rowsOf('rule', rule, false).slice(1))}`
}

const head = `# The fields of an experiment

All that a file may say (\`cellgrad train file.yaml\`). This page is generated from the tables that read such files, which are those of
\`defineRule\` and \`taskTrainer\`. [experiments.md](experiments.md) says how the fields go together; \`cellgrad config --schema\` prints the
same as JSON Schema. A field without a default must be given in the file, by a recipe or preset, or by the file that is extended. The
fields of an object with a type, \`rate: { type: step, … }\`, are listed only once, under Training if it occurs there. A file also has
\`task\`, one of the tasks below, and may have \`extends\`, another file or the name of a bundled experiment, whose fields it overrides.
`

type Row = { readonly path: string; readonly what: string; readonly otherwise: string; readonly about: string }

function tableOf(rows: readonly Row[]): string {
  const cell = (text: string): string => text.replaceAll('|', '\\|')
  const lines = rows.map(({ path, what, otherwise, about }) => `| \`${path}\` | ${cell(what)} | ${cell(otherwise)} | ${cell(about)} |`)
  return `${['| field | what | default | meaning |', '| --- | --- | --- | --- |', ...lines].join('\n')}\n`
}

function rowsIn(properties: Readonly<Record<string, Json>>, before = '', required: readonly string[] = []): Row[] {
  return Object.entries(properties).flatMap(([name, json]) => rowsOf(before === '' ? name : `${before}.${name}`, json, !required.includes(name)))
}

/** A field, and the fields within it. */
function rowsOf(path: string, json: Json, isOptional: boolean): Row[] {
  const otherwise = 'default' in json ? shown(json) : isOptional ? 'by the others' : ''
  return [{ path, what: inWords(json), otherwise, about: json.description ?? '' }, ...inside(path, json)]
}

/** The objects with a type, like a schedule, whose fields already have their rows: these are not repeated. */
let told = new Set<string>()

/** The fields of the objects in a field; if there are several types, each with its type. */
function inside(path: string, json: Json): Row[] {
  if (json.items && !isNumberOrWord(json.items)) return inside(`${path}[]`, json.items)
  if (json.anyOf) return json.anyOf.flatMap(member => inside(path, member))
  if (!json.properties) return []
  const { type, shape, ...others } = json.properties
  const [tag] = (type ?? shape)?.enum ?? []
  const kind = JSON.stringify(json)
  if (tag !== undefined && told.has(kind)) return []
  told.add(kind)
  return rowsIn(others, tag === undefined || tag === 'data' ? path : `${path}: ${String(tag)}`, json.required)
}

const isNumberOrWord = ({ type, enum: words }: Json): boolean => words !== undefined || ['integer', 'number', 'string'].includes(type!)

function shown({ default: value, properties, anyOf }: Json): string {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject && (properties ?? anyOf) ? 'as below' : `\`${typeof value === 'string' ? value : JSON.stringify(value)}\``
}

/** The allowed values, in words. */
function inWords(json: Json): string {
  const { type, enum: words, anyOf, items, minItems = 0, maxItems = Infinity, properties, not } = json
  if (anyOf) return [...new Set(anyOf.map(inWords))].join(', or ')
  if (words) return words.map(word => `\`${String(word)}\``).join(', ')
  if (type === 'boolean') return '`true`, `false`'
  if (type === 'null') return '`null`'
  if (type === 'string') return 'a text'
  if (type === 'array') return minItems === maxItems ? `${minItems} times ${inWords(items!)}` : `a list of ${minItems > 0 ? `at least ${minItems}: ` : ''}${inWords(items!)}`
  if (type === 'object') return properties ? `an object${tagOf(properties)}` : 'an object with names of your own'
  const kind = type === 'integer' ? `${not ? 'an odd' : 'a whole'} number` : 'a number'
  return `${kind}${boundsOf(json)}`
}

function tagOf({ type, shape }: Readonly<Record<string, Json>>): string {
  const [tag] = (type ?? shape)?.enum ?? []
  return tag === undefined || tag === 'data' ? '' : `, \`${type ? 'type' : 'shape'}: ${String(tag)}\``
}

function boundsOf({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: Json): string {
  const low = minimum === undefined ? exclusiveMinimum === undefined ? '' : ` > ${exclusiveMinimum}` : ` ≥ ${minimum}`
  const high = maximum === undefined ? exclusiveMaximum === undefined ? '' : ` < ${exclusiveMaximum}` : ` ≤ ${maximum}`
  return low && high ? `${low},${high}` : low + high
}
