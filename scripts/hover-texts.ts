// Prints each option of the built package for which editors show no documentation, as `function.option`: those for which the
// language service finds no comment before the declaration.

import { fileURLToPath } from 'node:url'
import { functionsWithOptions } from '../tests/surface.ts'

const built = (file: string): string => fileURLToPath(new URL(`../dist/${file}`, import.meta.url))
const functions = functionsWithOptions([built('index.d.ts'), built('node/index.d.ts')])
for (const { name, options } of functions) {
  for (const option of options) if (option.text === '') console.log(`${name}.${option.name}`)
}
console.log(`${functions.reduce((sum, { options }) => sum + options.length, 0)} options`)
