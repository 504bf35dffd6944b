/**
 * The chip in the bar that shows which backend computes, and changes it.
 */
import { useEffect, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { compute, computer, listen } from '../engine/client.ts'
import type { Choice, Computer } from '../engine/engine.ts'
import type { ComputerEvent } from '../engine/worker.ts'
import { attempt, complain, mention } from './notice.tsx'

export function Chip(): VNode {
  const [now, setNow] = useState<Computer | null>(null)
  const [busy, setBusy] = useState(false)
  useEffect(() => {
    computer().then(setNow, complain)
    return listen('computer', ({ now, lost }: ComputerEvent) => {
      setNow(now)
      if (lost) mention(`The GPU was lost; ${now.name} goes on where it stopped.`)
    })
  }, [])
  async function choose(choice: Choice): Promise<void> {
    setBusy(true)
    await attempt('computer', compute(choice).then(setNow))
    setBusy(false)
  }
  const choice = now?.choice ?? 'wasm'
  return (
    <div class="computer">
      {now?.note && <p class="hint">{now.note}</p>}
      <select
        class="chip" aria-label="What computes" value={choice} disabled={busy}
        onChange={e => {
          const wanted = e.currentTarget.value as Choice
          e.currentTarget.value = choice // the old choice is shown until the change is done
          void choose(wanted)
        }}
      >
        <option value="wasm">{choice === 'wasm' ? now?.name ?? 'WASM' : 'WASM, on the CPU'}</option>
        <option value="webgpu">{choice === 'webgpu' ? now!.name : 'WebGPU'}</option>
      </select>
    </div>
  )
}
