// The part of Vitest that the GPU tests use, so that they run from one file on a machine without packages. Tests run one
// after the other; each prints a line.

const begins = []
const ends = []
const closes = []
const tests = []
let finished = []
const path = []

export const beforeEach = fn => { begins.push(fn) }
export const afterEach = fn => { ends.unshift(fn) }
export const afterAll = fn => { closes.push(fn) }
export const onTestFinished = fn => { finished.push(fn) }

export function describe(name, body) {
  path.push(name)
  body()
  path.pop()
}

export function it(name, body) {
  tests.push({ name: [...path, name].join(' '), body })
}

it.each = list => (name, body) => {
  for (const row of list) {
    const values = [row].flat()
    it(name.replace('%s', values[0]), () => body(...values))
  }
}

/** Runs all tests: a hardware GPU has time even for those that are skipped where shaders take seconds to compile. */
it.runIf = () => it

export function expect(got, message = '') {
  const check = (ok, relation, wanted) => {
    if (!ok) throw new Error(`${message}: expected ${show(got)} ${relation} ${show(wanted)}`.replace(/^: /, ''))
  }
  return {
    toBe: wanted => check(Object.is(got, wanted), 'to be', wanted),
    toEqual: wanted => check(equal(got, wanted), 'to equal', wanted),
    toMatch: wanted => check(wanted.test(got), 'to match', wanted),
    toThrow: wanted => {
      const { message = 'nothing' } = thrownBy(got)
      check(wanted.test(message), `to throw not ${message} but`, wanted)
    },
    toBeLessThan: wanted => check(got < wanted, 'to be less than', wanted),
    toBeLessThanOrEqual: wanted => check(got <= wanted, 'to be at most', wanted),
  }
}

function thrownBy(fn) {
  try {
    fn()
  } catch (error) {
    return error
  }
  return {}
}

function equal(a, b) {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return Object.is(a, b)
  const keys = Object.keys(a)
  return a.constructor === b.constructor && keys.length === Object.keys(b).length
    && keys.every(name => equal(a[name], b[name]))
}

function show(value) {
  return value instanceof RegExp ? String(value) : String(JSON.stringify(value) ?? value).slice(0, 200)
}

/** There are no time limits here. */
export const vi = { setConfig: () => {} }

/** Runs all tests that the test files have defined, and ends the process. */
export async function runTests() {
  let failed = 0
  for (const { name, body } of tests) {
    finished = []
    const started = performance.now()
    try {
      for (const fn of begins) await fn()
      await body()
      for (const fn of ends) await fn()
      for (const fn of finished) await fn()
      console.log(`ok      ${name} (${Math.round(performance.now() - started)} ms)`)
    } catch (error) {
      failed++
      console.log(`FAILED  ${name}\n${error.message}`)
    }
  }
  for (const fn of closes) await fn()
  console.log(`${tests.length - failed} passed, ${failed} failed`)
  process.exit(failed > 0 ? 1 : 0)
}
