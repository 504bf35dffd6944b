// The settings in an address are read as they were written. One sentence lists those that cannot be used: what was given, what is
// expected, and what is used instead.

import fc from 'fast-check'
import { afterAll, describe, expect, it } from 'vitest'
import { addressOf, mistakesIn, readAddress, settingsIn, type RoomName } from '../../studio/src/address.ts'
import { closeBrowser, visit } from './visit.ts'

afterAll(closeBrowser)

const right: { readonly [R in RoomName]: Readonly<Record<string, string>> } = {
  play: { model: 'fish', graft: 'lady-beetle', size: '96', angle: '-45', condition: '2', border: 'reflect', speed: '10' },
  train: { run: 'a-run' },
  inside: { model: 'fish', steps: '32', size: '40', start: 'pool', t: '32', show: 'hidden', scale: 'own', x: '39', y: '0' },
  tape: { example: 'exp' },
  runs: { show: 'a\nb', fields: 'all' },
}
const rooms = Object.keys(right) as RoomName[]

const some = fc.constantFrom(...rooms).chain(room => fc.record({ room: fc.constant(room), names: fc.subarray(Object.keys(right[room])) }))

describe('an address', () => {
  it('is read as it was written, setting by setting', () => {
    fc.assert(fc.property(some, ({ room, names }) => {
      const settings = Object.fromEntries(names.filter(name => name !== 't').map(name => [name, right[room][name]]))
      const address = readAddress(addressOf(room, settings))
      expect(address).toEqual({ room, settings })
      expect(mistakesIn(address)).toEqual([])
      const said: Readonly<Record<string, unknown>> = settingsIn(room, settings)
      expect(Object.fromEntries(Object.entries(said).map(([name, value]) => [name, String(value)]))).toEqual(settings)
    }))
  })

  it('names each setting that cannot be used, and keeps all others', () => {
    const wrong = fc.oneof(fc.constantFrom('', ' ', '-1000', '1e3', '9999', '3.5', 'NaN', 'constructor', 'zero '), fc.string())
    const judged: { readonly [R in RoomName]?: readonly string[] } = { play: ['size', 'angle', 'border', 'speed', 'model', 'graft'], inside: ['steps', 'size', 'start', 'show', 'scale', 'model'], tape: ['example'], runs: ['fields'] }
    const place = fc.constantFrom(...Object.entries(judged).flatMap(([room, names]) => names.map(name => ({ room: room as RoomName, name }))))
    fc.assert(fc.property(place, wrong, ({ room, name }, text) => {
      const settings = { ...right[room], [name]: text }
      const said: Readonly<Record<string, unknown>> = settingsIn(room, settings)
      const parts = mistakesIn({ room, settings }).filter(part => part.startsWith(`${name}=`))
      expect(parts).toHaveLength(said[name] === undefined ? 1 : 0)
      for (const part of parts) expect(part).toMatch(/^\w+=.{0,41} \(expected .+; .+ is used\)$/su)
      expect(said).toMatchObject(Object.fromEntries(Object.entries(settingsIn(room, right[room])).filter(([other]) => other !== name && !['t', 'x', 'y'].includes(other))))
    }))
  })

  it.each([
    ['#play?size=9999', ['size=9999 (expected a whole number from 8 to 256; that of its training is used)']],
    ['#play?border=foo', ['border=foo (expected zero, circular, reflect or replicate; that of its rule is used)']],
    ['#play?sise=96&constructor=1', [
      'sise (play has no such setting; there are model, shared, graft, half, size, angle, condition, border, speed)',
      'constructor (play has no such setting; there are model, shared, graft, half, size, angle, condition, border, speed)',
    ]],
    ['#play?model=fish&shared=abc', ['model=fish (expected none beside shared; that of shared is used)']],
    ['#inside?steps=32&t=33', ['t=33 (expected a whole number from 0 to 32; 48, or the last step, is used)']],
    ['#inside?size=20&x=20', ['x=20 (expected a whole number from 0 to 19; the middle is used)']],
    ['#plya?size=96', ['plya (expected play, train, inside, tape, runs; play is used)']],
    ['#constructor', ['constructor (expected play, train, inside, tape, runs; play is used)']],
    ['', []], ['#', []], ['#runs?show=gone', []],
  ])('%s', (hash, parts) => expect(mistakesIn(readAddress(hash))).toEqual(parts))
})

const beginning = 'The address says '

it.each([
  ['#play?size=9999&border=foo', 'size=9999 (expected a whole number from 8 to 256; that of its training is used) and border=foo (expected zero, circular, reflect or replicate; that of its rule is used).'],
  ['#play?condition=3', 'condition=3 (expected none: lizard has no conditions; none is used).'],
  ['#play?model=emoji&condition=99', 'condition=99 (expected a whole number from 0 to 4; 0 is used).'],
  ['#inside?size=24&start=play', 'start=play (expected seed or pool: nothing of this model and size is in Play; seed is used).'],
  ['#inside?x=90', 'x=90 (expected a whole number from 0 to 71, on this grid; 71 is used).'],
  ['#tape?example=none', 'example=none (expected '],
  ['#runs?fields=some', 'fields=some (expected differ or all; differ is used).'],
  ['#runs?show=gone', 'show=gone (expected runs in a folder; the others are shown).'],
  ['#train?rum=3', 'rum (train has no such setting; there are run).'],
  ['#nowhere', 'nowhere (expected play, train, inside, tape, runs; play is used).'],
])('%s is told in the page', async (hash, rest) => {
  const studio = await visit('desktop')
  await studio.open(hash)
  const sentence = studio.page.getByRole('alert').locator('p')
  await sentence.waitFor()
  expect(await sentence.textContent()).toContain(`${beginning}${rest}`)
  await studio.leave()
})

it('follows an address that is changed by hand, without a notice if all of it can be used', async () => {
  const studio = await visit('desktop')
  const { page } = studio
  await studio.open('#play?size=40')
  await page.getByText('40 × 40').waitFor()
  await page.evaluate(() => { location.hash = '#play?size=48&border=circular' })
  await page.getByText('48 × 48').waitFor()
  expect(await page.getByLabel('Border').inputValue()).toBe('circular')
  expect(await page.getByRole('alert').isVisible()).toBe(false)
  // The room may write its settings into the address again before the page receives the event of the change.
  await page.evaluate(() => {
    location.hash = '#play?size=1'
    history.replaceState(null, '', '#play?size=48&border=circular')
  })
  await page.getByText(`${beginning}size=1 (expected`).waitFor()
  await studio.leave()
})
