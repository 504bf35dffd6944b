// The recipe of CONTRIBUTING.md, run as it is printed.

import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, it } from 'vitest'
import { checkGrad, softplus as library, tensor, to } from '../src/index.ts'
import type { Tensor } from '../src/index.ts'
import { openPoisoned } from './webgpu/gpu.ts'

const root = fileURLToPath(new URL('..', import.meta.url))

const imports = `
import { unary } from '${root}src/tensor/ops/elementwise.ts'
import { mul } from '${root}src/tensor/ops/arithmetic.ts'
import { sigmoid } from '${root}src/tensor/ops/functions.ts'
import { floating } from '${root}src/tensor/op.ts'
import type { Op } from '${root}src/tensor/op.ts'
import type { Tensor } from '${root}src/tensor/tensor.ts'
import { apply } from '${root}src/tensor/trace.ts'
`

it('the recipe for an operator makes one, with derivatives, on every backend', async () => {
  const page = await readFile(join(root, 'CONTRIBUTING.md'), 'utf8')
  const [, code] = /## Add an operator[^]*?```ts\n([^]*?)```/.exec(page)!
  await mkdir(join(root, '.cache'), { recursive: true })
  const folder = await mkdtemp(join(root, '.cache/recipe-'))
  try {
    const file = join(folder, 'softplus.ts')
    await writeFile(file, imports + code)
    const { softplus } = await import(file) as { softplus: (x: Tensor) => Tensor }
    const values = [-100, -2, -0.5, 0, 0.5, 2, 100]
    const expected = values.map(x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))))
    const close = (got: ArrayLike<number>): void =>
      Array.from(got).forEach((y, i) => expect(y).toBeCloseTo(expected[i], 5))
    close(softplus(tensor(values)).toArray())
    expect(library(tensor(values)).toArray()).toEqual(softplus(tensor(values)).toArray())
    checkGrad(softplus, tensor([-3, -0.5, 0, 0.5, 3], { dtype: 'float64' }))
    const gpu = await openPoisoned()
    close(await softplus(await to(gpu, tensor(values))).data())
    await gpu.close()
  } finally {
    await rm(folder, { recursive: true })
  }
})
