// docs/model-file.md, run as it stands there: Python steps a model as we do, and writes one that we read.
//
// Where there is no Python with NumPy, our numbers are compared with those that it made (model-file.json); where there is
// no PyTorch, its part is left out. CELLGRAD_WRITE=1 makes the numbers again.

import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  bernoulli, decodeModel, decodeNpy, defineRule, encodeModel, encodeNpy, foldIn, init, key, mapTree, mlp, normal,
  rollout, seed, unstack, type DataParams, type DataRule, type Tensor,
} from '../../src/index.ts'
import { temporaryFolder } from '../cli/run.ts'
import { long } from '../long.ts'
import { loadReference } from './load.ts'

const folder = temporaryFolder()
const steps = 8

/** A Python that has a module. */
function pythonWith(module: string): string | undefined {
  return ['python3', '/usr/bin/python3'].find(python => spawnSync(python, ['-c', `import ${module}`]).status === 0)
}

/** The code of a page's blocks that are marked as `language`, in order. */
function blocks(language: string): string {
  const page = readFileSync(new URL('../../docs/model-file.md', import.meta.url), 'utf8')
  return [...page.matchAll(/^```(.*)\n([^]*?)^```$/gm)].filter(([, mark]) => mark === language).map(([, , code]) => code).join('\n')
}

const rule: DataRule = defineRule({
  channels: { rgba: 4, hidden: 3 }, perceive: ['identity', 'laplacian', 'sobelX', 'sobelY'], update: mlp(11, { lastStd: 0.3 }),
  fireRate: 0.5, living: { channel: 3, above: 0.1 },
})

/** Weights with which the seed grows into half of the grid. */
function params(): DataParams {
  let i = 0
  return mapTree(init(rule, key(4)), p => normal(foldIn(key(27), i++), (p as unknown as Tensor).shape, { std: 0.2 }) as never)
}

describe('docs/model-file.md', () => {
  /** What eight steps make of a seed, the masks of the steps `[steps,1,9,8]`, and the files that Python needs. */
  async function scene(): Promise<{ ours: Float32Array; files: Record<string, Uint8Array> }> {
    const x = seed(rule, { height: 9, width: 8 })
    const masks = bernoulli(key(6), [steps, 1, 9, 8], 0.5)
    const grown = rollout(rule, params(), x, key(0), { steps, masks: unstack(masks) })
    const npy = (t: Tensor): Uint8Array => encodeNpy({ shape: t.shape, data: t.toArray() })
    return {
      ours: grown.toArray() as Float32Array,
      files: {
        'model.safetensors': await encodeModel({ rule, params: params(), provenance: { target: 'none' } }),
        'x.npy': npy(x), 'masks.npy': npy(masks),
      },
    }
  }

  function runPython(python: string, code: string, files: Record<string, Uint8Array>): Float32Array {
    for (const [name, bytes] of Object.entries(files)) writeFileSync(join(folder(), name), bytes)
    writeFileSync(join(folder(), 'main.py'), code)
    execFileSync(python, ['main.py'], { cwd: folder(), stdio: ['ignore', 'inherit', 'inherit'] })
    return decodeNpy(readFileSync(join(folder(), 'grown.npy'))).data as Float32Array
  }

  function expectNear(got: ArrayLike<number>, expected: ArrayLike<number>): void {
    const largest = Math.max(...Array.from(expected, Math.abs))
    expect(largest).toBeGreaterThan(0.5)
    expect(got.length).toBe(expected.length)
    const off = Math.max(...Array.from(expected, (v, i) => Math.abs(v - got[i])))
    expect(off / largest).toBeLessThan(1e-5)
  }

  const start = `
params, text = read_safetensors('model.safetensors')
rule = json.loads(text['rule'])
x, masks = np.load('x.npy'), np.load('masks.npy') > 0
`

  it('has numbers of NumPy, which are ours', async () => {
    const { ours } = await scene()
    const python = pythonWith('numpy')
    if (python && process.env.CELLGRAD_WRITE) {
      const theirs = runPython(python, `${blocks('python')}${start}
for fires in masks: x = step(x, params, rule, fires)
np.save('grown.npy', x)
`, (await scene()).files)
      const array = { dtype: 'float64', shape: [theirs.length], base64: Buffer.from(Float64Array.from(theirs).buffer).toString('base64') }
      writeFileSync(new URL('model-file.json', import.meta.url), `${JSON.stringify({ description: 'docs/model-file.md in NumPy, see python.test.ts', arrays: { grown: array } })}\n`)
    }
    expectNear(ours, loadReference('model-file').grown.data as ArrayLike<number>)
  })

  it.skipIf(!pythonWith('numpy'))('steps a model in NumPy, and writes one that we read', async () => {
    const { ours, files } = await scene()
    const theirs = runPython(pythonWith('numpy')!, `${blocks('python')}${start}
for fires in masks: x = step(x, params, rule, fires)
np.save('grown.npy', x)
write_model('back.safetensors', {name: t.astype('f8') for name, t in params.items()}, rule, grid='9')
write_model('half.safetensors', {name: t.astype('f2') for name, t in params.items()}, rule)
ours, _ = read_safetensors('ours-half.safetensors')
assert all(ours[name].dtype == 'f2' and np.array_equal(ours[name], t.astype('f2')) for name, t in params.items())
`, { ...files, 'ours-half.safetensors': await encodeModel({ rule, params: params(), provenance: {} }, { dtype: 'float16' }) })
    expectNear(ours, theirs)
    const back = decodeModel(readFileSync(join(folder(), 'back.safetensors')), 'back.safetensors')
    expect(back.rule).toEqual(rule)
    expect(back.provenance).toEqual({ grid: '9' })
    expect(back.params.update.w1.dtype).toBe('float64')
    expect([...back.params.update.w1.toArray()]).toEqual([...params().update.w1.toArray()])
    const [half, own] = ['half.safetensors', 'ours-half.safetensors'].map(name => decodeModel(readFileSync(join(folder(), name)), name))
    expect([...half.params.update.w1.toArray()]).toEqual([...own.params.update.w1.toArray()])
  })

  it.runIf(long && pythonWith('torch'))('steps a model in PyTorch', async () => {
    const { ours, files } = await scene()
    const theirs = runPython(pythonWith('torch')!, `${blocks('python')}${blocks('python torch')}${start}
p = {name: torch.from_numpy(t.copy()) for name, t in params.items()}
x = torch.from_numpy(x)
for fires in torch.from_numpy(masks): x = torch_step(x, p, rule, fires)
np.save('grown.npy', x.numpy())
`, files)
    expectNear(ours, theirs)
  })
})
