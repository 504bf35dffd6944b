/**
 * Files that are dropped anywhere on the page. By default a browser leaves the page to show a dropped file, and everything on
 * the page would be lost. So the page takes every drop, and refuses files that the room cannot use with a sentence.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import { mention } from './notice.tsx'

const holdsFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer !== null && dataTransfer.types.includes('Files')

/** Takes the files that are dropped while a room is open; returns whether files are being dragged over the page. */
export function useDrop(take: (files: readonly File[]) => void): boolean {
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
      newest.current([...event.dataTransfer!.files])
    })
    return () => listening.abort()
  }, [])
  return over
}

/** The first of some files, where only one can be used; if there are more, a sentence says which one was taken. */
export function firstOf(files: Iterable<File> | null | undefined): File | undefined {
  const [first, ...others] = files ?? []
  if (others.length > 0) mention(`${first.name} was taken, the first of ${others.length + 1} files: this room takes one at a time.`)
  return first
}

/** Keeps the browser on the page whatever is dropped; call it once. The window gets a drop after the room had its chance. */
export function refuseOtherDrops(): void {
  addEventListener('dragover', event => { if (holdsFiles(event)) event.preventDefault() })
  addEventListener('drop', event => {
    if (!holdsFiles(event) || event.defaultPrevented) return
    event.preventDefault()
    mention('This room takes no files: drop a model in Play or in Look inside, a picture in Train.')
  })
}
