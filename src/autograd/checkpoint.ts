/**
 * checkpoint: forget everything inside a function, and compute it again when its derivative is needed.
 *
 * Reverse mode keeps every intermediate value of f. checkpoint(f) keeps only the inputs of f, and runs f a second time
 * inside the pullback: memory is traded for one more evaluation (Griewank & Walther 2000; Chen et al. 2016).
 *
 * f is a closure, so its inputs are not only its arguments, but every tensor from outside that f uses. A frame sees them
 * pass through `apply`, gives f their concrete values (so that nothing inside f is recorded), and lists them. One node
 * then stands for all of f on each tape that traces one of them. When its pullback is called, f runs again, once, with
 * those tensors replaced by freshly traced ones, and the pullback of that run gives the cotangents, including those of
 * weights that f reaches through its closure. (A pullback from outside that f calls is kept until then, too.)
 */
import { activeFrames, resolve, withFrames, type Frame } from '../tensor/frame.ts'
import { refusePromise, scope } from '../tensor/lifetime.ts'
import { refuse } from '../tensor/op.ts'
import { checkFunction } from '../backends/options.ts'
import { showShape } from '../tensor/shape.ts'
import { nextTensorId, Tensor } from '../tensor/tensor.ts'
import { below, nextTapeId, outputOn, type Tape, type TapeOwner } from '../tensor/trace.ts'
import { mapTree } from '../tensor/tree.ts'
import { record } from './vjp.ts'

/**
 * `f`, but its derivative recomputes f instead of keeping its intermediate values. Values and gradients are the same.
 * f must be deterministic: draw random numbers from keys, which are replayed exactly.
 *
 * @throws when differentiated, if the second run uses other tensors than the first, or returns other shapes
 * @example const y = checkpoint(x => block(params, x))(x)     // gradients flow into params too
 */
export function checkpoint<A extends unknown[], Y>(f: (...args: A) => Y): (...args: A) => Y {
  checkFunction('checkpoint', 'f', f)
  return (...args) => scope(() => {
    const outer = activeFrames()
    const [born, bornTape] = [nextTensorId(), nextTapeId()]
    const seen = new Set<Tensor>()
    const called = new Set<TapeOwner>()
    const capture: Frame = {
      resolve(t) {
        if (t.id >= born) return t
        seen.add(t)
        return t.resource
      },
      called(pullback) {
        if (pullback.held.id < bornTape) called.add(pullback)
      },
    }
    const run = (frame: Frame): Y => withFrames([...outer, frame], () =>
      mapTree(refusePromise(f(...args), 'checkpoint()'), leaf => (leaf instanceof Tensor ? resolve(leaf) : leaf)))
    const plain = run(capture)
    const captured = [...seen]

    /** Runs f again, with `values` in place of the tensors that it captured. */
    const again = (values: readonly Tensor[]): Y => {
      const bornAgain = nextTensorId()
      const replaced = new Map(values.flatMap(beneath).map(t => [t, t]))
      captured.forEach((t, i) => replaced.set(t, values[i]))
      const replay: Frame = {
        resolve(t) {
          if (t.id >= bornAgain) return t
          const value = replaced.get(t)
          if (!value) refuse('checkpoint', `run again, the function used ${t.name()}, which it had not used the first time`)
          return value
        },
      }
      return run(replay)
    }
    return tapesOf(captured).reduce((value, tape) => recordOn(tape, captured, [...called], value, again), plain)
  }, 'checkpoint()')
}

/** A tensor and the values beneath its traces: what `apply` meets on its way down. */
function beneath(t: Tensor): Tensor[] {
  return t.traced ? [t, ...beneath(t.traced.value)] : [t]
}

/** The tapes that trace any of these tensors, outermost first. */
function tapesOf(tensors: readonly Tensor[]): Tape[] {
  const tapes = new Set<Tape>()
  for (const t of tensors.flatMap(beneath)) if (t.traced) tapes.add(t.traced.tape)
  return [...tapes].sort((a, b) => a.id - b.id)
}

/** One node on `tape` for the whole function; returns its value with the floating tensors traced. */
function recordOn<Y>(
  tape: Tape, captured: readonly Tensor[], called: readonly TapeOwner[],
  value: Y, again: (values: readonly Tensor[]) => Y,
): Y {
  const outputs: Tensor[] = []
  mapTree(value, leaf => { if (isFloating(leaf)) outputs.push(leaf) })
  const first = specsOf(outputs)
  const parents = captured.map(t => outputOn(t, tape))
  const traced = tape.record({
    op: 'checkpoint',
    parents,
    saved: [...captured, ...called],
    pullback: cotangents => scope(() => {
      const values = captured.map(t => resolve(below(t, tape)))
      const wanted = values.filter((_, i) => parents[i])
      const rerun = (differentiated: readonly Tensor[]): unknown => {
        let next = 0
        const leaves: Tensor[] = []
        const result = again(values.map((t, i) => (parents[i] ? differentiated[next++] : t)))
        mapTree(result, leaf => { if (isFloating(leaf)) leaves.push(leaf) })
        const second = specsOf(leaves)
        if (second !== first) refuse('checkpoint', `run again, the function returned ${second}, the first time ${first}`)
        return leaves
      }
      const found = record('checkpoint()', rerun, wanted, []).pull(cotangents, true)
      let next = 0
      return parents.map(parent => (parent ? found[next++] : null))
    }, 'checkpoint()'),
  }, outputs)
  let next = 0
  return mapTree(value, leaf => (isFloating(leaf) ? traced[next++] : leaf))
}

function specsOf(tensors: readonly Tensor[]): string {
  return tensors.map(t => `${t.dtype} ${showShape(t.shape)}`).join(', ') || 'nothing'
}

function isFloating(leaf: unknown): leaf is Tensor {
  return leaf instanceof Tensor && (leaf.dtype === 'float32' || leaf.dtype === 'float64')
}
