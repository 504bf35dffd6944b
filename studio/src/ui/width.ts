/**
 * The width of an element on the page, in pixels. A chart that is drawn for exactly this width is not scaled, so its text has
 * the same size as all other text.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { RefObject } from 'preact'

/** The ref for the element, and its width: 640 before it is on the page. */
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
