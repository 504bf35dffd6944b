/**
 * The picture of a state, in which the visitor chooses a cell: by pointer, touch, or arrow keys (with Shift five cells at once).
 */
import type { RefObject, VNode } from 'preact'
import { cellUnder, type Cell } from './maps.tsx'

export function CellPicture({ canvas, size, cell, onCell, label }: {
  canvas: RefObject<HTMLCanvasElement | null>
  size: number
  cell: Cell
  onCell: (cell: Cell) => void
  label: string
}): VNode {
  function type(event: KeyboardEvent): void {
    const far = event.shiftKey ? 5 : 1
    const moves: Record<string, [number, number]> = { ArrowLeft: [-far, 0], ArrowRight: [far, 0], ArrowUp: [0, -far], ArrowDown: [0, far] }
    const move = moves[event.key]
    if (!move) return
    event.preventDefault()
    const clamp = (n: number): number => Math.min(Math.max(n, 0), size - 1)
    onCell({ x: clamp(cell.x + move[0]), y: clamp(cell.y + move[1]) })
  }
  const percent = (n: number): string => `${(100 * n) / size}%`
  return (
    <div
      class="stage" tabIndex={0} role="application" aria-label={label} aria-describedby="picture-help" onKeyDown={type}
      onClick={event => onCell(cellUnder(event, { width: size, height: size }))}
    >
      <canvas ref={canvas} class="cells" width={size} height={size} />
      <span class="mark" style={{ left: percent(cell.x), top: percent(cell.y), width: percent(1), height: percent(1) }} />
      <p class="hidden" id="picture-help">Arrow keys choose a cell.</p>
    </div>
  )
}
