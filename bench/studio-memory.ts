/**
 * Whether Studio's memory stays constant: Play runs for an hour on WASM and on WebGPU, side by side in one browser, and the
 * pattern is damaged once a minute. Every ten minutes four numbers are read:
 *
 *   page and worker   the memory of the page's scripts (measureUserAgentSpecificMemory)
 *   tensors           the memory of the engine, on the CPU or on the GPU, as Play shows it
 *   renderer          the resident memory of the page's process (RSS)
 *   GPU process       that of the browser's GPU process, in which SwiftShader keeps its buffers
 *
 *   npm run bench:studio -- --only memory --minutes 60
 */
import { readFile } from 'node:fs/promises'
import { figure } from '../tests/studio/look.ts'
import { visit, type Visit } from '../tests/studio/visit.ts'
import { writeTable } from './lib/report.ts'

const seconds = (n: number): Promise<void> => new Promise(done => setTimeout(done, 1000 * n))

/** A world of Play that runs, and the process that computes it. */
type Player = { readonly name: string; readonly studio: Visit; readonly renderer: number }

/** Begins to play. The process of its page is the one with the most CPU time among those that no other player has. */
async function play(choice: 'wasm' | 'webgpu', taken: readonly number[]): Promise<Player> {
  const studio = await visit('desktop')
  await studio.open('#play?size=72')
  const chip = studio.page.getByRole('combobox', { name: 'What computes' })
  await chip.selectOption(choice)
  await seconds(20)
  const renderers = (await studio.processes()).filter(({ type, id }) => type === 'renderer' && !taken.includes(id))
  const [{ id }] = renderers.sort((a, b) => b.cpuTime - a.cpuTime)
  return { name: (await chip.locator(`option[value=${choice}]`).textContent())!, studio, renderer: id }
}

/** The resident memory of a process, in megabytes. */
async function resident(id: number): Promise<number> {
  const [, kilobytes] = /VmRSS:\s+(\d+) kB/.exec(await readFile(`/proc/${id}/status`, 'utf8'))!
  return Number(kilobytes) / 1024
}

/** The current megabytes of each of the four. */
async function held(players: readonly Player[]): Promise<Record<string, number>> {
  const now: Record<string, number> = {}
  for (const { name, studio, renderer } of players) {
    const bytes = await studio.page.evaluate('performance.measureUserAgentSpecificMemory().then(({ bytes }) => bytes)')
    now[`page and worker, ${name}`] = Number(bytes) / 2 ** 20
    now[`tensors, ${name}`] = await figure(studio, 'tensors hold')
    now[`renderer, ${name}`] = await resident(renderer)
  }
  const { id } = (await players[0].studio.processes()).find(({ type }) => type === 'GPU')!
  now['GPU process, of both'] = await resident(id)
  return now
}

/** Watches for some minutes, and writes the table studio-memory. */
export async function watchMemory(minutes: number, folder: string): Promise<void> {
  const wasm = await play('wasm', [])
  const webgpu = await play('webgpu', [wasm.renderer])
  const players = [wasm, webgpu]
  const moments: { minute: number; megabytes: Record<string, number> }[] = []
  for (let minute = 0; minute <= minutes; minute++) {
    if (minute > 0) {
      await seconds(60)
      for (const { studio: { page } } of players) await page.getByRole('application').press('Enter')
    }
    if (minute % 10 !== 0 && minute !== minutes) continue
    moments.push({ minute, megabytes: await held(players) })
    console.log(minute, JSON.stringify(moments.at(-1)!.megabytes))
  }
  const steps = await Promise.all(players.map(async ({ name, studio }) => `${name}: ${await figure(studio, 'step')}`))
  for (const { studio } of players) await studio.leave()
  await writeTable(folder, {
    name: 'studio-memory', title: `Studio’s memory over ${minutes} minutes of Play`,
    rows: Object.keys(moments[0].megabytes).map(what => {
      const all = moments.map(({ megabytes }) => megabytes[what])
      const each = Object.fromEntries(moments.map(({ minute }, i) => [`${minute} min`, all[i]]))
      return { 'MB': what, ...each, 'greatest': Math.max(...all) }
    }),
    notes: [
      'A lizard on 72×72 cells at the speed that a visitor finds, 60 steps a second, hurt once a minute; WASM and WebGPU side by side in one Chromium.',
      `Steps that were taken: ${steps.join('; ')}.`,
      'Page and worker: what measureUserAgentSpecificMemory counts after it has collected garbage. Tensors: what the engine holds, with what it keeps for the next ones.',
      'Arrays on the CPU wait for the garbage collector, which comes now and then: so what they hold goes up and down, and the process keeps room for it.',
      'Renderer and GPU process: RSS of the browser’s processes. With SwiftShader the buffers of the GPU are in the GPU process.',
    ],
  })
}
