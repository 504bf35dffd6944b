// A training from a file that begins on coarse grids: it is trained, resumed, judged, applied and played in its stages.

import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { beforeAll, expect, it, vi } from 'vitest'
import { key, uniform } from '../../src/index.ts'
import { encodePng, readModel, readPng, saveModel } from '../../src/node/index.ts'
import { runHere } from './here.ts'
import { temporaryFolder } from './run.ts'

vi.setConfig({ testTimeout: 180_000 })
const folder = temporaryFolder()
const cellgrad = (...args: string[]) => runHere(args, { cwd: folder() })
const stages = [{ scale: 4, steps: 1 }, { scale: 2, steps: 1 }]

beforeAll(async () => {
  for (const [n, name] of ['photos', 'masks'].entries()) {
    await mkdir(folder(name))
    for (let i = 0; i < 4; i++) {
      const data = Float32Array.from(uniform(key(4 * n + i), [8 * 8 * 4]).toArray(), (x, j) => (j % 4 === 3 ? 1 : x))
      await writeFile(folder(name, `${i}.png`), encodePng({ width: 8, height: 8, data }))
    }
  }
  await writeFile(folder('coarse.yaml'), `
task: imageToImage
data: { inputs: photos, outputs: masks }
rule: { channels: { input: 1, output: 1, hidden: 2 }, frozen: [input], perceive: [identity, sobelX], update: { hidden: 6, lastStd: 0.5 }, fireRate: 0.5 }
train: { cascade: [{ scale: 4, steps: 1 }, { scale: 2, steps: 1 }], batch: 2, steps: [3, 6], pool: 4, mutated: 1, iterations: 4, optimiser: { type: adam, rate: 0.01 } }
validate: { every: 2, folds: 2 }
report: { metrics: [loss] }
saveEvery: 2
`)
})

it('is trained, and a run that was stopped ends with the same bits', async () => {
  const whole = await cellgrad('train', 'coarse.yaml', '--out', 'whole')
  expect([whole.status, whole.err]).toEqual([0, ''])
  expect(whole.out, 'fused, and so nothing is said').not.toContain('Rollouts run composed')
  expect((await cellgrad('train', 'coarse.yaml', '--iterations', '2', '--out', 'half')).status).toBe(0)
  expect((await cellgrad('train', '--resume', 'half', '--iterations', '4')).status).toBe(0)
  const [a, b] = await Promise.all(['whole', 'half'].map(name => readFile(folder(name, 'checkpoint.safetensors'))))
  expect(b.equals(a)).toBe(true)
  for (const name of ['model', 'best']) expect((await readModel(folder('whole', `${name}.safetensors`))).cascade).toEqual(stages)
})

/** Writes the model of a run with an example of its input, to be played. */
async function withExample(run: string, side: number): Promise<void> {
  const model = await readModel(folder(run, 'model.safetensors'))
  await saveModel(folder('played.safetensors'), { ...model, starts: { input: uniform(key(9), [1, side, side, 1]) } })
}

it('is judged, compared, applied and played beginning on its coarse grids', async () => {
  /** The results of commands on a run. */
  const all = async (run: string): Promise<unknown[]> => {
    const did = async (...args: string[]): Promise<string> => {
      const { status, err, out } = await cellgrad(...args)
      expect([status, err]).toEqual([0, ''])
      return out
    }
    await did('predict', run, 'photos/1.png', '--steps', '4', '--out', 'given')
    await did('predict', run, '--out', 'own')
    await did('predict', run, 'photos/1.png', '--steps', '4', '--guidance', '3', '--out', 'given-guided')
    await did('predict', run, '--guidance', '3', '--out', 'own-guided')
    await withExample(run, 8)
    await did('grow', 'played.safetensors', '--steps', '4', '--scale', '1', '--out', 'grown.png')
    const own = (await readdir(folder('own'))).map(name => `own/${name}`)
    const pictures = ['given/1.png', ...own, 'grown.png', 'given-guided/1.png', ...own.map(path => path.replace('own', 'own-guided'))]
    return [
      await did('evaluate', run, '--seeds', '1', '--format', 'json'), await did('evaluate', run, '--runs', '2'),
      ...await Promise.all(pictures.map(async name => [...(await readPng(folder(name))).data])),
    ]
  }
  const whole = await all('whole')
  // Without its stages the same model gives other results; with them again, the same.
  const model = await readModel(folder('whole', 'best.safetensors'))
  const { cascade: _stages, ...plain } = model
  for (const name of ['best', 'model']) await saveModel(folder('half', `${name}.safetensors`), plain)
  for (const [i, made] of (await all('half')).entries()) expect(made).not.toEqual(whole[i])
  for (const name of ['best', 'model']) await saveModel(folder('half', `${name}.safetensors`), model)
  await saveModel(folder('whole', 'model.safetensors'), model)
  expect(await all('half')).toEqual(await all('whole'))
  await withExample('whole', 9)
  expect(await cellgrad('grow', 'played.safetensors', '--steps', '4')).toMatchObject({ status: 1, err: 'cascade: the size of the grid is "9×9", expected sides that are multiples of 4, the scale of a stage.\n' })
  expect(await cellgrad('export', 'whole', '--html', 'page.html')).toMatchObject({ status: 1, err: expect.stringContaining('expected none: the cells of a page are on one grid.') })
})

it('is trained as the docs describe it', async () => {
  const [text] = /(?<=```yaml\n)extends: brain\n[^]*?(?=```)/.exec(await readFile('docs/experiments.md', 'utf8'))!
  await writeFile(folder('docs.yaml'), text)
  const data = ['data.inputs=photos', 'data.outputs=masks', 'data.labels=null', 'data.crop=null', 'validate=null', 'train.iterations=1', 'report.metrics=[loss]']
  const { status, err } = await cellgrad('train', 'docs.yaml', ...data.flatMap(set => ['--set', set]), '--out', 'docs')
  expect([status, err]).toEqual([0, ''])
  expect((await readModel(folder('docs', 'model.safetensors'))).cascade).toEqual([{ scale: 4, steps: 8 }, { scale: 2, steps: 8 }])
})

it('is refused in one sentence if its grid does not fit its scales, if no step is left, and for growing', async () => {
  const refused = async (...set: string[]): Promise<string> => {
    const { status, err, out } = await cellgrad('train', ...set, '--out', 'never')
    expect([status! > 0, existsSync(folder('never'))]).toEqual([true, false])
    expect(out).not.toContain('iteration 1/')
    return err
  }
  expect([
    await refused('coarse.yaml', '--set', 'train.cascade=[{scale: 3, steps: 1}]'),
    await refused('coarse.yaml', '--set', 'train.cascade=[{scale: 4, steps: 3}]'),
    await refused('coarse.yaml', '--set', 'train.cascade=[{scale: 4, step: 3}]'),
    await refused('🦎', '--set', 'train.cascade=[{scale: 4, steps: 8}]'),
  ]).toMatchInlineSnapshot(`
    [
      "cascade: the size of the grid is "8×8", expected sides that are multiples of 3, the scale of a stage.
    ",
      "cellgrad train: --set the number of steps in cascade is 3, expected fewer than the shortest rollout has, 3
    ",
      "coarse.yaml:5: there is no key "step" in train.cascade[0]; did you mean "steps"?
    ",
      "cellgrad train: --set train.cascade is [{"scale":4,"steps":8}], expected null: one cell is nothing on a coarse grid; of other tasks rollouts may begin there
    ",
    ]
  `)
})
