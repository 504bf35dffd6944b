/**
 * Frames: substituting tensors that a running function uses from outside.
 *
 * `checkpoint` runs a function twice, the second time with other tensors in place of those that the function closes over.
 * A closure cannot be rewritten, so the substitution happens where every tensor must pass: `apply` asks the frames,
 * the outermost first, what each of its inputs stands for. `customVjp` uses a frame to refuse captured tensors.
 */
import type { Tensor } from './tensor.ts'
import type { TapeOwner } from './trace.ts'

export type Frame = {
  resolve(t: Tensor): Tensor
  /** Is told of every pullback that is called, by the owner of its tape. */
  called?(pullback: TapeOwner): void
}

let frames: readonly Frame[] = []

/** The frames in force, to be restored when a function that ran under them runs again later. */
export function activeFrames(): readonly Frame[] {
  return frames
}

export function withFrames<T>(stack: readonly Frame[], fn: () => T): T {
  const before = frames
  frames = stack
  try {
    return fn()
  } finally {
    frames = before
  }
}

/** The tensor that `t` stands for under the active frames. */
export function resolve(t: Tensor): Tensor {
  for (const frame of frames) t = frame.resolve(t)
  return t
}
