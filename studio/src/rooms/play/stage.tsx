/**
 * The stage of Play: the world as a picture, which the visitor changes by pointer, touch or keyboard.
 *
 *   arrows    move the aim by a cell, with Shift by five        Enter   uses the tool there
 *   Space     pauses and resumes                                .       one step
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { RefObject, VNode } from 'preact'

/** A place in cells. */
export type Cell = { readonly x: number; readonly y: number }

export function Stage({ canvas, size, reach, label, invitation, onTouch, onPause, onStep }: {
  canvas: RefObject<HTMLCanvasElement | null>
  size: number
  /** How far the tool reaches around the aim, in cells; null if its reach is not a circle. */
  reach: number | null
  label: string
  /** The text on an empty world that asks for a drawing; null for none. */
  invitation: string | null
  onTouch: (cell: Cell) => void
  onPause: () => void
  onStep: () => void
}): VNode {
  const [aim, setAim] = useState<Cell | null>(null)
  const pressed = useRef<Cell | null>(null)

  function cellAt({ clientX, clientY }: PointerEvent): Cell {
    const box = canvas.current!.getBoundingClientRect()
    const along = (at: number, from: number, length: number): number => Math.floor(((at - from) / length) * size)
    return { x: along(clientX, box.left, box.width), y: along(clientY, box.top, box.height) }
  }

  /** Touches the cells on the line between two places, so that a fast movement leaves no gaps. */
  function stroke(from: Cell, to: Cell): void {
    const far = Math.max(Math.abs(to.x - from.x), Math.abs(to.y - from.y), 1)
    const each = Math.max(1, Math.floor(reach ?? far))
    for (let i = each; i < far; i += each) {
      onTouch({ x: Math.round(from.x + ((to.x - from.x) * i) / far), y: Math.round(from.y + ((to.y - from.y) * i) / far) })
    }
    onTouch(to)
  }

  function press(event: PointerEvent): void {
    if (event.button !== 0) return
    canvas.current!.setPointerCapture(event.pointerId)
    pressed.current = cellAt(event)
    onTouch(pressed.current)
  }

  function move(event: PointerEvent): void {
    const cell = cellAt(event)
    setAim(cell)
    const last = pressed.current
    if (!last || (last.x === cell.x && last.y === cell.y)) return
    pressed.current = cell
    stroke(last, cell)
  }

  function type(event: KeyboardEvent): void {
    const at = aim ?? { x: Math.floor(size / 2), y: Math.floor(size / 2) }
    const far = event.shiftKey ? 5 : 1
    const clamp = (n: number): number => Math.min(Math.max(n, 0), size - 1)
    const moves: Record<string, [number, number]> = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }
    if (moves[event.key]) setAim({ x: clamp(at.x + moves[event.key][0]), y: clamp(at.y + moves[event.key][1]) })
    else if (event.key === 'Enter') onTouch(at)
    else if (event.key === ' ') onPause()
    else if (event.key === '.') onStep()
    else return
    event.preventDefault()
  }

  useEffect(() => { if (aim && (aim.x >= size || aim.y >= size)) setAim(null) }, [size])

  const percent = (n: number): string => `${(100 * n) / size}%`
  return (
    <div
      class="stage" tabIndex={0} role="application" aria-label={label} aria-describedby="stage-help"
      onPointerDown={press} onPointerMove={move} onPointerUp={() => { pressed.current = null }}
      onPointerCancel={() => { pressed.current = null }} onPointerLeave={() => setAim(null)} onKeyDown={type}
    >
      <canvas ref={canvas} class="cells" width={size} height={size} />
      {invitation !== null && <p class="invitation">{invitation}</p>}
      {aim && (
        <span
          class="aim" style={reach === null
            ? { left: percent(aim.x + 0.5), top: percent(aim.y + 0.5), width: 0, height: 0 }
            : { left: percent(aim.x + 0.5 - reach), top: percent(aim.y + 0.5 - reach), width: percent(2 * reach), height: percent(2 * reach) }}
        />
      )}
      <p class="hidden" id="stage-help">Arrow keys move the aim, Enter uses the tool there, Space pauses, the full stop takes one step.</p>
    </div>
  )
}
