/**
 * Video: k frames in the input channels become the k frames that follow in the output channels (Spitznagel & Keuper 2026, section
 * 3.4). Every window of 2k frames of a video is an example:
 *
 *   seed = frames t−k+1 … t in the input, zero elsewhere          loss = how far the output is from frames t+1 … t+k
 *
 * Errors of frames that are made from made frames add up, and a rule that never saw its own frames does not know them. So a
 * sample of the pool can be carried on, as states of growing rules are (`carry`): what it made becomes what it sees.
 *
 *   after the rollout    input ← output, all else as it is          t ← t + k, until the video ends
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
   * Whether samples of the pool are carried on: after a rollout the frames that were made become the input, and the frames that
   * follow those are wanted next; at the end of its video a sample begins anew with one of the first k windows, k frames apart from
   * its own. It wants a pool, and videos of at least 3k frames. Default false: a sample always sees the frames of its own window.
   */
  carry?: boolean
}

const videoOptions: Options = { ...translationOptions, ...keysOf<Pick<VideoOptions, 'carry'>>({ carry: flag }) }

/**
 * The task of continuing videos: from k frames in the input channels to the next k in the output channels. Every window
 * of 2k frames is an example. Fed with what it made, a rule goes on for ever.
 *
 * @param videos grey frames, `shape` is [frames,h,w]
 * @param k frames that are seen, and frames that are made
 * @throws where a video has fewer than 2k frames, with `carry` 3k, or the rule not k channels in either role
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

/** Of every window of 2k frames, the k frames from `first` on, as channels. */
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
