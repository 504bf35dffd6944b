// Run as a program by webgpu.test.ts: it must end by itself, whether it closes the backend or leaves work enqueued.

import { add, tensor, webgpu } from '../../src/index.ts'
import { useSoftwareAdapter } from './software-adapter.ts'

useSoftwareAdapter()

async function main(): Promise<void> {
  const gpu = await webgpu()
  const x = tensor([1, 2, 3], { backend: gpu })
  const y = add(x, x)
  console.log([...await y.data()].join(' '))
  add(y, y)
  if (process.argv.includes('close')) await gpu.close()
}

void main()
