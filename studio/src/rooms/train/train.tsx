/**
 * Train: a rule learns to grow a picture while the visitor watches.
 */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { settingsIn, showAddress, type Settings } from '../../address.ts'
import { call, listen } from '../../engine/client.ts'
import { Picture } from '../../ui/cells.tsx'
import { attempt, complain, notify, settled } from '../../ui/notice.tsx'
import type { Pixels } from '../../ui/picture.ts'
import { modelOf } from '../models.ts'
import type { OpenRun } from './commands.ts'
import { ConfigForm, type Choices } from './config-form.tsx'
import { RunView } from './run-view.tsx'
import type { Sample, TrainEvent } from './session.ts'
import type { RunName } from './store.ts'
import { Runs } from './runs.tsx'
import { TargetPicker } from './target-picker.tsx'
import type { Target } from './target.ts'

/** A run as the page shows it. */
export type Shown = Omit<OpenRun, 'now'> & TrainEvent & { readonly batch: readonly Sample[] }

function shownOf({ now, ...run }: OpenRun): Shown {
  return { batch: [], ...run, ...now }
}

/** A run updated by an event. */
function after(run: Shown, news: TrainEvent): Shown {
  const from = news.iteration - news.losses.length
  const joined = (old: readonly number[], next: readonly number[]): number[] => [...old.slice(0, from), ...next]
  return {
    ...run, ...news, batch: news.batch ?? run.batch, grown: news.grown ?? run.grown,
    losses: joined(run.losses, news.losses), norms: joined(run.norms, news.norms), rates: joined(run.rates, news.rates),
  }
}

export function Train({ settings }: { settings: Settings }): VNode {
  const [target, setTarget] = useState<Target | null>(null)
  const [choices, setChoices] = useState<Choices>({ preset: 'growing', values: {}, from: '' })
  const [mistakes, setMistakes] = useState<Record<string, string>>({})
  const [preview, setPreview] = useState<Pixels | null>(null)
  const [run, setRun] = useState<Shown | null>(null)
  const [runs, setRuns] = useState<readonly RunName[]>([])

  /** Whether the room is still open: answers that come later must not change the address of another room. */
  const there = useRef(true)
  useEffect(() => () => { there.current = false }, [])

  const refresh = (): void => { call('train', 'runs').then(setRuns).catch(complain) }

  function show(opened: OpenRun | null): void {
    if (!there.current) return
    setRun(opened && shownOf(opened))
    showAddress('train', { run: opened?.id })
    refresh()
  }

  useEffect(() => listen('train', (news: TrainEvent) => {
    setRun(now => (now?.id === news.id ? after(now, news) : now))
    if (news.trouble) notify(news.trouble, 'run')
    if (news.trouble === null) settled('run')
  }), [])
  useEffect(() => {
    const { run } = settingsIn('train', settings)
    const wanted = run ? call('train', 'open', run) : call('train', 'current')
    wanted.then(show).catch(error => {
      if (there.current) complain(error)
      show(null)
    })
  }, [])
  useEffect(() => {
    const late = setTimeout(() => {
      call('train', 'check', { ...choices, name: 'target' }).then(setMistakes).catch(complain)
    }, 150)
    return () => clearTimeout(late)
  }, [choices])
  useEffect(() => {
    if (!target || run) return undefined
    const late = setTimeout(() => {
      call('train', 'preview', { ...choices, name: target.name, target: target.pixels }).then(setPreview).catch(complain)
    }, 150)
    return () => clearTimeout(late)
  }, [target, choices, run?.id])

  /** Shows a run and scrolls to it: on a phone the button that opened it is far below. */
  function showAbove(opened: OpenRun): void {
    if (!there.current) return
    show(opened)
    scrollTo(0, 0)
  }

  const open = (id: string): void => { call('train', 'open', id).then(showAbove).catch(complain) }

  async function begin({ name, pixels }: Target): Promise<void> {
    const from = choices.from === '' ? null : await modelOf(choices.from)
    showAbove(await call('train', 'make', { ...choices, name, target: pixels, from: from && { name: from.name, bytes: from.bytes } }))
  }

  const onGrid = target && preview
  /** The form is long, so it is not rendered again with the events of a run, several times a second. */
  const form = useMemo(() => <ConfigForm choices={choices} onChange={setChoices} mistakes={mistakes} />, [choices, mistakes])
  return (
    <div class="room train">
      <div class="view">
        {run ? <RunView run={run} onReopen={() => open(run.id)} /> : (
          <div class="beginning">
            <figure class="framed">
              {onGrid ? <Picture pixels={onGrid} label="The target on its grid" /> : <div class="cells sheet" />}
              <figcaption>what it should grow{onGrid && `, on ${onGrid.width} × ${onGrid.height} cells`}</figcaption>
            </figure>
            <div class="empty">
              <p>Choose what is to grow, and let it learn. As published that takes an hour; a small one is ready in a minute or two.</p>
              <button type="button" onClick={() => setChoices({ ...choices, preset: 'growing', values: small })}>Settings for a quick try</button>
            </div>
          </div>
        )}
      </div>
      <div class="panel">
        <TargetPicker target={target} onTarget={setTarget} />
        {form}
        <button type="button" class={run ? 'main' : 'main near'} disabled={!target || Object.keys(mistakes).length > 0} onClick={() => { void attempt('begin', begin(target!)) }}>Train</button>
        {!isSecureContext && <p class="hint">This page came by plain http, where tabs do not know of each other: open a run in one tab only, else the last to save it wins.</p>}
        <Runs
          runs={runs.map(one => (one.id === run?.id ? { ...one, iteration: run.iteration } : one))} open={run?.id} onOpen={open}
          onForget={one => { call('train', 'forget', one).then(() => (run?.id === one.id ? show(null) : refresh())).catch(complain) }}
        />
      </div>
    </div>
  )
}

/** Settings for a training of a minute or two. */
const small = {
  'data.size': 16, 'data.padding': 4, 'train.iterations': 600, 'train.batch': 4, 'train.steps': [24, 36],
  'train.optimiser': { type: 'adam', rate: { type: 'step', rate: 0.002, at: [450], factor: 0.2 } },
}
