/**
 * The choice of the target.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { Keys, Section } from '../../ui/fields.tsx'
import { firstOf, useDrop } from '../../ui/drop.ts'
import { attempt, notify, settled } from '../../ui/notice.tsx'
import { Picture } from '../../ui/cells.tsx'
import { Drawing } from './drawing.tsx'
import { bundledTarget, emoji, fileTarget, typedTarget, type Target } from './target.ts'

export function TargetPicker({ target, onTarget }: { target: Target | null; onTarget: (target: Target | null) => void }): VNode {
  const [chosen, setChosen] = useState(emoji[0].name)
  const [text, setText] = useState('')
  const [drawing, setDrawing] = useState(false)
  const file = useRef<HTMLInputElement>(null)

  function choose(name: string): void {
    setDrawing(false)
    setChosen(name)
    void attempt('target', bundledTarget(name).then(onTarget))
  }

  function take(files: Iterable<File> | null | undefined): void {
    const picture = firstOf(files)
    if (!picture) return
    void attempt('target', fileTarget(picture).then(made => {
      setDrawing(false)
      setChosen('')
      onTarget(made)
    }))
  }

  useEffect(() => choose(chosen), [])
  const over = useDrop(take)
  useEffect(() => {
    const pasted = (event: ClipboardEvent): void => take(event.clipboardData?.files)
    addEventListener('paste', pasted)
    return () => removeEventListener('paste', pasted)
  }, [])

  function type(typed: string): void {
    setText(typed)
    if (typed === '') return settled('target')
    try {
      onTarget(typedTarget(typed))
      setChosen('')
      setDrawing(false)
      settled('target')
    } catch (error) {
      notify((error as Error).message, 'target')
    }
  }

  /** Opens an empty sheet, and there is no target until something is drawn on it; or closes the sheet. */
  function draw(): void {
    if (drawing && !target) return choose(emoji[0].name)
    settled('target')
    setDrawing(!drawing)
    setChosen('')
    if (!drawing) onTarget(null)
  }

  return (
    <Section title="What is to grow">
      <Keys label="Emoji" big value={chosen} onChange={choose} options={emoji.map(({ name, face }) => [name, <img src={face} alt="" width={32} height={32} />, name] as const)} />
      <div class="row">
        <input
          type="text" class="short" placeholder="or type one" aria-label="An emoji or a letter" value={text} maxLength={8}
          onInput={e => type(e.currentTarget.value.trim())}
        />
        <button type="button" onClick={() => file.current!.click()}>Picture…</button>
        <button type="button" aria-pressed={drawing} onClick={draw}>Draw</button>
        <input ref={file} type="file" accept="image/*" class="hidden" tabIndex={-1} aria-label="A picture" onChange={e => { take(e.currentTarget.files); e.currentTarget.value = '' }} />
      </div>
      {drawing ? <Drawing onDrawn={pixels => onTarget({ name: 'drawing', pixels })} /> : target && (
        <div class={over ? 'row drop over' : 'row'}><div class="thumb"><Picture pixels={target.pixels} label={`The target: ${target.name}`} /></div>
          <p class="hint">Pictures may be dropped or pasted, too. What is transparent stays empty.</p></div>
      )}
    </Section>
  )
}
