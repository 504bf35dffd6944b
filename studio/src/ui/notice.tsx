/**
 * The notice: one sentence to the visitor, in the bar of the page or, if there is no room for it, at the foot of the page.
 *
 * Information disappears by itself after enough time to read it. An error stays until the visitor closes it, by its button or
 * with Escape, or until it is out of date: another room was opened, there is a newer notice, or the same attempt succeeded.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'

type Told = {
  readonly sentence: string
  /** The subject, by which `settled` finds it; '' if nothing settles it. */
  readonly about: string
  /** Whether it is information, and disappears by itself. */
  readonly passes: boolean
}

let told: Told | null = null
let changed: (told: Told | null) => void = () => {}

function tell(next: Told | null): void {
  told = next
  changed(next)
}

/** Shows information, for as long as it takes to read it. */
export function mention(sentence: string): void {
  tell({ sentence, about: '', passes: true })
}

/** Shows an error, which stays. */
export function notify(sentence: string, about: string = ''): void {
  tell({ sentence, about, passes: false })
}

/** Shows the message of an error; to be given to `catch`. */
export function complain(error: unknown): void {
  notify((error as Error).message)
}

/** Removes the notice about a subject, since the problem is over. */
export function settled(about: string): void {
  if (told?.about === about) tell(null)
}

/** Waits for an attempt. If it fails, its error is shown until an attempt about the same subject succeeds. */
export async function attempt(about: string, act: Promise<unknown>): Promise<void> {
  await act.then(() => settled(about), (error: Error) => notify(error.message, about))
}

/** Removes an error of the room that has been left. */
export function leaveRoom(): void {
  if (told && !told.passes) tell(null)
}

/** The time that it takes to read a sentence slowly, in milliseconds. */
const readingTime = (sentence: string): number => 4000 + 80 * sentence.length

export function Notice(): VNode {
  const [now, setNow] = useState<Told | null>(null)
  /** Whether the pointer or the keyboard focus is on it: then it does not disappear. */
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
    before.current?.focus() // gives the keyboard focus back
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
