import { beforeEach, expect, onTestFinished } from 'vitest'
import { memory, type Backend } from '../../src/index.ts'

/** From here on, every test of the file leaves as many buffers on the GPU as it found. */
export function refuseLeaks(gpu: Backend): void {
  beforeEach(() => {
    const before = memory(gpu).buffers
    onTestFinished(() => expect(memory(gpu).buffers, 'GPU buffers leaked by this test').toBe(before))
  })
}
