/**
 * A picture of cells that does not change by itself.
 */
import { useEffect, useRef } from 'preact/hooks'
import type { VNode } from 'preact'
import { paint, type Pixels } from './picture.ts'

export function Picture({ pixels, label }: { pixels: Pixels; label: string }): VNode {
  const ref = useRef<HTMLCanvasElement>(null)
  useEffect(() => paint(ref.current!, pixels), [pixels])
  return <canvas ref={ref} class="cells sheet" role="img" aria-label={label} />
}
