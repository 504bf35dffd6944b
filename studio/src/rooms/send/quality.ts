/**
 * How well a model grows with the weights of few bits that an address has, compared with its original weights: two rollouts
 * from the same state under the same key, on the grid of its training.
 *
 *   with a target     log₁₀ of the mean squared distance of red, green, blue and alpha from the target, for both
 *   with classes      the share of cells in which both predict the same class
 *   otherwise         the root mean squared difference between both in the visible channels
 */
import {
  channelCount, key, mean, mse, rgba, rollout, roleChannels, scope, tensor, type Backend, type DataParams, type DataRule,
  type Model, type Tensor,
} from 'cellgrad'
import { firstOf, wantedOf } from '../inside/line.ts'
import type { Target } from '../model-file.ts'
import { classesOf, kindOf, trainedSize } from '../play/family.ts'

export type Quality = { readonly steps: number } & (
  | { readonly by: 'target'; readonly sent: number; readonly here: number }
  | { readonly by: 'classes'; readonly same: number }
  | { readonly by: 'difference'; readonly size: number }
)

/** Steps after which the states are compared: rules that classify have their answer much earlier. */
const grownAfter = 200, answeredAfter = 40
/** Steps after which the worker handles other messages, so that a world in Play goes on. */
const atOnce = 10

/** Compares a model with the parameters that are sent in its place. */
export async function qualityOf(model: Model, sent: DataParams, target: Target | null, backend: Backend): Promise<Quality> {
  const { rule } = model
  const size = trainedSize(model)
  const steps = kindOf(rule) === 'classes' ? answeredAfter : grownAfter
  const after = (params: DataParams): Promise<Tensor> => grown(rule, params, size, steps, backend)
  const states = [await after(model.params), await after(sent)]
  if (target && rule.channels.rgba === 4) {
    const wanted = wantedOf(target, size, backend)
    const [here, there] = await Promise.all(states.map(async x => Math.log10((await scope(() => mean(mse(rgba(x), wanted))).data())[0])))
    return { steps, by: 'target', sent: there, here }
  }
  const [a, b] = await Promise.all(states.map(async x => await x.data() as Float32Array))
  if (kindOf(rule) === 'classes') {
    const [here, there] = [classesOf(rule, a), classesOf(rule, b)]
    const speaking = here.flatMap((said, i) => (said === null ? [] : [i]))
    return { steps, by: 'classes', same: speaking.filter(i => here[i] === there[i]).length / speaking.length }
  }
  return { steps, by: 'difference', size: difference(rule, a, b) }
}

/** The state after so many steps, `[1,size,size,channels]`. */
async function grown(rule: DataRule, params: DataParams, size: number, steps: number, backend: Backend): Promise<Tensor> {
  const grid = { height: size, width: size, channels: channelCount(rule.channels) }
  let x = tensor(firstOf(rule, grid), { shape: [1, size, size, grid.channels], backend })
  for (let from = 0; from < steps; from += atOnce) {
    x = rollout(rule, params, x, key(0), { steps: atOnce, from })
    await x.data()
    await new Promise(resolve => { setTimeout(resolve) })
  }
  return x
}

/** The root mean squared difference of the visible channels: the colours if the rule has some, else all channels. */
function difference({ channels }: DataRule, a: Float32Array, b: Float32Array): number {
  const n = channelCount(channels)
  const seen = ['rgba', 'rgb'].find(role => role in channels)
  const [from, to] = seen ? roleChannels(channels, seen) : [0, n]
  let sum = 0, count = 0
  for (let i = 0; i < a.length; i++) {
    if (i % n < from || i % n >= to) continue
    sum += (a[i] - b[i]) ** 2
    count++
  }
  return Math.sqrt(sum / count)
}
