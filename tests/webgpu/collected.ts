// Run as a program by memory.test.ts with `node --expose-gc`: GPU memory that a program without a scope drops, the
// garbage collector finds, and the finaliser frees; and nothing keeps the bind groups of destroyed buffers.

import { add, memory, tensor } from '../../src/index.ts'
import { openDevice } from '../../src/backends/webgpu/device.ts'
import { backendOn } from '../../src/backends/webgpu/webgpu.ts'
import { useSoftwareAdapter } from './software-adapter.ts'

useSoftwareAdapter()

const { gc } = globalThis as unknown as { gc(): void }

/** Waits until the count has not changed for some turns of the event loop. */
async function settle(count: () => number): Promise<number> {
  let before = -1
  for (let same = 0; same < 5;) {
    gc()
    await new Promise(resolve => setTimeout(resolve, 1))
    same = count() === before ? same + 1 : 0
    before = count()
  }
  return before
}

async function main(): Promise<void> {
  const opened = await openDevice()
  const gpu = backendOn(opened, { poolBytes: 0 })
  const kept = tensor([0, 1, 2], { backend: gpu })
  const before = memory(gpu).buffers

  const groups: WeakRef<GPUBindGroup>[] = []
  const { device } = opened
  const create = device.createBindGroup.bind(device)
  device.createBindGroup = descriptor => {
    const group = create(descriptor)
    groups.push(new WeakRef(group))
    return group
  }
  for (let i = 0; i < 500; i++) add(kept, i)
  await kept.data()
  const dropped = await settle(() => memory(gpu).buffers)
  await kept.data()
  const left = await settle(() => groups.filter(group => group.deref()).length)
  const values = [...await kept.data()]
  process.stdout.write(JSON.stringify({ before, dropped, values, 'bind groups kept': left }))
  await gpu.close()
}

void main()
