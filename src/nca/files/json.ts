/**
 * JSON from files that cannot be trusted.
 *
 * `JSON.parse` itself takes any depth, but nothing that walks its result does: a few kilobytes of `[[[[…` end the walk
 * with a stack overflow. And if a key occurs twice in an object, it silently keeps the last value, where another reader may keep
 * the first. So depth and keys are checked in the text, once it is known to be valid.
 */
import { quoted } from '../../backends/options.ts'

/**
 * The value of a JSON text.
 *
 * @param deepest how deep lists and objects may be nested
 * @throws the second half of a sentence that begins with a name: `is no valid JSON`, `is nested more than 8 deep`, `says "a" twice`
 */
export function parseJson(text: string, deepest: number): unknown {
  const value = valueOf(text)
  const open: Set<string>[] = [] // for each open list or object, its keys so far
  let last = ''
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if ('{['.includes(char)) open.push(new Set())
    else if ('}]'.includes(char)) open.pop()
    else if (char === '"') {
      const start = i
      for (i++; text[i] !== '"'; i++) if (text[i] === '\\') i++
      last = text.slice(start, i + 1)
    } else if (char === ':') { // the string before a colon is a key
      const key = JSON.parse(last) as string, keys = open.at(-1)!
      if (keys.has(key)) throw new Error(`says ${quoted(key)} twice`)
      keys.add(key)
    }
    if (open.length > deepest) throw new Error(`is nested more than ${deepest} deep`)
  }
  return value
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('is no valid JSON')
  }
}
