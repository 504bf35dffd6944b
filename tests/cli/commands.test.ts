// The command line: help, mistakes, and that a mistake leaves nothing behind.

import { readdir, readFile, writeFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { decodeSafetensors, defineAutoencoder, defineRule, encodeSafetensors, init, initAutoencoder, key, mlp } from '../../src/index.ts'
import { readPng, saveModel, writePng } from '../../src/node/index.ts'
import { runHere } from './here.ts'
import { run, temporaryFolder } from './run.ts'

const folder = temporaryFolder()
const model = (): string => folder('small.safetensors')

beforeAll(async () => {
  const rule = defineRule({
    channels: { rgba: 4, hidden: 2 }, perceive: ['identity', 'laplacian'], update: mlp(4, { lastStd: 0.3 }), living: { channel: 3, above: 0.1 },
  })
  await saveModel(model(), { rule, params: init(rule, key(0)), provenance: { grid: '9' } })
  await writeFile(folder('cut.safetensors'), (await readFile(model())).subarray(0, 300))
  const { entries, metadata } = decodeSafetensors(await readFile(model()))
  await writeFile(folder('grid.safetensors'), encodeSafetensors(entries, { ...metadata, grid: 'wide' }))
  await writeFile(folder('huge.safetensors'), encodeSafetensors(entries, { ...metadata, rule: metadata.rule.replace('"hidden":2', '"hidden":1000000000') }))
  entries['update.w1'].data[5] = NaN
  await writeFile(folder('nan.safetensors'), encodeSafetensors(entries, metadata))
  await writeFile(folder('text.png'), 'GIF8')
  await writePng(folder('clear.png'), { width: 2, height: 2, data: new Float32Array(16) })
  await writeFile(folder('eight.yaml'), 'seed: 1\nbatch: "eight"\n')
})

describe('help', () => {
  it('names the program and its commands', async () => {
    const { status, out } = await run(['--help'])
    expect(status).toBe(0)
    for (const word of ['cellgrad', 'grow', 'train', 'start', 'config']) expect(out).toContain(word)
  })

  it.each(['grow', 'train', 'start', 'config'])('%s shows every flag with its default', async command => {
    const { status, out } = await runHere([command, '--help'])
    expect(status).toBe(0)
    expect(out).toContain(`cellgrad ${command}`)
    const flags = out.split('\n').filter(line => line.trim().startsWith('--'))
    expect(flags.length).toBeGreaterThan(1)
    for (const line of flags) expect(line).toMatch(/\(default: .+\)/)
  })

  it('of train shows the published values', async () => {
    const { out } = await runHere(['train', '--help'])
    for (const text of ['--iterations=<n>', '(default: 8001)', '--batch=<n>', '(default: 8)', '(default: 🦎)']) expect(out).toContain(text)
  })
})

describe('a mistake is one line', () => {
  it.each([
    [2, 'cellgrad data: there is no "mnst", expected one of mnist, fashion-mnist, brain, textures, stereo, noto; did you mean "mnist"?', ['data', 'mnst']],
    [2, 'cellgrad: there is no command trian (see cellgrad --help); did you mean "train"?', ['trian']],
    [2, 'cellgrad train: there is no flag --bach (see cellgrad train --help); did you mean --batch?', ['train', '--bach', '3']],
    [2, 'cellgrad train: --batch is "eight", expected a whole number from 1 to 65536', ['train', '--batch', 'eight']],
    [2, 'cellgrad train: --batch needs a value', ['train', '--batch', '--seed', '3']],
    [2, 'cellgrad train: "fish" is one argument too many; see cellgrad train --help', ['train', 'lizard', 'fish']],
    [2, 'cellgrad predict: INPUT is missing, and out/digits is not a run with examples of its own; see cellgrad predict --help', ['predict', 'out/digits']],
    [2, 'eight.yaml:2: train.batch is "eight", expected a whole number from 1 to 65536', ['train', '--config', 'eight.yaml']],
    [2, 'cellgrad train: --batch does not go with --resume, which goes on with the run as it is', ['train', '--resume', '.', '--batch', '3']],
    [2, 'cellgrad train: --backend is "gpu", expected \'cpu\', \'webgpu\' or \'auto\'', ['train', '--backend', 'gpu']],
    [2, 'cellgrad grow: --backend is "gpu", expected \'cpu\', \'webgpu\' or \'auto\'', ['grow', '--backend', 'gpu']],
    [2, 'cellgrad grow: --steps is 0, expected a whole number > 0', ['grow', 'small.safetensors', '--steps', '0']],
    [2, 'cellgrad grow: --out is "x.jpg", expected a file that ends in .gif or .png', ['grow', 'small.safetensors', '--out', 'x.jpg']],
    [2, 'cellgrad grow: --size is 100000, expected a whole number, at most 4096', ['grow', 'small.safetensors', '--size', '100000']],
    [2, 'cellgrad grow: --strip is 1000000000, expected a whole number, at most 20', ['grow', 'small.safetensors', '--steps', '20', '--strip', '1e9', '--out', 'x.png']],
    [2, /^cellgrad grow: x\.gif would have 8181000000 pixels, at most 250000000 are possible; choose a smaller --scale, .*\n$/, ['grow', 'small.safetensors', '--scale', '1000', '--out', 'x.gif']],
    [2, 'cellgrad grow: --out is "no/x.gif", expected a file in a folder that exists; there is no folder no', ['grow', 'small.safetensors', '--out', 'no/x.gif']],
    [2, 'cellgrad studio: there is no folder nowhere', ['studio', 'nowhere']],
    [2, 'cellgrad train: --minutes does not go with --iterations', ['train', '--minutes', '2', '--iterations', '3']],
    [2, 'cellgrad train: --minutes does not go with --resume, which goes on with the run as it is', ['train', '--resume', '.', '--minutes', '3']],
    [1, 'grow: . holds no model.safetensors; train saves one at every checkpoint and when it ends', ['grow', '.']],
    [1, 'train: . holds no run to resume: it has no config.yaml', ['train', '--resume', '.']],
    [1, "config: cannot read no.yaml (ENOENT: no such file or directory, open 'no.yaml')", ['train', '--config', 'no.yaml']],
    [1, "image: cannot read no.png (ENOENT: no such file or directory, open 'no.png')", ['train', 'no.png']],
    [1, 'image: text.png is no picture that is read (starts with 47 49 46 38), expected PNG, JPEG, WebP, GIF or BMP.', ['train', 'text.png']],
    [1, 'target: clear.png is fully transparent: there is nothing to grow', ['train', 'clear.png']],
    [1, /^target: there is no file and no bundled emoji "🦑" \(.*; others are pictures of Noto Emoji: save https:\S+\/emoji_u1f991\.png and give its path\)\n$/, ['train', '🦑']],
    [1, "model: cannot read no.safetensors (ENOENT: no such file or directory, open 'no.safetensors')", ['grow', 'no.safetensors']],
    [1, /^safetensors: cut\.safetensors: .*\n$/, ['grow', 'cut.safetensors']],
    [1, 'nan.safetensors: params.update.w1 is NaN at [1, 1], expected finite numbers of float32.', ['grow', 'nan.safetensors']],
    [1, 'huge.safetensors: rule: channels.hidden is 1000000000, expected a whole number from 0 to 4096.', ['grow', 'huge.safetensors']],
    [1, 'grid.safetensors: its metadata field "grid" is "wide", expected a whole number from 1 to 4096.', ['grow', 'grid.safetensors']],
    [1, /^target: there is no file and no bundled emoji "lizzard"; did you mean "lizard"\? \(🦋 butterfly, .*🕸️ spider-web\)\n$/, ['train', 'lizzard']],
    [1, /^grow: no bundled model is called "dragon" \(there are .*\n$/, ['grow', 'dragon']],
    [1, /^grow: no bundled model is called "growing-mnist"; did you mean "growing-mnist-critic" or "growing-mnist-l1" or "growing-mnist-mse"\? \(there are .*\n$/, ['grow', 'growing-mnist']],
    [1, /^grow: no bundled model is called "lizzard"; did you mean "lizard"\? \(there are .*\n$/, ['grow', 'lizzard']],
  ])('%i %s', async (expected, message, args) => {
    const before = await readdir(folder())
    const { status, out, err } = await runHere(args, { cwd: folder() })
    if (typeof message === 'string') expect(err).toBe(`${message}\n`)
    else expect(err).toMatch(message)
    expect(err.trimEnd().split('\n')).toHaveLength(1)
    expect(status).toBe(expected)
    expect(out).toBe('')
    expect(await readdir(folder())).toEqual(before)
  })

  it('shows where it was found on demand', async () => {
    const { err } = await run(['grow', 'no.safetensors'], { env: { CELLGRAD_DEBUG: '1' } })
    expect(err).toMatch(/Error: model: cannot read no\.safetensors .*\n +at /)
  })
})

describe('grow', () => {
  it('prints plain lines if the output is no terminal', async () => {
    const { status, out, err } = await runHere(['grow', model(), '--steps', '20'])
    expect([status, err]).toEqual([0, ''])
    expect(out.split('\n')[0]).toBe('step 0/20  1 cells')
    expect(out).toMatch(/\nstep 20\/20 {2}\d+ cells\n$/)
    expect(out).not.toContain('\x1b')
  })

  it('writes a picture, a film strip and an animation of the size of the training or another', async () => {
    const sizeOf = async (file: string): Promise<[number, number]> => {
      const bytes = await readFile(folder(file))
      return file.endsWith('.png') ? [bytes.readUInt32BE(16), bytes.readUInt32BE(20)] : [bytes.readUInt16LE(6), bytes.readUInt16LE(8)]
    }
    const results = await Promise.all([
      runHere(['grow', model(), '--steps', '6', '--out', folder('a.png'), '--scale', '1']),
      runHere(['grow', model(), '--steps', '6', '--out', folder('b.png'), '--size', '12', '--strip', '6', '--columns', '3', '--scale', '2']),
      runHere(['grow', model(), '--steps', '6', '--out', folder('c.gif'), '--damage', '--angle', '-45.5', '--seed', '7']),
    ])
    for (const [i, { status, err, out }] of results.entries()) {
      expect([status, err]).toEqual([0, ''])
      expect(out.trimEnd().split('\n').at(-1)).toBe(folder(['a.png', 'b.png', 'c.gif'][i]))
    }
    expect(await sizeOf('a.png')).toEqual([9, 9])
    expect(await sizeOf('b.png')).toEqual([3 * 24 + 2 * 4, 2 * 24 + 4])
    expect(await sizeOf('c.gif')).toEqual([36, 36])
  })

  it('shows the decoded picture of a model in latents', async () => {
    const autoencoder = defineAutoencoder({ channels: 4, latent: 4, widths: [2, 2] })
    const rule = defineRule({ channels: { latent: 4, hidden: 2 }, perceive: ['identity'], update: mlp(4) })
    const codec = { autoencoder, params: initAutoencoder(autoencoder, key(1)) }
    await saveModel(folder('latent.safetensors'), { rule, params: init(rule, key(0)), provenance: { grid: '5' }, codec })
    const { status, out } = await runHere(['grow', folder('latent.safetensors'), '--steps', '4', '--scale', '1', '--out', folder('latent.png')])
    expect(status).toBe(0)
    expect(out.split('\n')[0]).toMatch(/^step 0\/4 {2}\d+ pixels$/)
    const { width, height } = await readPng(folder('latent.png'))
    expect([width, height]).toEqual([20, 20])
    // Commands that would ignore the autoencoder refuse the model.
    for (const [args, words] of [
      [['predict', folder('latent.safetensors'), folder('text.png')], 'lives in the latents of an autoencoder, and begins with one cell and not with a picture; cellgrad grow plays it'],
      [['train', '--set', `train.from=${folder('latent.safetensors')}`, '--out', folder('never')], 'lives in the latents of an autoencoder, and this task does not'],
      [['export', folder('latent.safetensors'), '--html', folder('never.html')], 'a page has no decoder of latents'],
    ] as const) {
      const { status, err } = await runHere([...args])
      expect(status).not.toBe(0)
      expect(err).toContain(words)
      expect(err.trimEnd().split('\n')).toHaveLength(1)
    }
    const left = await readdir(folder('.'))
    expect(left.filter(name => name.startsWith('never'))).toEqual([])
  })

  it('erases a circle half-way, or after a given step', async () => {
    const cells = async (...more: string[]): Promise<number[]> => {
      const { out } = await runHere(['grow', model(), '--steps', '30', '--size', '24', ...more])
      return [...out.matchAll(/(\d+) cells/g)].map(match => Number(match[1]))
    }
    const [whole, half, named] = await Promise.all([cells(), cells('--damage'), cells('--damage', '18')])
    const firstChange = (damaged: number[]): number => damaged.findIndex((n, i) => n !== whole[i])
    expect([firstChange(half), firstChange(named)]).toEqual([5, 6]) // a line every three steps
  })
})

describe('config', () => {
  it('prints a bundled experiment or that of a file, completely, with single values replaced', async () => {
    const { status, out } = await runHere(['config', 'digits', '--set', 'rule.channels.hidden=3'])
    expect([status, out.includes('recipe: digits'), out.includes('    hidden: 3\n    classes: 10\n')]).toEqual([0, true, true])
    expect((await runHere(['config', 'digts'])).err).toBe('cellgrad config: "digts" is no .yaml or .json file, and no bundled experiment; did you mean "digits"?\n')
  })

  it('prints YAML and JSON Schema', async () => {
    const [yaml, schema] = await Promise.all([runHere(['config', '--preset', 'regenerating']), runHere(['config', '--schema'])])
    expect(yaml.out).toContain('\npreset: regenerating\n')
    expect(yaml.out).toContain('\n  damaged: 3\n')
    expect(JSON.parse(schema.out)).toMatchObject({ title: 'cellgrad experiment', anyOf: expect.any(Array) })
  })
})
