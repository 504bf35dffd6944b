/**
 * What the visitor is told, as one sentence, in the bar of the page or, where that has no room, at its foot.
 *
 * Mere information goes by itself when it has been read. What went wrong stays until it is put away, by its button or with
 * Escape, or is over: another room has been opened, something newer is said, or what it is about has gone well.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'

type Told = {
  readonly sentence: string
  /** What it is about; '' where nothing can settle it. */
  readonly about: string
  /** Whether it is mere information. */
  readonly passes: boolean
}

let told: Told | null = null
let changed: (told: Told | null) => void = () => {}

function tell(next: Told | null): void {
  told = next
  changed(next)
}

/** Says what is good to know, for as long as it takes to read it. */
export function mention(sentence: string): void {
  tell({ sentence, about: '', passes: true })
}

/** Says what went wrong. */
export function notify(sentence: string, about: string = ''): void {
  tell({ sentence, about, passes: false })
}

/** Says what an error says; to be given to `catch`. */
export function complain(error: unknown): void {
  notify((error as Error).message)
}

/** What was wrong about something is over. */
export function settled(about: string): void {
  if (told?.about === about) tell(null)
}

/** Says what an attempt failed by, until another one about the same goes well. */
export async function attempt(about: string, act: Promise<unknown>): Promise<void> {
  await act.then(() => settled(about), (error: Error) => notify(error.message, about))
}

/** What was wrong in one room is over in the next. */
export function leaveRoom(): void {
  if (told && !told.passes) tell(null)
}

/** Milliseconds to read a sentence slowly. */
const readingTime = (sentence: string): number => 4000 + 80 * sentence.length

export function Notice(): VNode {
  const [now, setNow] = useState<Told | null>(null)
  /** Whether the pointer or the keyboard is on it: then it waits. */
  const [held, setHeld] = useState(false)
  const before = useRef<HTMLElement | null>(null)
  useEffect(() => {
    changed = setNow
    const escape = (event: KeyboardEvent): void => { if (event.key === 'Escape') tell(null) }
    addEventListener('keydown', escape)
    return () => removeEventListener('keydown', escape)
  }, [])
  useEffect(() => {
    if (!now?.passes || held) return
    const over = setTimeout(() => tell(null), readingTime(now.sentence))
    return () => clearTimeout(over)
  }, [now, held])
  function close(): void {
    setHeld(false)
    tell(null)
    before.current?.focus() // the keyboard goes on where it was
  }
  return (
    <div
      class={now?.passes ? 'notice passing' : 'notice'} role="alert" hidden={now === null}
      onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}
    >
      {now && (
        <>
          <p>{now.sentence}</p>
          <button
            type="button" class="quiet" title="Escape" onClick={close} onBlur={() => setHeld(false)}
            onFocus={({ relatedTarget }) => { before.current = relatedTarget as HTMLElement | null; setHeld(true) }}
          >Close</button>
        </>
      )}
    </div>
  )
}
