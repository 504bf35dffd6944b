/**
 * The pictures of a run, and the rooms in which its model can be opened. A finished run has a film in its folder; while a run
 * trains, the film is made here, from the latest saved model.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import type { ServedRun } from 'cellgrad/experiment'
import { call } from '../../engine/client.ts'
import { Picture } from '../../ui/cells.tsx'
import { complain } from '../../ui/notice.tsx'
import { pixelsOf, type Pixels } from '../../ui/picture.ts'
import { openIn } from '../handover.ts'

const addressOf = ({ name, changed }: ServedRun, file: string): string => (
  `./runs/${name.split('/').map(encodeURIComponent).join('/')}/${file}?${Math.round(changed)}`
)

async function open(run: ServedRun, room: 'play' | 'inside'): Promise<void> {
  const response = await fetch(addressOf(run, 'model.safetensors'))
  if (!response.ok) throw new Error(`the model of ${run.name} could not be read: ${response.status}.`)
  const file = { name: run.name.replace(/^.*\//, ''), bytes: new Uint8Array(await response.arrayBuffer()) }
  if (!run.files.includes('target.png')) return openIn(room, file)
  const pixels = await pixelsOf(addressOf(run, 'target.png'))
  openIn(room, { ...file, target: { pixels, side: Math.max(pixels.width, pixels.height) } })
}

/** What the latest saved model grows. */
function GrownNow({ run }: { run: ServedRun }): VNode {
  const [film, setFilm] = useState<Pixels | null>(null)
  const busy = useRef(false)
  useEffect(() => {
    if (busy.current) return
    busy.current = true
    call('runs', 'film', new URL(addressOf(run, 'model.safetensors'), document.baseURI).href)
      .then(setFilm, complain).finally(() => { busy.current = false })
  }, [run.changed])
  return film ? <div class="film"><Picture pixels={film} label={`What ${run.name} grows`} /></div> : <p class="hint">Growing …</p>
}

/** The pictures of a run, and buttons that open its model. */
export function RunCard({ run, colour }: { run: ServedRun; colour: string }): VNode {
  const has = (file: string): boolean => run.files.includes(file)
  const film = ['growth.png', 'made.png'].find(has)
  return (
    <li class="card">
      <h3><span class="dot" style={{ background: colour }} />{run.name}</h3>
      <div class="pictures">
        {has('target.png') && <img src={addressOf(run, 'target.png')} alt={`The target of ${run.name}`} class="target" />}
        {film && <img src={addressOf(run, film)} alt={`What ${run.name} grows`} class="film" />}
        {!film && has('model.safetensors') && has('target.png') && <GrownNow run={run} />}
        {!film && !has('model.safetensors') && <p class="hint">There will be a picture when the run has been saved.</p>}
      </div>
      {has('model.safetensors') && (
        <div class="row">
          <button type="button" onClick={() => { open(run, 'play').catch(complain) }}>Open in Play</button>
          <button type="button" onClick={() => { open(run, 'inside').catch(complain) }}>Look inside</button>
        </div>
      )}
    </li>
  )
}
