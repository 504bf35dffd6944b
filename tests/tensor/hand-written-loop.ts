// A program without a scope around it, run by lifetime.test.ts: the loop of the README, on one small square matrix. Prints
// how much memory it takes after a tenth of the iterations and at the end.

import {
  adam, initOptimiser, mean, memory, ones, square, sub, updateParams, valueAndGrad, type Backend, type Tensor,
} from '../../src/index.ts'
import { defaultBackend } from '../../src/tensor/tensor.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { useSoftwareAdapter } from '../webgpu/software-adapter.ts'

const [where, iterations, reads, side] = process.argv.slice(2)

async function loop(backend: Backend): Promise<void> {
  const optimiser = adam()
  const lossAndGrads = valueAndGrad((params: { w: Tensor }) => mean(square(sub(params.w, 2))))
  let params = { w: ones([Number(side), Number(side)], { backend }) }
  let state = initOptimiser(optimiser, params)
  const report: number[] = []
  const n = Number(iterations)
  for (let i = 1; i <= n; i++) {
    const [loss, grads] = lossAndGrads(params)
    ;({ params, state } = updateParams(optimiser, state, params, grads))
    if (reads === 'reads' && i % 20 === 0) await loss.item()
    if (i === n / 10 || i === n) report.push(process.memoryUsage().rss, memory(backend).bytes)
  }
  process.stdout.write(JSON.stringify(report.map(bytes => Math.round(bytes / 2 ** 20))))
}

async function main(): Promise<void> {
  if (where === 'cpu') return loop(defaultBackend)
  useSoftwareAdapter()
  const gpu = backendOn(await openDevice())
  await loop(gpu)
  await gpu.close()
}

void main()
