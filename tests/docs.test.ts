// Every file or folder of this repository that a page or a comment names exists; and every package has its line in
// docs/dependencies.md, with its version.

import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const folders = ['.ci', 'assets', 'bench', 'docs', 'examples', 'python', 'reproduce', 'scripts', 'src', 'studio', 'tests']

/** Files and folders, from the root, without installed and built ones. */
const paths: readonly string[] = readdirSync(root).concat(folders.flatMap(folder =>
  readdirSync(`${root}${folder}`, { recursive: true, encoding: 'utf8' }).map(path => `${folder}/${path}`)))
  .filter(path => !/(^|\/)(node_modules|dist|out)(\/|$)/.test(path))

/** Whether a path exists, from the root or from any folder. */
function exists(path: string): boolean {
  const wanted = path.replace(/^(\.\.?\/)+/, '').replace(/\/$/, '')
  return paths.some(file => file === wanted || file.endsWith(`/${wanted}`))
}

const below = `(?:${folders.map(folder => folder.replace('.', '\\.')).join('|')})/`
const inPages = new RegExp(`\`(${below}[\\w./-]+|(?:\\.\\./)*[\\w./-]+\\.(?:tsx?|m?js|py|sh|css|c))\``, 'g')
const inComments = new RegExp(`(?<![\\w./-])${below}[\\w/-]+\\.(?:tsx?|mjs|py|sh|md|json|css)\\b`, 'g')

/** The lines of a source that are comments. */
function comments(text: string): string {
  return text.split('\n').filter(line => /^\s*(?:\*|\/\*\*|\/\/|#) /.test(line)).join('\n')
}

/** Paths of files that are written at run time, examples of users' files, and files of other packages. */
const elsewhere = /^(out\/|results\/|x\.mjs$|bench\/lib\/run\.mjs$)/

it.each([
  ['pages', paths.filter(path => path.endsWith('.md') && path !== 'CHANGELOG.md'), inPages, (text: string) => text],
  ['comments', paths.filter(path => /\.(tsx?|mjs|py|sh)$/.test(path)), inComments, comments],
] as const)('names only paths that exist, in %s', (_, files, pattern, partOf) => {
  const named = files.flatMap(file => [...partOf(readFileSync(`${root}${file}`, 'utf8')).matchAll(pattern)]
    .map(([all, inner]) => ({ file, path: inner ?? all })))
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter(({ path }) => !elsewhere.test(path) && !exists(path))).toEqual([])
})

it('has a line for every package, with its version, and for no other', () => {
  const { dependencies, optionalDependencies, devDependencies } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'))
  const wanted = Object.entries<string>({ ...dependencies, ...optionalDependencies, ...devDependencies })
    .map(([name, version]) => `${name} ${version.replace(/^npm:.*@/, '')}`)
  // A row may have several packages of one scope, `@scope/a, b; @other/c`, with as many versions.
  const rows = readFileSync(`${root}docs/dependencies.md`, 'utf8').split('\n').filter(line => /^\| .*\d+\.\d+\.\d+/.test(line))
  const told = rows.flatMap(row => {
    const [names, versions] = row.split('|').slice(1, 3).map(cell => cell.replace(' (optional)', '').trim().split(/[,;] /))
    let scope = ''
    return names.map((name, i) => {
      scope = name.startsWith('@') ? name.slice(0, name.indexOf('/') + 1) : scope
      return `${name.startsWith('@') ? name : scope + name} ${versions[i]}`
    })
  })
  expect(told.toSorted()).toEqual(wanted.toSorted())
})
