/**
 * A small drawing, cell by cell: by pointer, touch or keyboard, with a few colours and a rubber.
 *
 *   arrows    move the pen by a cell, with Shift by five        Enter   puts the pen down, and lifts it
 */
import { useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { Keys } from '../../ui/fields.tsx'
import type { Pixels } from '../../ui/picture.ts'

const side = 40
const colours = [['#1fa055', 'green'], ['#e0522f', 'red'], ['#f2b632', 'yellow'], ['#2f6fe0', 'blue'], ['#1d1e1a', 'black'], ['', 'rubber']] as const

/** A length in cells as a percentage of the sheet. */
const percent = (n: number): string => `${(100 * n) / side}%`

export function Drawing({ onDrawn }: { onDrawn: (pixels: Pixels) => void }): VNode {
  const ref = useRef<HTMLCanvasElement>(null)
  const last = useRef<[number, number] | null>(null)
  const [colour, setColour] = useState<string>(colours[0][0])

  /** The place of the keyboard's pen; null until the keyboard is used. */
  const [pen, setPen] = useState<[number, number] | null>(null)
  const [isDown, setDown] = useState(false)

  function placeOf(event: PointerEvent): [number, number] {
    const box = ref.current!.getBoundingClientRect()
    return [((event.clientX - box.left) / box.width) * side, ((event.clientY - box.top) / box.height) * side]
  }

  /** Draws a line from the last place of the pen; a dot if the pen has just come down. */
  function drawTo([x, y]: [number, number]): void {
    const context = ref.current!.getContext('2d', { willReadFrequently: true })!
    const [fromX, fromY] = last.current ?? [x, y]
    context.globalCompositeOperation = colour === '' ? 'destination-out' : 'source-over'
    context.strokeStyle = colour || '#000'
    context.lineCap = 'round'
    context.lineWidth = 4
    context.beginPath()
    context.moveTo(fromX, fromY)
    context.lineTo(x, y + 0.01) // a line of length zero would not be drawn
    context.stroke()
    last.current = [x, y]
  }

  function type(event: KeyboardEvent): void {
    const [x, y] = pen ?? [side / 2, side / 2]
    const far = event.shiftKey ? 5 : 1
    const moves: Record<string, [number, number]> = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }
    const clamp = (n: number): number => Math.min(Math.max(n, 0), side)
    const move = moves[event.key]
    if (!move && event.key !== 'Enter') return
    event.preventDefault()
    const next: [number, number] = move ? [clamp(x + move[0]), clamp(y + move[1])] : [x, y]
    setPen(next)
    if (!move) setDown(!isDown)
    if (move ? isDown : !isDown) {
      last.current = [x, y]
      drawTo(next)
      ended()
    }
  }

  function ended(): void {
    if (!last.current) return
    last.current = null
    const { data } = ref.current!.getContext('2d')!.getImageData(0, 0, side, side)
    onDrawn({ width: side, height: side, data: data as Uint8ClampedArray<ArrayBuffer> })
  }

  return (
    <div class="drawing">
      <div
        class="pad" tabIndex={0} role="application" aria-label="Draw here" aria-describedby="pad-help" onKeyDown={type}
        onBlur={() => setDown(false)}
        onPointerDown={event => { event.currentTarget.setPointerCapture(event.pointerId); drawTo(placeOf(event)) }}
        onPointerMove={event => { if (last.current) drawTo(placeOf(event)) }} onPointerUp={ended} onPointerCancel={ended}
      >
        <canvas ref={ref} width={side} height={side} class="cells sheet" />
        {pen && <span class={isDown ? 'aim down' : 'aim'} style={{ left: percent(pen[0] - 2), top: percent(pen[1] - 2), width: percent(4), height: percent(4) }} />}
        <p class="hidden" id="pad-help">Arrow keys move the pen, Enter puts it down and lifts it.</p>
      </div>
      <Keys
        label="Colour" value={colour} onChange={setColour}
        options={colours.map(([value, name]) => [value, value ? <i class="dot" style={{ background: value }} /> : 'Rubber', name] as const)}
      />
    </div>
  )
}
