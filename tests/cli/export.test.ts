// cellgrad export: the page of a model, and refusals of models that cannot have one.

import { readdir, readFile } from 'node:fs/promises'
import { beforeAll, describe, expect, it } from 'vitest'
import { attention, defineRule, exportHtml, init, key, mlp } from '../../src/index.ts'
import { readModel, saveModel } from '../../src/node/index.ts'
import { runHere } from './here.ts'
import { temporaryFolder } from './run.ts'

const folder = temporaryFolder()
const small = { channels: { rgba: 4, hidden: 2 }, update: mlp(4, { lastStd: 0.3 }) }

beforeAll(async () => {
  for (const [name, perceive] of [['plain', ['identity']], ['attending', [attention(2)]]] as const) {
    const rule = defineRule({ ...small, perceive })
    await saveModel(folder(`${name}.safetensors`), { rule, params: init(rule, key(0)), provenance: { grid: '9', target: 'a <dot>' } })
  }
})

describe('cellgrad export', () => {
  it('writes the page of exportHtml, called after the target, on the grid of the training', async () => {
    const { status, out } = await runHere(['export', folder('plain.safetensors'), '--html', folder('plain.html')])
    expect({ status, out }).toEqual({ status: 0, out: `${folder('plain.html')}\n` })
    const expected = await exportHtml(await readModel(folder('plain.safetensors')), { title: 'a <dot>', size: 9 })
    expect(await readFile(folder('plain.html'), 'utf8')).toBe(expected)
  })

  it.each([
    [['plain.safetensors'], 2, 'cellgrad export: --html is missing, expected a file like --html model.html'],
    [['plain.safetensors', '--html', 'plain.txt'], 2, 'cellgrad export: --html is "plain.txt", expected a file that ends in .html'],
    [['nothing.safetensors', '--html', 'no.html'], 1, 'nothing.safetensors'],
    [['plain.safetensors', '--html', 'no.html', '--size', '513'], 2, 'cellgrad export: --size is 513, expected a whole number, at most 512'],
    [['attending.safetensors', '--html', 'no.html'], 1, 'exportHtml: the rule perceives by attention; a page runs'],
  ])('%j: one sentence, and no file', async (args, code, sentence) => {
    const { status, err } = await runHere(['export', ...args], { cwd: folder('.') })
    expect(err).toContain(sentence)
    expect(err.trim().split('\n')).toHaveLength(1)
    expect(status).toBe(code)
    expect(await readdir(folder('.'))).not.toContain('no.html')
  })
})
