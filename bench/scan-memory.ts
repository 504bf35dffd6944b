/**
 * The memory of a rollout's gradient by its length T: `npm run bench:memory`.
 *
 * A Growing NCA rule on an 8×12×12 batch (half of the grid alive) is rolled out for T steps, and the peak of live tensor bytes
 * during the gradient is measured, with every step kept and with checkpointed segments of √T steps. The rollout is composed, on
 * the plain loops (a fused rollout keeps its history elsewhere). Peaks are counts of bytes, the same on every machine. Writes
 * docs/results/scan-memory.csv and .svg.
 */
import { cpu, key, memory, scope, tensor, valueAndGrad } from '../src/index.ts'
import { mse } from '../src/nca/losses/loss.ts'
import { growingRule } from '../src/nca/training/presets.ts'
import { init } from '../src/nca/rule/parameters.ts'
import { rgba } from '../src/nca/state.ts'
import { rollout } from '../src/nca/step.ts'
import { mean } from '../src/tensor/ops/reduce.ts'
import { zeros } from '../src/tensor/ops/create.ts'
import { writeFileAtomic } from '../src/node/atomic-file.ts'

const [batch, side, channels] = [8, 12, 16]
const lengths = [4, 8, 16, 32, 64, 128, 256, 512]
const kept = 'every step kept'
const checkpointed = 'segments of √T steps'

const start = new Float32Array(batch * side * side * channels)
for (let cell = 0; cell < batch * side * side; cell++) {
  if (cell % side < side / 2) start.fill(0.5, cell * channels, (cell + 1) * channels)
}
const backend = cpu({ simd: false })
const params = init(growingRule, key(0), { backend })
const x = tensor(start, { shape: [batch, side, side, channels], backend })
const target = zeros([side, side, 4], { backend })

function peakBytes(steps: number, checkpoint: 'auto' | false): number {
  const before = memory(backend).bytes
  backend.resetPeak()
  scope(() => valueAndGrad((p: typeof params) => {
    const last = rollout(growingRule, p, x, key(1), { steps, checkpoint })
    return mean(mse(rgba(last), target))
  })(params))
  return memory(backend).peakBytes - before
}

type Row = { steps: number; memory: string; bytes: number }
const rows: Row[] = lengths.flatMap(steps => [
  ...(steps <= 128 ? [{ steps, memory: kept, bytes: peakBytes(steps, false) }] : []),
  { steps, memory: checkpointed, bytes: peakBytes(steps, 'auto') },
])
for (const { steps, memory: how, bytes } of rows) {
  const mib = (bytes / 2 ** 20).toFixed(1)
  console.log(`${String(steps).padStart(4)} steps  ${mib.padStart(7)} MiB  ${how}`)
}
const lines = ['steps,memory,peak_bytes', ...rows.map(r => `${r.steps},${r.memory},${r.bytes}`)]
await writeFileAtomic('docs/results/scan-memory.csv', lines.join('\n') + '\n')
await writeFileAtomic('docs/results/scan-memory.svg', await draw(rows))

async function draw(data: Row[]): Promise<string> {
  const [Plot, { parseHTML }] = await Promise.all([import('@observablehq/plot'), import('linkedom')])
  const { document } = parseHTML('<html></html>')
  const shown = data.map(({ bytes, ...row }) => ({ ...row, mib: bytes / 2 ** 20 }))
  const lastOf = (how: string): typeof shown => shown.filter(row => row.memory === how).slice(-1)
  const svg = Plot.plot({
    document, width: 640, height: 360, marginLeft: 56, marginRight: 150, marginBottom: 44, marginTop: 36,
    style: { fontFamily: 'system-ui, sans-serif', fontSize: '12px', color: '#24292f', background: 'white' },
    x: { type: 'log', base: 2, label: 'steps T', labelArrow: 'none', tickFormat: String, grid: true },
    y: { type: 'log', label: 'peak memory of the gradient, MiB', labelArrow: 'none', grid: true, tickFormat: String },
    color: { domain: [kept, checkpointed], range: ['#b35900', '#0b3d91'] },
    marks: [
      Plot.line(shown, { x: 'steps', y: 'mib', stroke: 'memory', strokeWidth: 2 }),
      Plot.dot(shown, { x: 'steps', y: 'mib', fill: 'memory' }),
      Plot.text([...lastOf(kept), ...lastOf(checkpointed)], {
        x: 'steps', y: 'mib', text: 'memory', fill: 'memory', textAnchor: 'start', dx: 10,
      }),
    ],
  })
  svg.setAttribute('xmlns', 'http://www.w3.org/2000/svg')
  return svg.outerHTML
}
