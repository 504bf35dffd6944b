/**
 * Video: k frames in the input channels become the k frames that follow in the output channels (Spitznagel & Keuper 2026, section
 * 3.4). Every window of 2k frames of a video is an example:
 *
 *   seed = frames t−k+1 … t in the input, zero elsewhere          loss = ℓ(output, frames t+1 … t+k)
 *
 * When a rule continues from its own predicted frames, errors accumulate, and a rule trained on real frames only has never seen
 * such inputs. So a sample of the pool can be carried on, like the states of growing rules (`carry`): its output becomes its input.
 *
 *   after the rollout    input ← output, all else unchanged          t ← t + k, until the video ends
 */
import { check, checkOptions, flag, isWhole, keysOf, type Options } from '../../backends/options.ts'
import { where } from '../../tensor/ops/compare.ts'
import { tensor } from '../../tensor/tensor.ts'
import type { DataRule } from '../rule/types.ts'
import { setChannels, takeRole } from '../state.ts'
import type { Task } from '../training/trainer-options.ts'
import { checkExamples, type Examples } from './examples.ts'
import { imageToImageTask, translationOptions, type TranslationOptions } from './translate.ts'

export type VideoOptions = TranslationOptions & {
  /**
   * Whether samples of the pool are carried on: after a rollout the predicted frames become the input, and the frames after them
   * the next target. At the end of its video a sample begins anew with one of the first k windows, a multiple of k frames before
   * its own. Requires a pool, and videos of at least 3k frames. Default false: a sample always sees the frames of its own window.
   */
  carry?: boolean
}

const videoOptions: Options = { ...translationOptions, ...keysOf<Pick<VideoOptions, 'carry'>>({ carry: flag }) }

/**
 * The task of continuing videos: from k frames in the input channels to the next k in the output channels. Every window
 * of 2k frames is an example. Fed with its own output, a rule can go on for ever.
 *
 * @param videos grey frames, `shape` is [frames,h,w]
 * @param k the number of input frames, and of output frames
 * @throws where a video has fewer than 2k frames, with `carry` 3k, or a role of the rule does not have k channels
 * @example videoTask(rule, examplesOf(frames, [20, 32, 32]), 2)
 * @example
 * // A rule that learns from its own frames too
 * const task = videoTask(rule, examplesOf(frames, [20, 32, 32]), 2, { carry: true })
 * taskTrainer({ rule, task, batch: 8, steps: [8, 12], pool: 256, ranked: 'none', reseed: 2, optimiser: adam() })
 */
export function videoTask(rule: DataRule, videos: Examples, k: number, options: VideoOptions = {}): Task {
  checkOptions('videoTask', options, videoOptions)
  checkExamples('videoTask', 'videos', videos, 3)
  check(isWhole(k, 1), 'videoTask', 'k', k, 'a whole number > 0')
  const { carry = false, ...others } = options
  const [length] = videos.shape
  const least = carry ? 3 * k : 2 * k
  check(length >= least, 'videoTask', 'the number of frames', length, `at least ${least}${carry ? ', for samples to be carried on' : ''}`)
  const task = imageToImageTask(rule, { inputs: windows(videos, k, 0), outputs: windows(videos, k, k) }, others)
  if (!carry) return task
  const { input = 'input', output = 'output' } = options
  const each = windowsIn(length, k)
  return {
    ...task,
    carry(x, ids) {
      const ends = (id: number): boolean => id % each + k >= each
      const examples = ids.map(id => (ends(id) ? id - id % each + (id % each) % k : id + k))
      const onward = setChannels(rule, x, { [input]: takeRole(rule, x, output) })
      if (!ids.some(ends)) return { x: onward, examples }
      const ended = tensor(Uint32Array.from(ids, id => +ends(id)), { shape: [ids.length, 1, 1, 1], backend: x.backend })
      return { x: where(ended, task.seeds(examples), onward), examples }
    },
  }
}

/** How many windows of 2k frames there are in a video. */
function windowsIn(length: number, k: number): number {
  return length - 2 * k + 1
}

/** The k frames from frame `first` on of every window of 2k frames, as channels. */
function windows({ n, shape: [length, height, width], of }: Examples, k: number, first: number): Examples {
  const each = windowsIn(length, k), cells = height * width
  return {
    n: n * each,
    shape: [height, width, k],
    of(i) {
      const frames = of(Math.floor(i / each)), start = (i % each + first) * cells
      return Float32Array.from({ length: cells * k }, (_, j) => frames[start + (j % k) * cells + Math.floor(j / k)])
    },
  }
}
