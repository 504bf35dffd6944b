/**
 * Files that are dropped, anywhere on the page. A browser leaves the page for a file that the page does not take, and what
 * was on it would be lost: so a file that the room has no use for is refused in a sentence.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { notify } from './notice.tsx'

const holdsFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer !== null && dataTransfer.types.includes('Files')

/** Takes a file that is dropped while a room is open; returns whether one is held over the page just now. */
export function useDrop(take: (file: File) => void): boolean {
  const newest = useRef(take)
  newest.current = take
  const [over, setOver] = useState(false)
  useEffect(() => {
    const listening = new AbortController()
    const on = (name: 'dragover' | 'dragleave' | 'drop', hear: (event: DragEvent) => void): void => {
      document.addEventListener(name, event => { if (holdsFiles(event)) hear(event) }, { signal: listening.signal })
    }
    on('dragover', () => setOver(true))
    on('dragleave', () => setOver(false))
    on('drop', event => {
      event.preventDefault()
      setOver(false)
      newest.current(event.dataTransfer!.files[0])
    })
    return () => listening.abort()
  }, [])
  return over
}

/** Stays on the page whatever is dropped; to be called once. The window hears of it after the room. */
export function refuseOtherDrops(): void {
  addEventListener('dragover', event => { if (holdsFiles(event)) event.preventDefault() })
  addEventListener('drop', event => {
    if (!holdsFiles(event) || event.defaultPrevented) return
    event.preventDefault()
    notify('This room takes no files: drop a model in Play or in Look inside, a picture in Train.')
  })
}
