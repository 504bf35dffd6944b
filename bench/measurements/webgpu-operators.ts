/**
 * The GPU itself, the CPU's cost of submitting a command to it, and single operators on both.
 */
import { onGpu, plainNode } from '../lib/engines.ts'
import type { GpuContext } from '../lib/gpu.ts'
import { writeTable, type Row } from '../lib/report.ts'
import { spread, takeTurns } from '../lib/rounds.ts'
import { startServer, type Answer } from '../lib/server.ts'
import { operatorNames } from './operators.ts'

const softwareNote = 'The adapter is software, which runs on the CPU: no hardware GPU has been measured here.'

/** Table adapter. */
export async function measureAdapter({ out, gpu, quick }: GpuContext): Promise<void> {
  const { name, software, timestamps, limits, server } = gpu
  const peaks: Answer[] = []
  for (let i = 0; i < (quick ? 1 : 5); i++) peaks.push(await server.ask({ task: 'peak' }))
  const most = (what: string): number => Math.max(...peaks.map(peak => Number(peak[what])))
  const facts: Record<string, string | number> = {
    software: software ? 'yes' : 'no', timestamps: timestamps ? 'yes' : 'no',
    'fused multiply-adds, GFLOP/s': most('gflops'), 'copying, GB/s read and written': most('gigabytes'), ...limits,
  }
  await writeTable(out, {
    name: 'adapter', adapter: name, title: 'The adapter',
    rows: Object.entries(facts).map(([fact, value]) => ({ fact, value })),
    notes: ['Peaks are the most that was seen, of small kernels (servers/adapter.mjs).', ...(software ? [softwareNote] : [])],
  })
}

/** Table dispatch. */
export async function measureDispatches({ out, gpu, quick }: GpuContext): Promise<void> {
  const { server } = gpu
  const { names } = await server.ask({ task: 'names' })
  const rows: Row[] = []
  for (const what of names as string[]) {
    const request = { task: 'encode', what, dispatches: quick ? 64 : 1024 }
    const answers = []
    for (let i = 0; i < (quick ? 2 : 10); i++) answers.push(await server.ask(request))
    const { median, min, max } = spread(answers.slice(1).map(({ us }) => Number(us)))
    rows.push({ what, dispatches: Number(answers[0].dispatches), 'µs per dispatch': median, 'µs min': min, 'µs max': max })
  }
  await writeTable(out, {
    name: 'dispatch', adapter: gpu.name, title: 'What a dispatch costs the CPU', rows,
    notes: [
      'The CPU\'s time until everything has been handed to the GPU, which has next to nothing to do, divided by the '
        + 'number of dispatches. Dawn alone: pipeline, bind group, dispatch, again and again. The others include '
        + 'tensors, memory and the tape.',
      ...(gpu.software ? [`${softwareNote} It competes with the CPU's side for the same cores.`] : []),
    ],
  })
}

/** Table operators. */
export async function measureGpuOperators({ quick, out, gpu, probe }: GpuContext): Promise<void> {
  const [batch, side, ms] = quick ? [1, 16, 1] : [gpu.software ? 2 : 8, 72, gpu.software ? 30 : 100]
  const servers = [plainNode, onGpu[0]].map(startServer)
  const rows: Row[] = []
  for (const name of operatorNames) {
    const request = { task: 'operator', name, batch, side, ms }
    const contenders = servers.map(server => ({ server, request, scale: 1 }))
    const rounds = await takeTurns(contenders, quick ? 1 : 3, probe, false)
    const median = (i: number): number => spread(rounds.map(({ answers }) => answers[i].ms)).median
    rows.push({
      operator: name, 'CPU ms': median(0), 'WebGPU ms': median(1),
      'GPU ms': spread(rounds.map(({ answers }) => answers[1].gpuMs ?? NaN)).median,
      'CPU / WebGPU': spread(rounds.map(({ answers }) => answers[0].ms / answers[1].ms)).median,
    })
  }
  servers.forEach(server => server.stop())
  await writeTable(out, {
    name: 'operators', adapter: gpu.name, title: `Single operators on [${batch},${side},${side},channels]`, rows,
    notes: [
      `CPU: ${plainNode.name} as this Node runs it without flags, ${plainNode.threads} threads. WebGPU: runs one behind `
        + 'the other, until all are done, divided by their number. GPU ms: what the GPU spent in compute passes.',
      'The numbers behind a name are channels. Every cell is computed: skipping dead cells is not used here.',
      'Each number is a median of three rounds.',
      ...(gpu.software ? [softwareNote] : []),
    ],
  })
}
