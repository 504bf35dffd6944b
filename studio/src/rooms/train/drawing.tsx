/**
 * A small drawing, cell by cell: pointer or touch, a few colours, and a rubber.
 */
import { useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { Keys } from '../../ui/fields.tsx'
import type { Pixels } from '../../ui/picture.ts'

const side = 40
const colours = [['#1fa055', 'green'], ['#e0522f', 'red'], ['#f2b632', 'yellow'], ['#2f6fe0', 'blue'], ['#1d1e1a', 'black'], ['', 'rubber']] as const

export function Drawing({ onDrawn }: { onDrawn: (pixels: Pixels) => void }): VNode {
  const ref = useRef<HTMLCanvasElement>(null)
  const last = useRef<[number, number] | null>(null)
  const [colour, setColour] = useState<string>(colours[0][0])

  function draw(event: PointerEvent): void {
    const box = ref.current!.getBoundingClientRect()
    const x = ((event.clientX - box.left) / box.width) * side, y = ((event.clientY - box.top) / box.height) * side
    const context = ref.current!.getContext('2d', { willReadFrequently: true })!
    const [fromX, fromY] = last.current ?? [x, y]
    context.globalCompositeOperation = colour === '' ? 'destination-out' : 'source-over'
    context.strokeStyle = colour || '#000'
    context.lineCap = 'round'
    context.lineWidth = 4
    context.beginPath()
    context.moveTo(fromX, fromY)
    context.lineTo(x, y + 0.01) // a line of no length is not drawn
    context.stroke()
    last.current = [x, y]
  }

  function ended(): void {
    if (!last.current) return
    last.current = null
    const { data } = ref.current!.getContext('2d')!.getImageData(0, 0, side, side)
    onDrawn({ width: side, height: side, data: data as Uint8ClampedArray<ArrayBuffer> })
  }

  return (
    <div class="drawing">
      <canvas
        ref={ref} width={side} height={side} class="cells sheet" aria-label="Draw here"
        onPointerDown={event => { ref.current!.setPointerCapture(event.pointerId); draw(event) }}
        onPointerMove={event => { if (last.current) draw(event) }} onPointerUp={ended} onPointerCancel={ended}
      />
      <Keys
        label="Colour" value={colour} onChange={setColour}
        options={colours.map(([value, name]) => [value, value ? <i class="dot" style={{ background: value }} /> : 'Rubber', name] as const)}
      />
    </div>
  )
}
