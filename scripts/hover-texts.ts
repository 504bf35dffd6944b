// Prints each option of the built package about which an editor says nothing, as `function.option`. What is asked for is
// what the language service shows when one points at it: the comment that the compiler finds before the declaration.

import { fileURLToPath } from 'node:url'
import { functionsWithOptions } from '../tests/surface.ts'

const built = (file: string): string => fileURLToPath(new URL(`../dist/${file}`, import.meta.url))
const functions = functionsWithOptions([built('index.d.ts'), built('node/index.d.ts')])
for (const { name, options } of functions) {
  for (const option of options) if (option.text === '') console.log(`${name}.${option.name}`)
}
console.log(`${functions.reduce((sum, { options }) => sum + options.length, 0)} options`)
