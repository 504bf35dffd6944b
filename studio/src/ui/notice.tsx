/**
 * What went wrong, as one sentence at the foot of the page, until it is put away or something else goes wrong.
 */
import { useEffect, useState } from 'preact/hooks'
import type { VNode } from 'preact'

let show: (sentence: string | null) => void = () => {}

/** Says a sentence to the visitor. */
export function notify(sentence: string): void {
  show(sentence)
}

/** Says what an error says; to be given to `catch`. */
export function complain(error: unknown): void {
  show((error as Error).message)
}

export function Notice(): VNode {
  const [sentence, setSentence] = useState<string | null>(null)
  useEffect(() => { show = setSentence }, [])
  return (
    <div class="notice" role="alert" hidden={sentence === null}>
      {sentence !== null && <><p>{sentence}</p><button type="button" class="quiet" onClick={() => setSentence(null)}>Close</button></>}
    </div>
  )
}
