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
  /** The number of targets asked for so far, and the number of that which was taken last. */
  const asked = useRef(0), taken = useRef(0)

  function give(made: Target | null): void {
    taken.current = ++asked.current
    onTarget(made)
  }

  /** Takes a target once it is read, unless one that was asked for later is already there. */
  function wait(reading: Promise<Target>, take: (made: Target) => void = onTarget): void {
    const mine = ++asked.current
    void attempt('target', reading.then(made => {
      if (mine < taken.current) return
      taken.current = mine
      take(made)
    }))
  }

  function choose(name: string): void {
    setDrawing(false)
    setChosen(name)
    wait(bundledTarget(name))
  }

  function take(files: Iterable<File> | null | undefined): void {
    const picture = firstOf(files)
    if (!picture) return
    wait(fileTarget(picture), made => {
      setDrawing(false)
      setChosen('')
      onTarget(made)
    })
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
      give(typedTarget(typed))
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
    if (!drawing) give(null)
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
