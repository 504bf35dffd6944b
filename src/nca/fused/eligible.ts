/**
 * Which rollouts are fused: why a rule, or a rollout from a state, is composed of operators instead.
 */
import type { Backend } from '../../backends/backend.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import { activationInWords } from '../mlp.ts'
import type { Learned } from '../perceptions/kinds.ts'
import type { Rule } from '../rule/types.ts'
import { plain } from './plain.ts'
import { activationsOf, inThree, isConvolution, isLinear, isProgramActivation, seesWindow, sumOf, windowOf } from './sight.ts'

/** Why a backend cannot run a rule as a whole, or null where it can. */
export function whyComposed(given: Rule, backend: Backend): string | null {
  if (given.type === 'custom') return 'it is code'
  const rule = plain(given)
  if (!backend.runner) return `${backend.name} has no fused rollouts here`
  const { widestWindow, mostLayers, features } = backend.runner
  if (rule.grid === 3 && !features.includes('volumes')) return `${backend.name} runs no volumes as a whole`
  if (rule.noise?.on === 'state' && !features.includes('noise on the state')) return `${backend.name} runs no noise on the state as a whole`
  if (rule.bound?.type === 'clamp' && (rule.bound.low > 0 || rule.bound.high < 0)) return 'its bounds leave out 0'
  if (rule.update.norm) return 'its network has norms'
  if (rule.update.residual && !features.includes('residual networks')) return `${backend.name} runs no residual networks as a whole`
  const other = rule.perceive.find(part => !sumOf(part))
  if (other) return `it perceives by ${(other as Learned).type}`
  const { activation, lastActivation } = rule.update
  if (lastActivation !== 'linear' && !features.includes('changes through a function')) {
    return `its change goes through ${activationInWords(lastActivation)}`
  }
  const unknown = [activation, lastActivation, ...activationsOf(rule)].find(word => !isProgramActivation(word))
  if (unknown) return `it applies ${activationInWords(unknown)}`
  const beside = !isLinear(rule) && !rule.perceive.every(isConvolution)
  if (beside && !features.includes('filters beside views')) {
    return `${backend.name} runs no filters beside a convolution with a function as a whole`
  }
  const layers = rule.update.hidden.length + 1 + +(seesWindow(rule) && !isLinear(rule))
  if (layers > mostLayers) return `${backend.name} runs ${mostLayers} layers at most, and it has ${layers}`
  return Math.max(...windowOf(rule)) <= widestWindow ? null : `windows may be ${widestWindow} cells wide on ${backend.name}`
}

/** Why a rollout from this state is composed, or null where it is fused. */
export function whyStateComposed(rule: Rule, x: Tensor): string | null {
  const why = whyComposed(rule, x.backend)
  if (why !== null || rule.type === 'custom') return why
  if (x.dtype !== 'float32') return `its state is ${x.dtype}`
  if (rule.padding !== 'reflect') return null
  const grid = inThree(x.shape.slice(1, -1)), mirrored = windowOf(plain(rule)).map(size => (size - 1) / 2)
  const most = mirrored.find((cells, axis) => cells >= grid[axis])
  return most === undefined ? null : `its grid is too small to mirror ${most} cells`
}
