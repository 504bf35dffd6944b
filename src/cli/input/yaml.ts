/**
 * YAML files: their values, and the lines on which these are.
 *
 * Such a file may contain anything. So its size, its depth and its number of aliases are limited, keys are compared in linear
 * time (the parser's own comparison is quadratic: 23 s for 50,000 keys), and a mistake is reported in one line with the
 * file and the line number.
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
  /**
   * Follows a path as far as the file has it: the line of the last key that it has, and the number of keys up to it;
   * undefined if the file does not even have the first.
   */
  lineOf(path: readonly PropertyKey[]): { line: number; depth: number } | undefined
}

const longest = 2 ** 17
const deepest = 100
const tooDeep = `is nested more than ${deepest} deep`
const mostAliases = 100

/**
 * Reads a YAML file, which must have keys with values at its top level.
 *
 * @throws UsageError with one line if it has not, or if it is not valid YAML
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
  // The parser reports a stack overflow in the words of the engine.
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

/** Refuses values nested too deep, duplicate keys, and aliases that are undefined, contain themselves, or are too many. */
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
      if (!source) refuse(`the alias *${name} stands for nothing: there is no anchor &${name} before it; a text that begins with * needs quotes`, at)
      if (ancestors.includes(source!)) refuse(`the alias *${name} stands inside of &${name}, which it stands for`, at)
      // An alias may stand for a value with aliases, and so on: each level could double the size.
      if (isCollection(source) && holdsAlias(source)) refuse(`what the alias *${name} stands for holds an alias itself`, at)
      if (++aliases > mostAliases) refuse(`there are more than ${mostAliases} aliases`, at)
    },
  })
}

function checkKeys(map: YAMLMap, refuse: Refuse): void {
  const seen = new Set<string>()
  for (const { key } of map.items) {
    if (!isScalar(key)) return refuse('a key is not a word', rangeOf(key))
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

/** A key as the name of a property. */
function nameOf({ value }: Scalar): string {
  return value === null ? '' : String(value)
}

function rangeOf(node: unknown): number | undefined {
  return (node as { range?: readonly number[] } | undefined)?.range?.[0]
}
