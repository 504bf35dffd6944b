/**
 * JSON out of files that are not to be trusted.
 *
 * `JSON.parse` itself takes any depth, but nothing that walks its result does: a few kilobytes of `[[[[…` end the walk
 * with a stack overflow. So the depth is counted in the text, before it is parsed.
 */

/**
 * The value of a JSON text.
 *
 * @param deepest how many lists and objects may stand inside of each other
 * @throws half a sentence that goes on from a name: `is no valid JSON`, `is nested more than 8 deep`
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
