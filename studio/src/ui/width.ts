/**
 * The width of an element on the page, in pixels: what is drawn in it to that width keeps its words as large as all others.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { RefObject } from 'preact'

/** Where to put the element, and its width: 640 before it is on the page. */
export function useWidth<E extends Element>(): [RefObject<E | null>, number] {
  const element = useRef<E>(null)
  const [width, setWidth] = useState(640)
  useEffect(() => {
    const observer = new ResizeObserver(([{ contentRect }]) => setWidth(Math.max(contentRect.width, 100)))
    observer.observe(element.current!)
    return () => observer.disconnect()
  }, [])
  return [element, width]
}
