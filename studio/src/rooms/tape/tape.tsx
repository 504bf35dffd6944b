/**
 * Tape: the visitor writes and runs a script, and the page draws the tapes of its functions.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { EditorView } from '@codemirror/view'
import type { VNode } from 'preact'
import { settingsIn, showAddress, type Settings } from '../../address.ts'
import { Keys, Section, Select } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import type { Drawn } from './drawn.ts'
import type * as EditorModule from './editor.ts'
import { examples } from './examples.ts'
import { limits } from './limits.ts'
import { run, type Running } from './run.ts'
import { TapeView } from './tape-view.tsx'
import { keepText, originalOf, textOf } from './written.ts'
import './tape.css'

/** The editor, and the functions for it: their module is loaded when the room is opened. */
type Editor = { readonly view: EditorView; readonly tools: typeof EditorModule }

/** The messages of a run so far. */
type Outcome = { readonly tapes: readonly Drawn[]; readonly lines: readonly string[]; readonly error: string | null; readonly line: number | null }

const nothing: Outcome = { tapes: [], lines: [], error: null, line: null }

export function Tape({ settings }: { settings: Settings }): VNode {
  const place = useRef<HTMLDivElement>(null)
  const editor = useRef<Editor | null>(null)
  const running = useRef<Running | null>(null)
  const [ready, setReady] = useState(false)
  const [example, setExample] = useState(() => settingsIn('tape', settings).example ?? examples[0].name)
  const current = useRef(example)
  const [busy, setBusy] = useState(false)
  const [outcome, setOutcome] = useState(nothing)
  const [chosen, setChosen] = useState(0)

  function begin(): void {
    running.current?.stop()
    setBusy(true)
    setOutcome(nothing)
    editor.current?.tools.showFailure(editor.current.view, null)
    setChosen(0)
    const mine = run(textOf(current.current), told => {
      if (running.current !== mine) return
      if (told.kind === 'lines') setOutcome(now => ({ ...now, lines: [...now.lines, ...told.lines].slice(-limits.lines) }))
      else if (told.kind === 'tape') setOutcome(now => ({ ...now, tapes: [...now.tapes, told.drawn] }))
      else {
        const { error, line } = told
        setOutcome(now => ({ ...now, error, line }))
        if (error !== null) editor.current?.tools.showFailure(editor.current.view, line, error)
        setBusy(false)
      }
    })
    running.current = mine
  }

  useEffect(() => {
    let gone = false
    import('./editor.ts').then(tools => {
      if (gone) return
      const view = tools.openEditor(place.current!, textOf(current.current), {
        onChange: text => keepText(current.current, text),
        onRun: begin,
      })
      editor.current = { view, tools }
      setReady(true)
      begin()
    }).catch(complain)
    return () => {
      gone = true
      const { current: mine } = running
      running.current = null
      mine?.stop()
      editor.current?.view.destroy()
    }
  }, [])

  function choose(name: string): void {
    current.current = name
    setExample(name)
    showAddress('tape', { example: name === examples[0].name ? undefined : name })
    if (!editor.current) return
    editor.current.tools.replaceText(editor.current.view, textOf(name))
    begin()
  }

  function restore(): void {
    editor.current?.tools.replaceText(editor.current.view, originalOf(example))
    begin()
  }

  const { tapes, lines, error, line } = outcome
  const drawn = tapes[chosen]
  return (
    <div class="room tape">
      <div class="panel">
        <Section title="Script">
          <Select label="Example" value={example} onChange={choose} options={examples.map(({ name, title }) => [name, title] as const)} />
          <div class="editor" ref={place}>{!ready && <pre>{textOf(example)}</pre>}</div>
          <div class="row">
            <button type="button" class="main" disabled={!ready || busy} onClick={begin}>Run</button>
            <button type="button" disabled={!busy} onClick={() => running.current?.stop()}>Stop</button>
            <button type="button" class="quiet" disabled={!ready} onClick={restore}>As it was</button>
            <p class="hint">Ctrl-Enter runs it; it may take {limits.seconds} seconds. <code>await webgpu()</code> opens the GPU, if there is one.</p>
          </div>
          {error !== null && (
            <p class="mistake" role="alert">
              {line !== null && <><button type="button" class="quiet" onClick={() => editor.current?.tools.goToLine(editor.current.view, line)}>Line {line}</button>{': '}</>}
              <span>{error}</span>
            </p>
          )}
        </Section>
        {lines.length > 0 && <Section title="It printed"><pre class="printed" tabIndex={0} aria-label="What the script printed">{lines.join('\n')}</pre></Section>}
      </div>
      <div class="view">
        {tapes.length > 1 && (
          <Keys label="Function" value={String(chosen)} onChange={i => setChosen(Number(i))} options={tapes.map(({ name }, i) => [String(i), name || `function ${i + 1}`] as const)} />
        )}
        {drawn ? <TapeView key={chosen} drawn={drawn} /> : <div class="empty"><p>{busy || !ready ? 'Running …' : 'The tape of each function that the script gives to traceOf(f, …arguments) is drawn here.'}</p></div>}
      </div>
    </div>
  )
}
