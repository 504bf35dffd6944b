/**
 * scan: a loop whose memory grows like √T when it is differentiated.
 *
 * Reverse mode through T steps keeps what every step needs. Cut the loop into segments of S steps and checkpoint each:
 * the forward pass keeps T/S carries, the backward pass recomputes one segment at a time and holds its S steps, so the
 * peak is
 *
 *   T/S · |carry| + S · |step|,   least near S ≈ √T
 *
 * for one more forward evaluation (Chen et al. 2016). Any S gives the same gradients, up to the rounding of sums in
 * another order. Unlike in a compiled scan, `step` is ordinary code that is called with the number t.
 */
import { refusePromise, scope, supersede } from '../tensor/lifetime.ts'
import { refuse } from '../tensor/op.ts'
import { check, checkFunction, checkOptions, isWhole, keysOf, type Kind } from '../backends/options.ts'
import { Tensor } from '../tensor/tensor.ts'
import { checkpoint } from './checkpoint.ts'

export type ScanOptions = {
  /** Steps per checkpointed segment: a whole number > 0; 'auto' (default) is ⌈√T⌉, false keeps every step. */
  checkpoint?: 'auto' | number | false
}

/** The kind of a segment's length. */
export const segmentLength: Kind = {
  fits: x => x === 'auto' || x === false || isWhole(x, 1), expected: "'auto', false or a whole number of steps > 0",
}

const scanOptions = keysOf<ScanOptions>({ checkpoint: segmentLength })

const supersededBecause = 'was the carry of an earlier step of scan(); return it beside the carry to keep it'

function pair<C, Y>(result: readonly [C, Y]): readonly [C, Y] {
  if (!Array.isArray(result) || result.length !== 2) {
    refuse('scan', `step returned ${result instanceof Tensor ? result.name() : typeof result}, expected [carry, y]`)
  }
  return result
}

/**
 * Applies `step` to a carry T times and collects what it returns beside the carry.
 *
 * @param step `(carry, x, t) → [carry, y]`; a pure function of tensors, called twice when differentiated
 * @param carry the first carry, a tree of tensors
 * @param over the number of steps T, or the list of inputs x, one per step
 * @returns the last carry and the list of the y
 * @throws for a negative or fractional T, and for a segment length that is not a positive integer
 * @example const [x, trace] = scan((x, _, t) => { const y = update(params, x, t); return [y, y] }, x0, 64)
 */
export function scan<C, X, Y>(
  step: (carry: C, x: X, t: number) => readonly [C, Y],
  carry: C,
  over: number | readonly X[],
  options: ScanOptions = {},
): [C, Y[]] {
  checkOptions('scan', options, scanOptions)
  checkFunction('scan', 'step', step)
  check(typeof over === 'number' || Array.isArray(over), 'scan', 'over', over, 'a number of steps or a list of inputs')
  const { checkpoint: length = 'auto' } = options
  const inputs = typeof over === 'number' ? undefined : over
  const total = typeof over === 'number' ? over : over.length
  if (!Number.isInteger(total) || total < 0) refuse('scan', `the number of steps must be a whole number ≥ 0, got ${total}`)
  const segment = length === 'auto' ? Math.ceil(Math.sqrt(total)) : length === false ? total : length

  /** Runs the steps from `from` to `to`. Each carry is released as soon as the next one replaces it, unless a tape keeps it. */
  function run(start: C, from: number, to: number): [C, Y[]] {
    let now = start
    const ys: Y[] = []
    for (let t = from; t < to; t++) {
      const [next, y] = scope(
        () => pair(refusePromise(step(now, inputs?.[t] as X, t), 'a step of scan()')),
        'a step of scan()',
      )
      ys.push(y)
      supersede(now, [next, ys], supersededBecause)
      now = next
    }
    return [now, ys]
  }

  return scope(() => {
    let now = carry
    const ys: Y[] = []
    for (let from = 0; from < total; from += segment) {
      const to = Math.min(from + segment, total)
      const part = length === false ? run : checkpoint(run)
      const [next, some] = part(now, from, to)
      ys.push(...some)
      supersede(now, [next, ys], supersededBecause)
      now = next
    }
    return [now, ys]
  }, 'scan()')
}
