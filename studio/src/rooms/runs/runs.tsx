/**
 * Runs: the runs that `cellgrad studio` finds in its folder, live while they train: curves together, options side by side,
 * pictures.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import type { ServedRun } from 'cellgrad/experiment'
import { settingsIn, showAddress, type Settings } from '../../address.ts'
import { call } from '../../engine/client.ts'
import { Keys, Section } from '../../ui/fields.tsx'
import { notify, settled } from '../../ui/notice.tsx'
import { tellOfAddress } from '../../ui/wrong-address.ts'
import type { Seen } from './commands.ts'
import { Curves } from './curves.tsx'
import { FieldTable } from './field-table.tsx'
import { RunCard } from './run-card.tsx'
import { RunList } from './run-list.tsx'
import { colours, shownOf } from './shown.ts'
import './runs.css'

/** Milliseconds between two requests for the runs. */
const pause = 2000

export function Runs({ settings }: { settings: Settings }): VNode {
  const [asked] = useState(() => settingsIn('runs', settings))
  const [names, setNames] = useState(asked.show?.split('\n') ?? null)
  const [all, setAll] = useState(asked.fields === 'all')
  /** The runs, and the names of those whose fields were asked for: right after another was ticked these are still the previous ones. */
  const [seen, setSeen] = useState<(Seen & { readonly names: typeof names }) | null>(null)

  /** Tells, only once, which runs of the address do not exist. */
  const missing = useRef(names ?? [])
  function tellOfMissing({ folder, runs }: Seen): void {
    const gone = missing.current.filter(name => !runs.some(run => run.name === name))
    missing.current = []
    if (gone.length > 0) tellOfAddress([`show=${gone.join(', ')} (expected runs in ${folder ?? 'a folder'}; the others are shown)`])
  }
  useEffect(() => {
    let [gone, failed] = [false, false]
    let next: ReturnType<typeof setTimeout> | undefined
    async function look(): Promise<void> {
      try {
        const found = await call('runs', 'read', new URL('./runs.json', document.baseURI).href, names)
        if (!gone) setSeen({ ...found, names })
        if (!gone) tellOfMissing(found)
        if (failed) settled('runs')
        failed = false
      } catch (error) {
        if (!gone && !failed) notify((error as Error).message, 'runs') // only once, not every two seconds
        failed = true
      }
      if (!gone) next = setTimeout(() => { void look() }, pause)
    }
    void look()
    return () => {
      gone = true
      clearTimeout(next)
    }
  }, [names])
  useEffect(() => showAddress('runs', { show: names?.join('\n'), fields: all ? 'all' : undefined }), [names, all])

  if (!seen) return <div class="empty"><p>Looking for runs …</p></div>
  if (seen.folder === null || seen.runs.length === 0) {
    return (
      <div class="empty">
        <p>{seen.folder === null
          ? <>This page is served without runs. <code>npx cellgrad studio out</code> serves it with those in the folder <code>out</code>, while they train.</>
          : <>There is no run in {seen.folder} yet. <code>npx cellgrad train 🦎</code> begins one, and it appears here.</>}</p>
      </div>
    )
  }
  const shown = shownOf(seen.runs, names)
  const colourOf = (run: ServedRun): string => `var(--run-${shown.indexOf(run) % colours})`
  const toggle = (name: string): void => {
    const before = shown.map(run => run.name)
    setNames(before.includes(name) ? before.filter(one => one !== name) : [...before, name])
  }
  return (
    <div class="room runs-room">
      <div class="panel">
        <Section title={`Runs in ${seen.folder}`}>
          <RunList runs={seen.runs} shown={shown} colourOf={colourOf} onToggle={toggle} />
          {seen.leftOut.map(sentence => <p key={sentence} class="mistake">Left out: {sentence}</p>)}
        </Section>
      </div>
      <div class="view">
        {shown.length === 0 ? <div class="empty"><p>Choose runs to see them here.</p></div> : (
          <>
            <Curves runs={shown} colourOf={colourOf} />
            <Section title={shown.length === 1 ? 'Configuration' : 'Side by side'}>
              {shown.length > 1 && <Keys label="Fields" value={all ? 'all' : 'differ'} onChange={value => setAll(value === 'all')} options={[['differ', 'What differs'], ['all', 'Everything']]} />}
              <FieldTable runs={shownOf(seen.runs, seen.names)} fields={seen.fields.filter(({ differs, field }) => all || shown.length === 1 || differs || field in shown[0].results)} colourOf={colourOf} />
            </Section>
            <Section title="What they grow">
              <ul class="cards">{shown.map(run => <RunCard key={run.name} run={run} colour={colourOf(run)} />)}</ul>
            </Section>
          </>
        )}
      </div>
    </div>
  )
}
