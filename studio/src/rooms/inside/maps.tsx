/**
 * A quantity as a sheet of small maps, each with its name, and the legend of their scale.
 */
import { useEffect, useRef } from 'preact/hooks'
import type { VNode } from 'preact'
import { paint } from '../../ui/picture.ts'
import type { Maps } from './maps.ts'
import { digits } from './terms.ts'
import './maps.css'

/** A cell of a grid. */
export type Cell = { readonly x: number; readonly y: number }

/** The cell of a picture that is under the pointer. */
export function cellUnder(event: MouseEvent, { width, height }: { width: number; height: number }): Cell {
  const box = (event.target as HTMLElement).getBoundingClientRect()
  const along = (share: number, n: number): number => Math.min(Math.max(Math.floor(share * n), 0), n - 1)
  return { x: along((event.clientX - box.left) / box.width, width), y: along((event.clientY - box.top) / box.height, height) }
}

function Map({ maps, i, own }: { maps: Maps; i: number; own: boolean }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  const { width, height, pixels, names, ranges } = maps
  useEffect(() => {
    paint(canvas.current!, { width, height, data: pixels.subarray(4 * i * width * height, 4 * (i + 1) * width * height) })
  }, [maps, i])
  return (
    <figure class="map">
      <canvas ref={canvas} class="cells" role="img" aria-label={names[i]} />
      <figcaption title={names[i]}>{names[i]}{own && <span class="own"> ±{digits(ranges[i])}</span>}</figcaption>
    </figure>
  )
}

/** The colours from −range to range; without a range, for maps that each have their own. */
export function Legend({ palette, range }: { palette: Uint8ClampedArray<ArrayBuffer>; range?: number }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  useEffect(() => paint(canvas.current!, { width: palette.length / 4, height: 1, data: palette }), [palette])
  return (
    <div class="legend">
      <span>{range === undefined ? '−' : digits(-range)}</span><canvas ref={canvas} aria-hidden="true" /><span>{range === undefined ? '+, as far as each map says' : digits(range)}</span>
      <span class="hidden">Blue is below 0, white 0, red above.</span>
    </div>
  )
}

/** All maps of a quantity. */
export function Sheet({ maps, own = false, onCell }: {
  maps: Maps
  /** Whether each map has a scale of its own, which its caption gives. */
  own?: boolean
  onCell?: (cell: Cell) => void
}): VNode {
  return (
    <div
      class={maps.names.length > 60 ? 'maps small' : 'maps'}
      onClick={event => { if (onCell && event.target instanceof HTMLCanvasElement) onCell(cellUnder(event, maps)) }}
    >
      {maps.names.map((name, i) => <Map key={name} maps={maps} i={i} own={own} />)}
    </div>
  )
}
