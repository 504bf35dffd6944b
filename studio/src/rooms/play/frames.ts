/**
 * The beat of a running picture: once for each frame of the screen, unless the last picture is still being computed.
 * A hidden page has no frames, so it computes nothing.
 */
import { useEffect, useRef } from 'preact/hooks'

/** Calls `beat` at each beat with the milliseconds since the last one; always the function of the latest render. */
export function useBeat(beat: (elapsed: number) => Promise<void>): void {
  const newest = useRef(beat)
  newest.current = beat
  useEffect(() => {
    let request = 0, last: number | null = null, busy = false
    const frame = (now: number): void => {
      request = requestAnimationFrame(frame)
      if (busy) return
      busy = true
      const elapsed = now - (last ?? now) // a frame may have begun before this effect did, so only frames are compared
      last = now
      void newest.current(elapsed).finally(() => { busy = false })
    }
    request = requestAnimationFrame(frame)
    return () => cancelAnimationFrame(request)
  }, [])
}

/** Steps and pictures a second, measured over the last half second. */
export type Pace = { readonly steps: number; readonly pictures: number }

/** Returns a function to call with the steps of each picture: it returns the pace whenever half a second has passed, else null. */
export function pacer(): (steps: number) => Pace | null {
  let since = performance.now(), steps = 0, pictures = 0
  return taken => {
    steps += taken
    pictures++
    const seconds = (performance.now() - since) / 1000
    if (seconds < 0.5) return null
    const pace = { steps: steps / seconds, pictures: pictures / seconds }
    since = performance.now()
    steps = pictures = 0
    return pace
  }
}
