/**
 * Parameters checked against their rule: nothing missing, nothing superfluous, every tensor as the rule needs it.
 *
 *   rollout: there is no params.update.B2; did you mean params.update.b2?
 *   step: params.update.w1 is a tensor [48,96] float32, expected a tensor [48,128] float32.
 *
 * A bias under a wrong name would silently be ignored, and a leaf that the fused kernels do not know would make the rollout
 * five times slower. So every function that takes parameters checks them against the rule first, with the same messages.
 */
import { check, isObject, nearest } from '../../backends/options.ts'
import { sameShape, showShape } from '../../tensor/shape.ts'
import { Tensor } from '../../tensor/tensor.ts'
import { eachLeaf } from '../../tensor/tree.ts'
import { paramShapes } from './parameters.ts'
import type { Rule } from './types.ts'

/**
 * Throws unless these are the parameters of a rule. The parameters of a rule that is code are not checked.
 *
 * @param where the function or file that the message names
 * @param params a tree with exactly the tensors of `paramShapes(rule)`; leaves that are undefined count as absent
 * @param options `like` is the state that they will be used with, whose element type and backend they must share; by default
 *   the first parameter. `part` checks one branch only.
 * @throws one sentence that names the first path that is unknown, missing or of another shape, type or backend
 * @example checkParams('lizard.safetensors', rule, tree)
 */
export function checkParams(
  where: string, rule: Rule, params: unknown, { like, part }: { like?: Tensor; part?: 'perceive' | 'update' | 'head' } = {},
): void {
  if (rule.type === 'custom') return
  check(isTree(params), where, 'params', params, 'a tree of tensors, like those of init(rule, key)')
  const shapes = Object.entries(paramShapes(rule)).filter(([path]) => !part || path.startsWith(`${part}.`))
  const given = new Map<string, unknown>()
  eachLeaf(part ? { [part]: (params as Record<string, unknown>)[part] } : params, (leaf, path) => {
    if (leaf !== undefined) given.set(path, leaf)
  })
  checkPaths(where, [...given.keys()], shapes.map(([path]) => path))

  const first = like ?? [...given.values()].find(leaf => leaf instanceof Tensor)
  const dtype = first?.dtype === 'float64' ? 'float64' : 'float32'
  for (const [path, shape] of shapes) {
    const t = given.get(path)
    const fits = t instanceof Tensor && sameShape(t.shape, shape) && t.dtype === dtype
    check(fits, where, `params.${path}`, t, `a tensor ${showShape(shape)} ${dtype}`)
    const { backend } = t as Tensor
    if (backend === first!.backend) continue
    const other = like ? 'the state' : 'the first parameter'
    throw new Error(
      `${where}: params.${path} is on ${backend.name}, but ${other} is on another backend, ${first!.backend.name}. `
        + 'Move them with await to(backend, params).',
    )
  }
}

/** Whether this is a plain object, which may contain parameters. */
function isTree(params: unknown): boolean {
  return isObject(params) && [Object.prototype, null].includes(Object.getPrototypeOf(params) as object | null)
}

/** Throws where a given path looks like a misspelt one, where one is missing, or where one is not the rule's. */
function checkPaths(where: string, given: readonly string[], needed: readonly string[]): void {
  const missing = needed.filter(path => !given.includes(path))
  const extra = given.filter(path => !needed.includes(path))
  const meant = extra.map(path => [path, namesake(path, missing)]).find(([, other]) => other !== undefined)
  if (meant) throw new Error(`${where}: there is no params.${meant[0]}; did you mean params.${meant[1]}?`)
  const all = [...needed.slice(0, 8), ...(needed.length > 8 ? ['…'] : [])].join(', ')
  if (missing.length > 0) throw new Error(`${where}: params.${missing[0]} is missing; the rule has ${all}.`)
  if (extra.length > 0) throw new Error(`${where}: there is no params.${extra[0]}; the rule has ${all}.`)
}

/** Among `paths`, the one whose last name is most similar to that of `path`, from the same branch if there is one. */
function namesake(path: string, paths: readonly string[]): string | undefined {
  const [branch, name] = parted(path)
  for (const others of [paths.filter(other => parted(other)[0] === branch), paths]) {
    const best = nearest(name, others.map(other => parted(other)[1]))
    if (best !== undefined) return others.find(other => parted(other)[1] === best)
  }
  return undefined
}

/** A path's branch and its last name. */
function parted(path: string): [string, string] {
  const dot = path.lastIndexOf('.')
  return [path.slice(0, Math.max(dot, 0)), path.slice(dot + 1)]
}
