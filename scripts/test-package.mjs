// Tests the package as its users get it, and with it the section "In your own project" of the README: builds it, packs it,
// installs the archive into an empty project and uses it there, without the optional WebGPU bindings. With CELLGRAD_LONG
// (tests/long.ts) it is also installed by a git URL. Prints one line for each check and stops at the first that fails.

import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const temp = mkdtempSync(join(tmpdir(), 'cellgrad-package-'))
const project = join(temp, 'project')

/** The entry points for imports: `cellgrad`, `cellgrad/ops`, … */
const entries = Object.keys(JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).exports)
  .filter(name => name !== './package.json').map(name => `cellgrad${name.slice(1)}`)

// npm passes its own settings to its scripts; an npm started from here must read those of the folder it runs in.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.toLowerCase().startsWith('npm_')))

/** Runs a program and returns its output; throws with the output if it fails. */
function run(cwd, command, ...args) {
  const shell = process.platform === 'win32' && command === 'npm' // npm is a .cmd file there
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, env, encoding: 'utf8', shell })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')} failed\n${error ?? ''}${stdout ?? ''}${stderr ?? ''}`)
  return stdout.trim()
}

/** Runs a development tool of this repository. */
function tool(cwd, file, ...args) {
  return run(cwd, process.execPath, join(root, 'node_modules', file), ...args)
}

/** Reports `what` as one line, with the detail that `test` returns, or throws. */
function check(what, test) {
  try {
    const detail = test()
    console.log(`package: ${what}${detail ? ` (${detail})` : ''}`)
  } catch (error) {
    throw new Error(`package: FAILED: ${what}\n${error.message}`, { cause: error })
  }
}

/** The code of a built file without comment lines, since examples in docstrings also have imports. */
function codeOf(file) {
  return readFileSync(file, 'utf8').replace(/^\s*(\/\/|\/\*|\*).*$/gm, '')
}

/** The modules that built code names in imports and re-exports, `import('…')` included. */
function importsOf(code) {
  return [...code.matchAll(/\b(?:from|import)\s*\(?\s*["']([^"']+)["']/g)].map(match => match[1])
}

/** A file of the built package and every chunk that it loads, directly or not, static or dynamic. */
function chunksFrom(file, found = new Set()) {
  if (found.has(file)) return found
  found.add(file)
  for (const name of importsOf(codeOf(file))) {
    if (name.startsWith('.')) chunksFrom(join(dirname(file), name), found)
  }
  return found
}

function checkAll() {
  check('builds', () => { run(root, process.execPath, 'scripts/prepare.mjs') })

  check('plain JavaScript in a clone imports it by its name', () => {
    run(root, process.execPath, '--input-type=module', '--eval', `${entries.map(name => `await import('${name}')`).join(';')}`)
  })

  check('the core needs no Node module and no require()', () => {
    const chunks = [...chunksFrom(join(root, 'dist/index.js'))]
    for (const file of chunks) {
      const code = codeOf(file)
      const builtin = importsOf(code).find(name => isBuiltin(name))
      if (builtin) throw new Error(`${relative(root, file)} imports ${builtin}`)
      if (/\brequire\(/.test(code)) throw new Error(`${relative(root, file)} calls require()`)
    }
    return `${chunks.length} files`
  })

  check('an editor says something about every option', () => {
    const lines = run(root, process.execPath, '--import', 'tsx', 'scripts/hover-texts.ts').split('\n')
    if (lines.length > 1) throw new Error(`there is no comment in dist/*.d.ts about ${lines.slice(0, -1).join(', ')}`)
    return lines[0]
  })

  check('its declarations show nothing that is internal', () => {
    const names = [...internalMembers()]
    const shown = names.filter(([owner, member]) => declares(owner, member)).map(name => name.join('.'))
    if (names.length === 0) throw new Error('no member is marked @internal')
    if (shown.length > 0) throw new Error(`dist/*.d.ts has ${shown.join(', ')}`)
    return `${names.length} members`
  })

  check('a page loads no more of it than it may', () => {
    const rows = run(root, process.execPath, 'scripts/size.mjs', '--check').split('\n').slice(2)
    return rows.map(row => row.split(' | ')[2]).join(', ')
  })

  check('packs', () => {
    const [{ files, size }] = JSON.parse(run(root, 'npm', 'pack', '--json', '--ignore-scripts', '--pack-destination', temp))
    return `${files.length} files, ${Math.round(size / 1024)} KB`
  })
  const archive = join(temp, readdirSync(temp).find(name => name.endsWith('.tgz')))

  check('no link in it is dead', () => {
    run(temp, 'tar', '-xzf', archive)
    const pages = readdirSync(join(temp, 'package'), { recursive: true }).filter(name => name.endsWith('.md'))
    const dead = pages.flatMap(page => linksOf(join(temp, 'package', page))
      .filter(link => !existsSync(join(temp, 'package', dirname(page), link))).map(link => `${page}: ${link}`))
    if (dead.length > 0) throw new Error(dead.join('\n'))
    return `${pages.length} pages`
  })

  check('publint finds nothing', () => {
    tool(temp, 'publint/src/cli.js', 'run', archive, '--strict')
  })

  check('attw finds nothing (ESM only)', () => {
    tool(temp, '@arethetypeswrong/cli/dist/index.js', archive, '--profile', 'esm-only', '--no-color', '--no-emoji')
  })

  check('installs without its optional dependencies', () => {
    mkdirSync(project)
    writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'project', private: true, type: 'module' }))
    run(project, 'npm', 'install', archive, '--omit=optional', '--prefer-offline', '--no-audit', '--no-fund')
    if (existsSync(join(project, 'node_modules/webgpu'))) throw new Error('webgpu was installed all the same')
  })

  for (const name of entries) {
    check(`${name} imports in plain Node`, () => {
      const code = `import * as module from '${name}'; console.log(Object.keys(module).length)`
      const count = Number(run(project, process.execPath, '--input-type=module', '--eval', code))
      if (count === 0) throw new Error(`${name} exports nothing`)
      return `${count} exports`
    })
  }

  check('a rollout and its gradient are the same on two threads as on one', () => {
    const losses = run(project, process.execPath, '--input-type=module', '--eval', threads).split(' ')
    if (losses.length !== 2 || losses[0] !== losses[1] || !Number.isFinite(Number(losses[0]))) {
      throw new Error(`got ${losses.join(' and ')}`)
    }
    return losses[0]
  })

  check('npx cellgrad --help', () => {
    const help = run(project, 'npm', 'exec', '--no', '--', 'cellgrad', '--help')
    if (!help.includes('cellgrad')) throw new Error(`the help does not name the program:\n${help}`)
  })

  check('npx cellgrad studio serves its page, on this machine only', () => (
    run(project, process.execPath, '--input-type=module', '--eval', studioVisit)
  ))

  check('its types compile in a TypeScript project without Node types', () => {
    writeFileSync(join(project, 'consumer.ts'), consumer)
    const options = ['--strict', '--noEmit', '--module', 'nodenext', '--target', 'es2023', '--skipLibCheck', 'false']
    tool(project, 'typescript/bin/tsc', ...options, 'consumer.ts')
  })

  check('Vite bundles it for browsers', () => {
    writeFileSync(join(project, 'index.html'), '<script type="module" src="page.js"></script>')
    writeFileSync(join(project, 'page.js'), page)
    // Without the module preload polyfill for old browsers, the page's script needs no document and runs here.
    writeFileSync(join(project, 'vite.config.js'), 'export default { build: { modulePreload: { polyfill: false } } }')
    const printed = tool(project, 'vite/bin/vite.js', 'build', '--logLevel', 'warn')
    if (printed !== '') throw new Error(`Vite warns:\n${printed}`)
    const [file] = readdirSync(join(project, 'dist/assets'))
    return run(project, process.execPath, join('dist/assets', file))
  })

  if (process.env.CELLGRAD_LONG) {
    check('installs by a git URL', () => {
      const [clone, other] = [join(temp, 'clone'), join(temp, 'other')]
      copyWorkingTree(clone)
      mkdirSync(other)
      writeFileSync(join(other, 'package.json'), JSON.stringify({ name: 'other', private: true }))
      run(other, 'npm', 'install', `git+file://${clone}`, '--omit=optional', '--prefer-offline', '--no-audit', '--no-fund')
      writeFileSync(join(other, 'x.mjs'), "import { tensor } from 'cellgrad'\nconsole.log(String(tensor([1, 2])))\n")
      return run(other, process.execPath, 'x.mjs')
    })
  }
}

/** The members that src/ marks as internal: class or type, and member. */
function* internalMembers() {
  for (const file of readdirSync(join(root, 'src'), { recursive: true }).filter(name => name.endsWith('.ts'))) {
    let owner = ''
    const lines = readFileSync(join(root, 'src', file), 'utf8').split('\n')
    for (const [i, line] of lines.entries()) {
      owner = /^export .*?\b(?:class|type|interface) (\w+)/.exec(line)?.[1] ?? owner
      if (!line.includes('@internal')) continue
      const after = lines.slice(i + 1).find(next => !/^\s*(\*|\/)/.test(next))
      if (after.startsWith('export ')) continue // no member, but a whole declaration
      yield [owner, /(\w+)\??\s*[(:=]/.exec(after)[1]]
    }
  }
}

/** Whether the built declarations show this member of a class or type. */
function declares(owner, member) {
  const files = readdirSync(join(root, 'dist'), { recursive: true }).filter(name => name.endsWith('.d.ts'))
  return files.some(file => {
    const [, body] = new RegExp(`\\b(?:class|type|interface) ${owner}\\b(.*?\\n)\\}`, 's').exec(readFileSync(join(root, 'dist', file), 'utf8')) ?? []
    return body !== undefined && new RegExp(`^\\s+(?:\\w+ )*${member}\\??[(:]`, 'm').test(body)
  })
}

/** The files that a page links to. */
function linksOf(page) {
  const links = [...readFileSync(page, 'utf8').matchAll(/\]\(([^)#\s]+)[^)]*\)/g)].map(match => match[1])
  return links.filter(link => !/^\w+:/.test(link))
}

/** A repository with the tracked files of this one and the untracked ones that git does not ignore. */
function copyWorkingTree(to) {
  const names = run(root, 'git', 'ls-files', '-z', '--cached', '--others', '--exclude-standard').split('\0')
  for (const name of names.filter(name => name !== '' && existsSync(join(root, name)))) {
    mkdirSync(dirname(join(to, name)), { recursive: true })
    copyFileSync(join(root, name), join(to, name))
  }
  run(to, 'git', 'init', '--quiet')
  run(to, 'git', 'add', '--all')
  run(to, 'git', '-c', 'user.name=test', '-c', 'user.email=test@localhost', 'commit', '--quiet', '--message', 'as it is')
}

const consumer = `import { grad, mul, sum, type Tensor } from 'cellgrad'
import * as node from 'cellgrad/node'
export const derivative: (x: Tensor) => Tensor = grad((x: Tensor) => sum(mul(x, x)))
export const names: string[] = Object.keys(node)
`

const page = `import { growingRule, init, key, rollout, seed } from 'cellgrad'
const x = rollout(growingRule, init(growingRule, key(0)), seed(growingRule, { height: 5, width: 5 }), key(1), { steps: 2 })
console.log(String(x.shape))
`

const studioVisit = `
import { spawn } from 'node:child_process'
const child = spawn(process.execPath, ['node_modules/cellgrad/dist/cli/main.js', 'studio', '--print'])
const address = await new Promise((resolve, reject) => {
  child.stdout.on('data', text => { const found = /http:\\/\\/127[.]0[.]0[.]1:\\d+\\//.exec(text); if (found) resolve(found[0]) })
  child.on('exit', code => reject(new Error('it ended with ' + code)))
})
const page = await (await fetch(address)).text()
child.removeAllListeners('exit').kill()
if (!page.includes('cellgrad Studio')) throw new Error(page)
console.log(page.length + ' bytes')
`

const threads = `
import { cpu, grad, growingRule, init, inner, key, mul, rollout, sum, uniform } from 'cellgrad'
const sums = [1, 2].map(threads => {
  const backend = cpu({ threads })
  const x = uniform(key(1), [1, 16, 16, 16], { backend })
  const loss = p => {
    const y = rollout(growingRule, p, x, key(2), { steps: 8 })
    return sum(mul(y, y))
  }
  const params = init(growingRule, key(0), { backend })
  const grads = grad(loss)(params)
  return loss(params).toArray()[0] + inner(grads, grads).toArray()[0]
})
console.log(...sums)
`

try {
  checkAll()
} catch (error) {
  console.error(error.message)
  process.exitCode = 1
} finally {
  rmSync(temp, { recursive: true, force: true })
}
