/**
 * The types for Tape's editor: the declarations of the library, made from the same sources as the page, and those of the
 * language itself. They are a module, `virtual:declarations`, which exports the text of each file by its path.
 */
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve, sep } from 'node:path'
import { fileURLToPath } from 'node:url'
import { isolatedDeclarationSync } from 'rolldown/experimental'
import type { Plugin } from 'vite'

const name = 'virtual:declarations'
const sources = fileURLToPath(new URL('../src', import.meta.url))
const language = dirname(createRequire(import.meta.url).resolve('typescript'))

/** A file, and all files that it refers to, directly or indirectly. */
function gather(first: string, textOf: (path: string) => string, leadsTo: (text: string, path: string) => string[]): Map<string, string> {
  const found = new Map<string, string>()
  const open = [first]
  for (let path = open.pop(); path !== undefined; path = open.pop()) {
    if (found.has(path)) continue
    const text = textOf(path)
    found.set(path, text)
    open.push(...leadsTo(text, path))
  }
  return found
}

const matches = (text: string, pattern: RegExp): string[] => Array.from(text.matchAll(pattern), ([, found]) => found)

/** The declarations of everything that `cellgrad` exports: `/cellgrad/index.ts` and so on. */
function library(): [string, string][] {
  const files = gather(
    join(sources, 'index.ts'),
    path => {
      const { code, errors } = isolatedDeclarationSync(path, readFileSync(path, 'utf8'), { stripInternal: true })
      if (errors.length > 0) throw new Error(`${path} has no declarations: ${String(errors[0])}`)
      return code
    },
    (text, path) => matches(text, /from ["'](\.[^"']+)["']/g).map(specifier => resolve(dirname(path), specifier)),
  )
  return [...files].map(([path, text]) => [`/cellgrad/${relative(sources, path).split(sep).join('/')}`, text])
}

/** The declarations of JavaScript 2023, without those of browsers: `/lib.es2023.d.ts` and so on. */
function javascript(): [string, string][] {
  const files = gather(
    join(language, 'lib.es2023.d.ts'),
    path => readFileSync(path, 'utf8'),
    text => matches(text, /<reference lib="([^"]+)"/g).map(lib => join(language, `lib.${lib}.d.ts`)),
  )
  return [...files].map(([path, text]) => [`/${relative(language, path)}`, text])
}

export function declarations(): Plugin {
  return {
    name,
    resolveId: id => (id === name ? `\0${name}` : null),
    load: id => (id === `\0${name}` ? `export const files = ${JSON.stringify(Object.fromEntries([...library(), ...javascript()]))}` : null),
  }
}
