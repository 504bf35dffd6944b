// Run as a program by end.test.ts: ends in the way that its argument names, while the GPU has work for some time.

import { add, dense, tensor, webgpu, zeros } from '../../src/index.ts'
import { useSoftwareAdapter } from './software-adapter.ts'

useSoftwareAdapter()

const [, , how] = process.argv

async function main(): Promise<void> {
  const gpu = await webgpu()
  const { prototype } = ((await import('webgpu')).globals as { GPUDevice: typeof GPUDevice }).GPUDevice
  const { destroy } = prototype
  prototype.destroy = function (): undefined {
    console.log('destroyed')
    return destroy.call(this)
  }
  const x = tensor([1, 2, 3], { backend: gpu })
  console.log([...await add(x, x).data()].join(' '))
  let busy = add(zeros([64, 128], { backend: gpu }), 1)
  const w = add(zeros([128, 128], { backend: gpu }), 1 / 128)
  for (let i = 0; i < 30; i++) busy = dense(busy, w)
  const close = async (): Promise<void> => {
    await gpu.close()
    console.log('closed')
  }
  switch (how) {
    case 'leave': return
    case 'close': return close()
    case 'throw': throw new Error('on purpose')
    case 'exit': return process.exit(3)
    case 'closeAndExit': return close().then(() => process.exit(3))
    case 'exitWhileClosing': return void close(), process.exit(3)
  }
  const read = busy.data().then(data => console.log(`read ${data[0].toFixed(3)}`))
  switch (how) {
    case 'read': return read
    case 'readAndThrow': throw new Error('on purpose')
    case 'readAndExit': return process.exit(3)
    case 'readAndExitSoon': return void setTimeout(() => process.exit(3), 20)
    case 'interrupt': return void process.kill(process.pid, 'SIGINT')
    case 'interruptAndClose': process.once('SIGINT', () => void close().then(() => process.exit(130)))
      return void process.kill(process.pid, 'SIGINT')
    case 'interruptAndExit': process.once('SIGINT', () => process.exit(130))
      return void process.kill(process.pid, 'SIGINT')
  }
}

void main()
