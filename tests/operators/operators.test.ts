import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { add, checkGrad, div, grad, hvp, maximum, minimum, mul, pow, sub, tensor, vjp, type Tensor } from '../../src/index.ts'
import { inner } from '../../src/autograd/grad.ts'
import { scope } from '../../src/tensor/lifetime.ts'
import { key, foldIn } from '../../src/tensor/key.ts'
import { normal } from '../../src/tensor/ops/random.ts'
import type { Op, DerivativeRule } from '../../src/tensor/op.ts'
import { zerosLike } from '../../src/tensor/ops/create.ts'
import { files, operators } from './all.ts'
import { special, withPlacement, type Mutant } from './case.ts'
import { cases } from './cases.ts'

describe('every differentiable operator', () => {
  it('has a case', () => {
    const proven = new Set(cases.map(c => c.op))
    const missing = [...operators].filter(op => op.vjp !== null && !proven.has(op)).map(op => op.name)
    expect(missing, 'operators without a gradient test').toEqual([])
  })

  it('is exported, so that it is found here', () => {
    const definition = /^([^*\n]*)\bconst \w+.*= (?:\/\* @__PURE__ \*\/ )?(?:defineOp|unary|binary)\b/gm
    const definitions = files.flatMap(file => [...readFileSync(file, 'utf8').matchAll(definition)])
    expect(definitions.length).toBe(operators.size)
    for (const [line, before] of definitions) expect(before, line).toBe('export ')
  })

  it('has a derivative, or is listed as one without', () => {
    expect([...operators].filter(op => op.vjp === null).map(op => op.name).sort()).toMatchInlineSnapshot(`
      [
        "and",
        "argExtreme",
        "argSort",
        "bits",
        "cast",
        "dilate",
        "equal",
        "fire",
        "floor",
        "full",
        "greater",
        "greaterEqual",
        "iota",
        "normal",
        "not",
        "notEqual",
        "or",
        "sign",
        "stopGradient",
        "uniform",
        "winningTap",
      ]
    `)
  })
})

describe.each(cases.map(c => [c.op.name, c] as const))('%s', (_, c) => {
  const { op, calls, positions = differentiable(op), harmless = {} } = c

  it('has right gradients to second order', () => {
    fc.assert(fc.property(calls, make => scope(() => {
      const { f, at } = make()
      checkGrad((xs: Tensor[]) => f(...xs), at)
    })))
  })

  it('has mixed second derivatives that agree in both orders, at special points too', () => {
    fc.assert(fc.property(calls, fc.boolean(), (make, atSpecial) => scope(() => {
      const { f, at } = withPlacement({ dtype: 'float64', special: atSpecial }, make)
      const draw = (n: number): Tensor[] => at.map((x, i) => normal(foldIn(key(n), i), x.shape, { like: x }))
      const weights = normal(key(3), f(...at).shape, { dtype: 'float64' })
      const along = (v: Tensor[]): Tensor[] => hvp((xs: Tensor[]) => inner(f(...xs), weights), at, v)
      const [u, v] = [draw(1), draw(2)]
      const [one, other] = [inner(u, along(v)), inner(v, along(u))].map(x => x.toArray()[0])
      if (atSpecial && singular.has(op.name) && !Number.isFinite(one + other)) return
      expect(Math.abs(one - other)).toBeLessThanOrEqual(1e-9 * (1 + Math.abs(one)))
    })))
  })

  // A check that cannot fail proves nothing: each rule is broken in turn, and the check must notice.
  for (const position of positions) {
    for (const mutant of ['sign', 'factor', 'missing', 'reversed'] as const) {
      if (harmless[mutant]) continue
      it(`is caught when the derivative for input ${position} has a wrong ${mutant}`, () => {
        withMutant(op, position, mutant, () => {
          const property = fc.property(calls, make => scope(() => {
            const { f, at } = make()
            checkGrad((xs: Tensor[]) => f(...xs), at, { order: 1 })
          }))
          expect(fc.check(property, { numRuns: 60 }).failed).toBe(true)
        })
      })
    }
  }
})

describe('mixed second derivatives of two numbers', () => {
  const operations = { add, sub, mul, div, maximum, minimum, pow }
  it.each(Object.entries(operations))('agree in both orders at every special point: %s', (_, f) => {
    const points = special.flatMap(x => special.map(y => [x, y].map(v => tensor(v, { dtype: 'float64' }))))
    const value = (x: Tensor): string => x.toArray()[0].toFixed(12)
    const [one, other] = [
      points.map(([a, b]) => value(grad((y: Tensor) => grad((x: Tensor) => f(x, y))(a))(b))),
      points.map(([a, b]) => value(grad((x: Tensor) => grad((y: Tensor) => f(x, y))(b))(a))),
    ]
    expect(one).toEqual(other)
  })
})

describe.each(cases.filter(c => c.linear).map(c => [c.op.name, c] as const))('%s', (_, { calls }) => {
  it('is linear and its derivative is its adjoint', () => {
    fc.assert(fc.property(calls, make => scope(() => {
      const { f, at } = make()
      const other = at.map((x, i) => normal(foldIn(key(1), i), x.shape, { like: x }))
      const [y, pullback] = vjp((xs: Tensor[]) => f(...xs), at)
      const combined = f(...at.map((x, i) => add(mul(x, 3), other[i])))
      expectSmall(sub(combined, add(mul(y, 3), f(...other))))
      const u = normal(key(2), y.shape, { like: y })
      expectSmall(sub(inner(y, u), inner(at, pullback(u))))
    })))
  })
})

/** Operators that have singularities among the special points; `mixed second derivatives of two numbers` looks there. */
const singular = new Set(['div', 'pow', 'powDerivative', 'log', 'log1p', 'sqrt'])

function differentiable(op: Op<never>): number[] {
  return Array.isArray(op.vjp) ? op.vjp.flatMap((rule, i) => (rule ? [i] : [])) : [0]
}

function expectSmall(x: Tensor): void {
  for (const v of x.toArray()) expect(Math.abs(v)).toBeLessThan(1e-10)
}

const mutants: Record<Mutant, (g: Tensor) => Tensor> = {
  sign: g => mul(g, -1),
  factor: g => mul(g, 1.01),
  missing: g => zerosLike(g),
  reversed: g => tensor(g.toArray().reverse(), { shape: g.shape }),
}

/** Runs `fn` while the operator has a wrong rule. */
function withMutant(op: Op<never>, position: number, mutant: Mutant, fn: () => void): void {
  const mutable = op as { vjp: Op<never>['vjp'] }
  const right = op.vjp
  const wrong = (rule: DerivativeRule<never>): DerivativeRule<never> => ({
    uses: rule.uses,
    grad: (g, saved) => mutants[mutant](rule.grad(g, saved)),
  })
  mutable.vjp = typeof right === 'function'
    ? (i: number) => (i === position ? wrong(right(i)) : right(i))
    : right!.map((rule, i) => (rule && i === position ? wrong(rule) : rule))
  try {
    fn()
  } finally {
    mutable.vjp = right
  }
}
