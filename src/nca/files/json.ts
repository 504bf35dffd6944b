/**
 * JSON from files that cannot be trusted.
 *
 * `JSON.parse` itself takes any depth, but nothing that walks its result does: a few kilobytes of `[[[[…` end the walk
 * with a stack overflow. So the depth is counted in the text, before it is parsed.
 */

/**
 * The value of a JSON text.
 *
 * @param deepest how deep lists and objects may be nested
 * @throws the second half of a sentence that begins with a name: `is no valid JSON`, `is nested more than 8 deep`
 */
export function parseJson(text: string, deepest: number): unknown {
  let depth = 0
  let inText = false
  for (let i = 0; i < text.length; i++) {
    const char = text[i]
    if (char === '"') inText = !inText
    else if (inText) i += +(char === '\\')
    else if (char === '{' || char === '[') depth++
    else if (char === '}' || char === ']') depth--
    if (depth > deepest) throw new Error(`is nested more than ${deepest} deep`)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw new Error('is no valid JSON')
  }
}
