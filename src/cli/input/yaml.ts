/**
 * YAML files: their values, and the lines on which they stand.
 *
 * Whoever writes such a file may write anything into it. So it has a size, a depth and a number of aliases that it may
 * not pass, keys are compared in linear time (the parser's own comparison is quadratic: 23 s for 50,000 of them), and
 * what is wrong is one line that names the file and its line.
 */
import {
  isAlias, isCollection, isMap, isScalar, isSeq, LineCounter, parseDocument, visit, type Document, type Node,
  type Scalar, type YAMLMap,
} from 'yaml'
import { inLine } from '../../backends/options.ts'
import { readFileUpTo } from '../../node/read-file.ts'
import { UsageError } from './usage.ts'

export type Yaml = {
  readonly values: Readonly<Record<string, unknown>>
  /** The line of the last key on the way along a path that stands in the file, and the how manieth it is; none if the first does not. */
  lineOf(path: readonly PropertyKey[]): { line: number; depth: number } | undefined
}

const longest = 2 ** 17
const deepest = 100
const tooDeep = `is nested more than ${deepest} deep`
const mostAliases = 100

/**
 * Reads a YAML file that holds keys with values.
 *
 * @throws UsageError with one line, where it does not
 */
export async function readYaml(file: string): Promise<Yaml> {
  const text = new TextDecoder().decode(await readFileUpTo('config', file, longest))
  const lines = new LineCounter()
  const refuse = (message: string, offset?: number): never => {
    const line = offset === undefined ? '' : `:${lines.linePos(offset).line}`
    throw new UsageError(`${file}${line}: ${message}`)
  }
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false })
  const [error] = document.errors
  // The parser's own words where it came to an end of the stack.
  if (error?.message.includes('call stack')) refuse(tooDeep)
  if (error) refuse(inLine(error.message, 200), error.pos[0])
  checkNodes(document, refuse)

  const values: unknown = document.toJS({ maxAliasCount: -1 }) ?? {} // counted above
  if (typeof values !== 'object' || values === null || Array.isArray(values)) {
    refuse(`expected keys with values, got ${inLine(JSON.stringify(values))}`, 0)
  }

  function lineOf(path: readonly PropertyKey[]): { line: number; depth: number } | undefined {
    let node: unknown = document.contents
    let offset: number | undefined
    let depth = 0
    for (const step of path) {
      if (isSeq(node)) {
        node = node.items[Number(step)]
        offset = rangeOf(node) ?? offset
      } else {
        const pair = isMap(node) ? node.items.find(({ key }) => isScalar(key) && nameOf(key) === step) : undefined
        if (!pair) break
        node = pair.value
        offset = rangeOf(pair.key) ?? offset
      }
      depth++
    }
    return offset === undefined ? undefined : { line: lines.linePos(offset).line, depth }
  }
  return { values: values as Yaml['values'], lineOf }
}

type Refuse = (message: string, offset?: number) => never

/** Refuses what is nested too deep, keys that stand there twice, and aliases of nothing, of themselves, or too many. */
function checkNodes(document: Document.Parsed, refuse: Refuse): void {
  const anchors = new Map<string, Node>()
  let aliases = 0
  visit(document, {
    Node(_, node, ancestors) {
      const at = rangeOf(node)
      if (ancestors.filter(isCollection).length >= deepest) refuse(tooDeep, at)
      if (isMap(node)) checkKeys(node, refuse)
      if (!isAlias(node)) {
        if ('anchor' in node && node.anchor) anchors.set(node.anchor, node)
        return
      }
      const name = inLine(node.source)
      const source = anchors.get(node.source)
      if (!source) refuse(`the alias *${name} stands for nothing: there is no anchor &${name} before it; a text that begins with * stands in quotes`, at)
      if (ancestors.includes(source!)) refuse(`the alias *${name} stands inside of &${name}, which it stands for`, at)
      // What an alias stands for may hold aliases itself, and so on: each of them doubles it.
      if (isCollection(source) && holdsAlias(source)) refuse(`what the alias *${name} stands for holds an alias itself`, at)
      if (++aliases > mostAliases) refuse(`there are more than ${mostAliases} aliases`, at)
    },
  })
}

function checkKeys(map: YAMLMap, refuse: Refuse): void {
  const seen = new Set<string>()
  for (const { key } of map.items) {
    if (!isScalar(key)) return refuse('a key is no word', rangeOf(key))
    const name = nameOf(key)
    if (seen.has(name)) refuse('Map keys must be unique', rangeOf(key))
    seen.add(name)
  }
}

function holdsAlias(node: Node): boolean {
  let found = false
  visit(node, { Alias: () => { found = true; return visit.BREAK } })
  return found
}

/** A key as an object has it. */
function nameOf({ value }: Scalar): string {
  return value === null ? '' : String(value)
}

function rangeOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] } | undefined)?.range?.[0]
}
