/**
 * Which rollouts are fused, and why a rule, or a rollout from a state, is composed of operators instead.
 */
import type { Backend } from '../../backends/backend.ts'
import type { Feature } from '../../backends/program.ts'
import type { Tensor } from '../../tensor/tensor.ts'
import type { Learned } from '../perceptions/kinds.ts'
import type { DataRule, Rule } from '../rule/types.ts'
import { plain } from './plain.ts'
import { placed } from './position.ts'
import { choosesWhere, inThree, isAttention, isConvolution, isDeformable, isLinear, seesWindow, sumOf, windowOf } from './sight.ts'

/** Whether the bounds of a rule exclude 0, so that dead cells are not zero. */
export const excludesZero = ({ bound }: DataRule): boolean => bound?.type === 'clamp' && (bound.low > 0 || bound.high < 0)

/** Why a backend cannot run a rule as a whole, or null where it can. */
export function whyComposed(given: Rule, backend: Backend): string | null {
  const said = given.type === 'custom' ? given.whole && given.of : given
  if (said?.type !== 'data') return 'it is code'
  const rule = plain(placed(said))
  if (!backend.runner) return `${backend.name} has no fused rollouts here`
  const { widestWindow, mostLayers, features } = backend.runner
  // A kind of perception that programs do not have, such as a newly added one.
  const other = rule.perceive.find(part => !sumOf(part) && !choosesWhere(part))
  if (other) return `it perceives by ${(other as Learned).type}`
  const needed: Readonly<Record<Exclude<Feature, 'given'>, boolean>> = {
    volumes: rule.grid === 3,
    'noise on the state': rule.noise?.on === 'state',
    'residual networks': rule.update.residual,
    'changes through a function': rule.update.lastActivation !== 'linear',
    attention: rule.perceive.some(isAttention),
    norms: rule.update.norm !== null,
    'deformable convolutions': rule.perceive.some(isDeformable),
    'bounds that exclude 0': excludesZero(rule),
    'filters beside a convolution with a function': !isLinear(rule) && !rule.perceive.every(isConvolution),
  }
  const lacking = Object.entries(needed).find(([feature, isNeeded]) => isNeeded && !features.includes(feature as Feature))
  if (lacking) return `${backend.name} runs no ${lacking[0]} as a whole`
  const layers = rule.update.hidden.length + 1 + +(seesWindow(rule) && !isLinear(rule))
  if (layers > mostLayers) return `${backend.name} runs ${mostLayers} layers at most, and it has ${layers}`
  return Math.max(...windowOf(rule)) <= widestWindow ? null : `windows may be ${widestWindow} cells wide on ${backend.name}`
}

/** Why a rollout from this state is composed, or null where it is fused. */
export function whyStateComposed(rule: Rule, x: Tensor): string | null {
  const why = whyComposed(rule, x.backend)
  if (why !== null) return why
  if (x.dtype !== 'float32') return `its state is ${x.dtype}`
  if (rule.type === 'custom' || rule.padding !== 'reflect') return null
  const grid = inThree(x.shape.slice(1, -1)), mirrored = windowOf(plain(placed(rule))).map(size => (size - 1) / 2)
  const most = mirrored.find((cells, axis) => cells >= grid[axis])
  return most === undefined ? null : `its grid is too small to mirror ${most} cells`
}
