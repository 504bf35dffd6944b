import { join } from 'node:path'
import { inject } from 'vitest'

/** The path of a program in the bundle (bundle.ts), given the path of its source from the root: `bundled('src/cli/main.ts')`. */
export function bundled(source: string): string {
  return join(inject('bundle'), source.replace(/\.ts$/, '.mjs'))
}
