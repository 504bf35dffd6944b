// Every kind of model is played by `grow`, or refused by what shows it.

import { beforeAll, describe, expect, it } from 'vitest'
import { defineRule, full, init, key, mlp, tensor, uniform, type DataParams, type DataRule, type Image, type Model } from '../../src/index.ts'
import { readPng, saveModel, writePng } from '../../src/node/index.ts'
import { runHere } from './here.ts'
import { temporaryFolder } from './run.ts'

const folder = temporaryFolder()

/** A rule that leaves its states as they are, so that what is seen is what it began with. */
const still = (given: Partial<DataRule> & Pick<DataRule, 'channels'>): DataRule => defineRule({ perceive: ['identity'], update: mlp(2), ...given } as DataRule)
const paramsOf = (rule: DataRule): DataParams => init(rule, key(0))
const modelOf = (rule: DataRule, more: Partial<Model> = {}): Model => ({ rule, params: paramsOf(rule), provenance: { grid: '5' }, ...more })

const told = still({ channels: { rgba: 4, condition: 3 }, frozen: ['condition'], living: { channel: 3, above: 0.1 } as DataRule['living'] })
const seesImage = still({ channels: { image: 1, hidden: 2, classes: 3 }, frozen: ['image'], inputMask: { channel: 0, above: 0.1 } })
const seesInput = still({ channels: { input: 1, output: 1 }, frozen: ['input'] })
const solid = still({ channels: { input: 1, output: 1, hidden: 1 }, frozen: ['input'], grid: 3 })
const image = tensor([[[[1], [0]], [[0], [1]], [[1], [0]]]]) // [1,3,2,1]

const models: Readonly<Record<string, Model>> = {
  told: modelOf(told, { provenance: { grid: '5', conditions: 'a b c' } }),
  coloured: modelOf(still({ channels: { rgba: 4, hidden: 1 } }), { starts: { rgba: tensor([[1, 0, 0, 1], [0, 0, 1, 1]]) } }),
  blind: modelOf(seesImage),
  noisy: modelOf(still({ channels: { noisy: 1, output: 1 }, frozen: ['noisy'] })),
  digits: modelOf(seesImage, { starts: { image } }),
  ink: modelOf(seesInput, { starts: { input: image, output: full([1, 1], 0.25) }, provenance: { data: '{"set":"x","ink":true}' } }),
  depth: modelOf(seesInput, { starts: { input: image, output: full([1, 1], Math.log(3)) }, provenance: { data: '{"set":"x","loss":"depth"}' } }),
  frames: modelOf(still({ channels: { frames: 3, hidden: 1 } }), { starts: { frames: tensor([[0, 0.5, 1]].map(one => [[one, one]])) } }),
  solid: modelOf(solid, { starts: { input: uniform(key(1), [1, 4, 3, 2, 1]), output: full([1, 1], 40) }, provenance: { data: '{"set":"x","loss":"diceBce"}' } }),
  texture: modelOf(still({ channels: { rgb: 3, hidden: 2 } })),
  line: modelOf(still({ channels: { rgba: 4, hidden: 1 }, grid: 1 })),
  words: modelOf(seesInput, { provenance: { data: 'words, not JSON' } }),
}

beforeAll(async () => {
  for (const [name, model] of Object.entries(models)) await saveModel(folder(`${name}.safetensors`), model)
  await writePng(folder('dot.png'), { width: 3, height: 3, data: Float32Array.from({ length: 36 }, (_, i) => (i % 4 === 3 ? 1 : +(i === 16))) })
})

const grow = (name: string, ...more: string[]): ReturnType<typeof runHere> => runHere(['grow', `${name}.safetensors`, '--steps', '2', ...more], { cwd: folder() })

/** The last picture of what is played. */
async function seenOf(name: string, ...more: string[]): Promise<Image> {
  const { status, err } = await grow(name, '--scale', '1', '--out', 'seen.png', ...more)
  expect([status, err]).toEqual([0, ''])
  return readPng(folder('seen.png'))
}

const pixel = ({ data, width }: Image, y: number, x: number): number[] => Array.from(data.slice(4 * (y * width + x), 4 * (y * width + x) + 4), v => Math.round(100 * v) / 100)

describe('grow', () => {
  it('begins with the colour of the seed that is asked for', async () => {
    expect(pixel(await seenOf('coloured'), 2, 2)).toEqual([1, 0, 0, 1])
    const second = await seenOf('coloured', '--example', '1', '--size', '3')
    expect([second.width, second.height, pixel(second, 1, 1), pixel(second, 0, 0)]).toEqual([3, 3, [0, 0, 1, 1], [0, 0, 0, 0]])
  })

  it('tells a rule its condition in all cells, by number or name', async () => {
    for (const which of ['1', 'b']) expect((await grow('told', '--example', which)).out).toBe('step 0/2  1 cells\nstep 1/2  1 cells\nstep 2/2  1 cells\n')
    expect((await grow('told', '--example', '3')).err).toBe('cellgrad grow: --example is "3", expected a whole number from 0 to 2, or one of a, b, c\n')
    expect((await grow('coloured', '--example', 'red')).err).toBe('cellgrad grow: --example is "red", expected a whole number from 0 to 1\n')
    expect((await grow('texture', '--example', '0')).err).toBe('cellgrad grow: --example is for models whose file has examples, or that are told a condition\n')
  })

  it('shows classes, outputs, depths, ink, frames and volumes as what they are', async () => {
    const digit = await seenOf('digits')
    expect([digit.width, digit.height, pixel(digit, 0, 1)]).toEqual([2, 3, [0, 0, 0, 1]])
    expect(pixel(digit, 0, 0)).not.toEqual([0, 0, 0, 1])
    expect(pixel(await seenOf('ink'), 0, 0)).toEqual([0.75, 0.75, 0.75, 1])
    expect(pixel(await seenOf('depth'), 0, 0)).toEqual([0.25, 0.25, 0.25, 1]) // 3 m, 1 / (1 + 3)
    const frame = await seenOf('frames')
    expect([frame.width, frame.height, pixel(frame, 0, 1)]).toEqual([2, 1, [1, 1, 1, 1]])
    const slice = await seenOf('solid')
    expect([slice.width, slice.height, pixel(slice, 0, 1)]).toEqual([2, 3, [1, 1, 1, 1]])
    expect(pixel(await seenOf('texture'), 2, 2)).toEqual([0.5, 0.5, 0.5, 1])
    const line = await seenOf('line')
    expect([line.width, line.height, pixel(line, 0, 2)]).toEqual([5, 1, [0, 0, 0, 1]])
    expect((await grow('digits')).out).toBe('step 0/2\nstep 1/2\nstep 2/2\n')
  })

  it('finds a bundled model by the first words of its name, and says which it is', async () => {
    const { status, out } = await runHere(['grow', 'spider', '--steps', '1', '--size', '9'], { cwd: folder() })
    expect([status, out.split('\n')[0]]).toEqual([0, 'spider-web'])
  })

  it('refuses what it has nothing to begin with, by what shows it', async () => {
    const sentence = (name: string, role: string, shown: string): string =>
      `cellgrad grow: ${name}.safetensors begins with what is given in its role ${role}, of which its file has no example; ${shown} shows what it makes of one\n`
    expect(await grow('blind')).toEqual({ status: 2, out: '', err: sentence('blind', 'image', 'cellgrad predict blind.safetensors INPUT') })
    expect((await grow('noisy')).err).toBe(sentence('noisy', 'noisy', 'cellgrad predict RUN, with the folder of its run,'))
    expect((await grow('digits', '--size', '9')).err).toBe('cellgrad grow: --size does not go with digits.safetensors, whose examples have 3×2 cells\n')
    expect((await grow('solid', '--damage')).err).toBe('play: damageAt is 1, expected none, since [1,4,3,2,3] is not a plane.\n')
  })

  it('damages what has grown, and not what is told', async () => {
    const whole = await seenOf('digits'), hurt = await seenOf('digits', '--damage', '1')
    expect([...hurt.data]).toEqual([...whole.data]) // a digit that is seen stays there
  })
})

it('predict takes a model that tells its data in words', async () => {
  const { status, err } = await runHere(['predict', 'words.safetensors', 'dot.png', '--steps', '1', '--out', 'made'], { cwd: folder() })
  expect([status, err]).toEqual([0, ''])
  expect(await readPng(folder('made', 'dot.png'))).toMatchObject({ width: 3, height: 3 })
})
