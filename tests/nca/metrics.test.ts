// The metrics, against counts and sums made by hand, and against their definitions written out in plain loops.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  accuracy, add, argMax, auroc, broadcastTo, cast, dice, exp, f1, foldIn, full, grad, greater, iou, key, mse, mul, not,
  psnr, recovery, recoveryProtocol, reshape, ssim, sub, sum, tensor, totalAgreement, uniform, zeros, type DType, type Key, type Shape,
  type Tensor,
} from '../../src/index.ts'
import { build, entries } from '../tensor/arrays.ts'
import { expectClose, f64, list, sentence } from '../tensor/values.ts'

const small = fc.integer({ min: 1, max: 4 })
const keys = fc.nat(1e6).map(key)
const draw = (k: Key, shape: Shape, dtype: DType = 'float64'): Tensor => uniform(k, shape, { dtype })
const whole = (k: Key, shape: Shape, n: number, dtype: DType = 'int32'): Tensor => cast(mul(draw(k, shape, 'float32'), n), dtype)
const mask = (...values: number[]): Tensor => tensor(Uint32Array.from(values), { shape: [1, values.length] })
const ints = (...values: number[]): Tensor => tensor(Int32Array.from(values))
const samples = (x: Tensor): number[][] => {
  const values = list(x)
  const size = values.length / x.shape[0]
  return Array.from({ length: x.shape[0] }, (_, i) => values.slice(i * size, (i + 1) * size))
}

describe('dice and iou', () => {
  it('count cells', () => {
    expect(list(dice(mask(1, 1, 1, 0), mask(0, 1, 1, 1)))).toEqual([Math.fround(2 / 3)])
    expect(list(iou(mask(1, 1, 1, 0), mask(0, 1, 1, 1)))).toEqual([0.5])
    for (const metric of [dice, iou]) {
      expect(list(metric(mask(0, 0), mask(0, 0)))).toEqual([1])
      expect(list(metric(mask(0, 1), mask(0, 0)))).toEqual([0])
      expect(list(metric(mask(255, 0, 7), mask(1, 0, 3)))).toEqual([1])
    }
  })

  it('agree with their definition for sets: symmetric, at most 1, and 1 only for equal ones', () => {
    fc.assert(fc.property(keys, small, small, small, fc.integer({ min: 1, max: 3 }), (k, b, h, w, most) => {
      const [x, y] = [0, 1].map(n => whole(foldIn(k, n), [b, h, w], most + 1, 'uint32'))
      const [d, j] = [dice(x, y), iou(x, y)]
      expect([list(dice(y, x)), list(iou(y, x))]).toEqual([list(d), list(j)])
      samples(x).forEach((xs, s) => {
        const [a, c] = [xs, samples(y)[s]].map(v => new Set(v.flatMap((value, i) => (value === 0 ? [] : [i]))))
        const both = [...a].filter(i => c.has(i)).length
        const either = new Set([...a, ...c]).size
        expect(list(d)[s]).toBe(either === 0 ? 1 : Math.fround((2 * both) / (a.size + c.size)))
        expect(list(j)[s]).toBe(either === 0 ? 1 : Math.fround(both / either))
        expect(list(d)[s] === 1).toBe(both === either)
        expect(Math.max(list(d)[s], list(j)[s])).toBeLessThanOrEqual(1)
      })
      expectClose(j, list(d).map(v => v / (2 - v)), 1e-6)
    }))
  })

  it('refuse probabilities as masks', () => {
    expect([
      () => dice(zeros([1, 4]), mask(1, 0, 1, 1)),
      () => iou(mask(1, 0), mask(1, 0, 1)),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "dice: x is float32, but must be uint32, 0 or 1. Comparisons make one: greater(x, 0.5).",
        "iou: the target must be [1,2]; mask [1,3].",
      ]
    `)
  })
})

describe('accuracy', () => {
  it('is the fraction of cells with the greatest score at the right class', () => {
    const scores = tensor([[[0.1, 0.9], [0.8, 0.2], [0.5, 0.5]]])
    expect(list(accuracy(scores, ints(1)))).toEqual([Math.fround(1 / 3)])
    expect(list(accuracy(scores, tensor([[1, 0, 0]], { dtype: 'int32' })))).toEqual([1])
    expect(list(accuracy(scores, ints(1), { mask: mask(1, 0, 1) }))).toEqual([0.5])
    expect(list(accuracy(scores, ints(1), { mask: mask(0, 0, 0) }))).toEqual([1])
  })

  it('agrees with counting', () => {
    fc.assert(fc.property(keys, small, small, small, fc.boolean(), fc.constantFrom('int32', 'uint32'), (k, b, h, n, masked, dtype) => {
      const lead = [b, h, 3]
      const scores = draw(k, [...lead, n])
      const labels = whole(foldIn(k, 1), lead, n, dtype)
      const counted = masked ? whole(foldIn(k, 2), lead, 2, 'uint32') : undefined
      const at = entries(scores)
      const expected = samples(labels).map((own, s) => {
        const hits = own.flatMap((label, i) => {
          if (counted && samples(counted)[s][i] === 0) return []
          const own = Array.from({ length: n }, (_, c) => at([s, Math.floor(i / 3), i % 3, c]))
          return [+own.every(v => v <= own[label])]
        })
        return hits.length === 0 ? 1 : hits.reduce((a, c) => a + c) / hits.length
      })
      expectClose(accuracy(scores, labels, { mask: counted }), expected, 1e-6)
    }))
  })

  it('says what does not fit', () => {
    const scores = zeros([2, 4, 4, 3])
    expect([
      () => accuracy(scores, zeros([2])),
      () => accuracy(scores, ints(1, 2, 0)),
      () => accuracy(scores, ints(1, 2), { mask: mask(1, 0) }),
      () => accuracy(scores, [1, 2] as never),
      () => accuracy(zeros([4]), ints(1)),
      () => accuracy(scores, ints(1, 3)),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "accuracy: labels are float32, but must be int32 or uint32.",
        "accuracy: the shape of int32 labels must be [b] or that of the cells; scores [2,4,4,3], labels [3].",
        "accuracy: the mask must be [2,4,4]; mask [1,2].",
        "accuracy: the tensor of labels is a Array, expected a tensor.",
        "accuracy: the tensor of scores must be [b,…,n] for n classes; scores [4].",
        "accuracy: a label is 3, expected the number of a class, from 0 to 2.",
      ]
    `)
  })
})

describe('totalAgreement', () => {
  it('is 1 if all cells that count predict the same class, right or wrong, by loops', () => {
    fc.assert(fc.property(keys, small, small, fc.integer({ min: 1, max: 3 }), fc.boolean(), (k, b, cells, n, masked) => {
      const scores = whole(foldIn(k, 0), [b, 1, cells, n], 2, 'float32')
      const seen = masked ? whole(foldIn(k, 1), [b, 1, cells], 2, 'uint32') : undefined
      const said = samples(argMax(scores)), counts = seen ? samples(seen) : said.map(row => row.map(() => 1))
      const expected = said.map((row, i) => +(new Set(row.filter((_, j) => counts[i][j] !== 0)).size <= 1))
      expect(list(totalAgreement(scores, { mask: seen }))).toEqual(expected)
    }))
  })

  it('is 0 with a NaN', () => {
    const scores = (a: number): Tensor => tensor([[[[a, 1], [0, 1]]]])
    expect([0, NaN].map(a => list(totalAgreement(scores(a)))[0])).toEqual([1, 0])
    expect(list(totalAgreement(tensor([[[[NaN, 1], [NaN, 1]]]])))).toEqual([0])
    expect(list(totalAgreement(scores(NaN), { mask: tensor(Uint32Array.of(0, 1), { shape: [1, 1, 2] }) }))).toEqual([1])
    expect(() => totalAgreement(zeros([2]))).toThrow('totalAgreement: the tensor of scores must be [b,…,n] for n classes; scores [2].')
    expect(() => totalAgreement(zeros([2, 3]), { mask: zeros([2]) })).toThrow(/^totalAgreement: the mask is float32/)
  })
})

describe('f1', () => {
  it('is the harmonic mean of precision and recall, of each class', () => {
    // Class 0: precision 2/3, recall 1. Class 1: precision 1, recall 1/2. Class 2: all right. Class 3: nowhere.
    expectClose(f1(ints(0, 0, 0, 1, 2), ints(0, 0, 1, 1, 2), 4), [0.8, 2 / 3, 1, 1], 1e-6)
    expectClose(f1(ints(0, 0, 0, 1, 2), ints(0, 0, 1, 1, 2), 4, { mask: reshape(mask(1, 1, 0, 1, 1), [5]) }), [1, 1, 1, 1])
    fc.assert(fc.property(keys, small, small, fc.boolean(), (k, b, n, masked) => {
      const [predicted, labels] = [0, 1].map(i => whole(foldIn(k, i), [b, 5], n))
      const counted = masked ? whole(foldIn(k, 2), [b, 5], 2, 'uint32') : undefined
      const pairs = list(predicted).map((p, i) => [p, list(labels)[i]]).filter((_, i) => !counted || list(counted)[i] === 1)
      const expected = Array.from({ length: n }, (_, c) => {
        const hits = pairs.filter(([p, l]) => p === c && l === c).length
        const precision = hits / pairs.filter(([p]) => p === c).length
        const recall = hits / pairs.filter(([, l]) => l === c).length
        if (Number.isNaN(precision) && Number.isNaN(recall)) return 1
        return hits === 0 ? 0 : (2 * precision * recall) / (precision + recall)
      })
      expectClose(f1(predicted, labels, n, { mask: counted }), expected, 1e-6)
      // Perfect predictions are perfect in all classes.
      const scores = draw(k, [b, 5, n])
      expect(list(f1(argMax(scores), argMax(scores), n))).toEqual(new Array(n).fill(1))
    }))
  })

  it('does not read labels of cells that do not count', () => {
    const counts = reshape(mask(1, 0, 1), [3])
    expect(list(f1(ints(0, 0, 1), ints(0, 7, 1), 2, { mask: counts }))).toEqual([1, 1])
  })

  it('says what does not fit', () => {
    expect([
      () => f1(zeros([3]), ints(0, 1, 2), 3),
      () => f1(ints(0, 1), ints(0, 1, 2), 3),
      () => f1(ints(0, 1), ints(0, 1), 0),
      () => f1(ints(0, 1), ints(0, 1), 2, { mask: mask(1, 0) }),
      () => f1(ints(0, 1), ints(0, 2), 2),
      () => f1(ints(0, 1), ints(0, -1), 2),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "f1: predicted is float32, but must be int32 or uint32.",
        "f1: every prediction needs a label; predicted [2], labels [3].",
        "f1: the number of classes is 0, expected a whole number > 0.",
        "f1: the mask must be [2]; mask [1,2].",
        "f1: a label is 2, expected the number of a class, from 0 to 1.",
        "f1: a label is -1, expected the number of a class, from 0 to 1.",
      ]
    `)
  })
})

describe('a NaN among the scores', () => {
  const spoilt = fc.record({ k: keys, b: small, n: small, at: fc.array(fc.nat(63), { minLength: 1, maxLength: 9 }) })
    .map(({ k, b, n, at }) => {
      const clean = list(draw(k, [b, 4, n], 'float32'))
      for (const i of at) clean[i % clean.length] = NaN
      return { k, b, n, scores: tensor(clean, { shape: [b, 4, n] }) }
    })

  it('makes a cell wrong and of no class', () => {
    expect(list(accuracy(full([1, 2, 3], NaN), ints(0)))).toEqual([0])
    fc.assert(fc.property(spoilt, ({ k, b, n, scores }) => {
      const labels = whole(k, [b, 4], n)
      const bad = samples(reshape(scores, [-1, n])).map(cell => cell.some(Number.isNaN))
      // As if the scores had been finite, and for another class.
      const instead = tensor(list(argMax(scores)).map((c, i) => (bad[i] ? -1 : c)), { dtype: 'int32', shape: [b, 4] })
      expect(list(argMax(scores))).toEqual(list(instead))
      expect(list(accuracy(scores, labels))).toEqual(samples(labels).map((own, s) =>
        own.filter((label, i) => label === samples(instead)[s][i]).length / 4))
      list(f1(argMax(scores), labels, n)).forEach((value, c) => {
        const [said, are] = [instead, labels].map(x => list(x).flatMap((v, i) => (v === c ? [i] : [])))
        const hits = said.filter(i => are.includes(i)).length
        expect(value).toBeCloseTo(said.length + are.length === 0 ? 1 : 2 * hits / (said.length + are.length), 6)
        expect(said.some(i => bad[i])).toBe(false)
      })
    }))
  })

  it('makes the area NaN', () => {
    fc.assert(fc.property(keys, fc.nat(7), (k, at) => {
      const scores = list(draw(k, [2, 4], 'float32')).with(at, NaN)
      const positive = tensor(new Uint32Array([1, 0, 1, 0, 0, 1, 0, 1]), { shape: [2, 4] })
      const areas = list(auroc(tensor(scores, { shape: [2, 4] }), positive))
      expect(areas.map(Number.isNaN)).toEqual([at < 4, at >= 4])
    }))
  })
})

describe('auroc', () => {
  const few = fc.integer({ min: 0, max: 4 }).map(v => v / 4)
  const scored = fc.array(fc.tuple(few, fc.nat(1)), { minLength: 2, maxLength: 12 })
    .filter(pairs => new Set(pairs.map(([, positive]) => positive)).size === 2)

  it('is 1, ½ or 0 where it must be', () => {
    const positive = reshape(mask(0, 0, 1, 1), [4])
    const of = (...scores: number[]): number => list(auroc(tensor(scores), positive))[0]
    expect([of(1, 2, 3, 4), of(4, 3, 2, 1), of(5, 5, 5, 5), of(1, 3, 2, 4), of(1, 2, 2, 3)]).toEqual([1, 0, 0.5, 0.75, 0.875])
    expect(list(auroc(tensor([1, 2]), tensor(new Uint32Array([1, 1]))))).toEqual([NaN])
    expect(list(auroc(tensor([1, 2]), tensor(new Uint32Array([0, 0]))))).toEqual([NaN])
  })

  it('is the fraction of pairs in the right order, ties half', () => {
    fc.assert(fc.property(scored, fc.integer({ min: 1, max: 3 }), (pairs, copies) => {
      const scores = f64(...pairs.map(([score]) => score))
      const positive = tensor(Uint32Array.from(pairs, ([, is]) => is))
      const [ups, downs] = [1, 0].map(is => pairs.filter(pair => pair[1] === is).map(([score]) => score))
      const wins = ups.flatMap(u => downs.map((d): number => (u > d ? 1 : u === d ? 0.5 : 0)))
      const expected = wins.reduce((a, b) => a + b) / wins.length
      expectClose(auroc(scores, positive), [expected], 1e-6)
      // A batch of copies, and any other number for true.
      const rows = (x: Tensor): Tensor => broadcastTo(x, [copies, pairs.length])
      expectClose(auroc(rows(scores), mul(rows(positive), 7)), new Array(copies).fill(expected), 1e-6)
      // Monotone maps keep it, a decreasing one and the exchange of the classes turn it round.
      expect(list(auroc(exp(mul(scores, 3)), positive))).toEqual(list(auroc(scores, positive)))
      expectClose(auroc(mul(scores, -1), positive), [1 - expected], 1e-6)
      expectClose(auroc(scores, not(positive)), [1 - expected], 1e-6)
    }))
  })

  it('is exact for many scores and few positives', () => {
    const n = 20_000
    const scores = draw(key(1), [n], 'float32')
    const positive = greater(draw(key(2), [n], 'float32'), 0.9995)
    const [s, p] = [list(scores), list(positive)]
    const ups = s.filter((_, i) => p[i] === 1)
    const downs = s.filter((_, i) => p[i] === 0)
    const wins = ups.reduce((total, u) => total + downs.reduce((sum, d) => sum + (u > d ? 1 : u === d ? 0.5 : 0), 0), 0)
    expect(ups.length).toBeGreaterThan(3)
    expectClose(auroc(scores, positive), [wins / ups.length / downs.length], 2e-7)
  })

  it('says what does not fit', () => {
    expect([
      () => auroc(zeros([3]), zeros([3])),
      () => auroc(zeros([3]), mask(1, 0, 1)),
      () => auroc(ints(1, 2), mask(1, 0)),
      () => auroc(zeros([]), zeros([], { dtype: 'uint32' })),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "auroc: the mask of positives is float32, but must be uint32, 0 or 1. Comparisons make one: greater(x, 0.5).",
        "auroc: the mask of positives must be [3]; mask [1,3].",
        "auroc: the tensor of scores is int32, but must be float32 or float64.",
        "auroc: the scores must be [n] or […,n]; scores [].",
      ]
    `)
  })
})

describe('psnr', () => {
  it('is 20 for errors of a tenth of the range, and 100 for equal images', () => {
    const x = draw(key(0), [2, 3, 3, 4])
    expectClose(psnr(x, add(x, 0.1)), [20, 20])
    expectClose(psnr(mul(x, 255), add(mul(x, 255), 2.55), { range: 255 }), [40, 40])
    expectClose(psnr(x, x), [100, 100])
    expectClose(psnr(x, add(x, 1e-9), { range: 5 }), [100, 100])
    expect(list(grad((y: Tensor) => sum(psnr(y, x)))(x)).every(g => g === 0)).toBe(true)
    fc.assert(fc.property(keys, k => {
      const [y, z] = [draw(k, [2, 3, 3, 1]), draw(foldIn(k, 1), [3, 3, 1])]
      expectClose(psnr(y, z, { range: 2 }), list(mse(y, z)).map(v => 10 * Math.log10(4 / v)))
    }))
  })

  it('says what does not fit', () => {
    expect([
      () => psnr(zeros([1, 4, 4, 3]), zeros([4, 4, 4])),
      () => psnr(zeros([1, 4, 4, 3], { dtype: 'uint32' }), zeros([4, 4, 3], { dtype: 'uint32' })),
      () => ssim(zeros([1, 4, 4, 3]), zeros([4, 4, 3])),
      () => ssim(zeros([16, 16, 3]), zeros([16, 16, 3])),
      () => ssim(zeros([1, 16, 16, 3]), zeros([16, 16, 3]), { range: 0 }),
      () => ssim(zeros([1, 16, 16, 3]), zeros([16, 16, 3]), { window: 7 } as never),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "psnr: the target does not have the shape of x or of one of its samples; x [1,4,4,3], target [4,4,4].",
        "psnr: x is uint32, but must be float32 or float64.",
        "ssim: x must be [b,h,w,c] with at least 11×11 cells; x [1,4,4,3].",
        "ssim: x must be [b,h,w,c] with at least 11×11 cells; x [16,16,3].",
        "ssim: range is 0, expected a number > 0.",
        "ssim: there is no option "window"; there are range.",
      ]
    `)
  })
})

describe('ssim', () => {
  /** The definition, window by window, with all 121 weights, and variances as means of squared differences. */
  function naive(x: Tensor, y: Tensor, sample: number, range: number): number {
    const [a, b] = [entries(x), entries(y)]
    const [, h, w, c] = x.shape
    const weights = Array.from({ length: 121 }, (_, i) => Math.exp(-((Math.floor(i / 11) - 5) ** 2 + (i % 11 - 5) ** 2) / (2 * 1.5 * 1.5)))
    const total = weights.reduce((sum, v) => sum + v)
    const expected = (f: (i: number) => number): number => weights.reduce((sum, weight, i) => sum + (weight / total) * f(i), 0)
    const values: number[] = []
    for (let top = 0; top + 11 <= h; top++) {
      for (let left = 0; left + 11 <= w; left++) {
        for (let j = 0; j < c; j++) {
          const place = (i: number): number[] => [sample, top + Math.floor(i / 11), left + i % 11, j]
          const [mx, my] = [a, b].map(at => expected(i => at(place(i))))
          const [vx, vy] = [expected(i => (a(place(i)) - mx) ** 2), expected(i => (b(place(i)) - my) ** 2)]
          const both = expected(i => (a(place(i)) - mx) * (b(place(i)) - my))
          const [c1, c2] = [(0.01 * range) ** 2, (0.03 * range) ** 2]
          values.push(((2 * mx * my + c1) * (2 * both + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2)))
        }
      }
    }
    return values.reduce((sum, v) => sum + v) / values.length
  }

  it('agrees with the definition, window by window', () => {
    const side = fc.integer({ min: 11, max: 14 })
    fc.assert(fc.property(keys, side, side, fc.integer({ min: 1, max: 2 }), fc.constantFrom(1, 255), (k, h, w, c, range) => {
      const x = mul(draw(k, [2, h, w, c]), range)
      const y = mul(add(mul(draw(foldIn(k, 1), [2, h, w, c]), 0.5), mul(x, 0.5 / range)), range)
      expectClose(ssim(x, y, { range }), [0, 1].map(s => naive(x, y, s, range)), 1e-9)
    }), { numRuns: 5 })
  })

  it('is symmetric, 1 for equal images and −1 at least, and falls with noise', () => {
    fc.assert(fc.property(keys, k => {
      const [x, noise] = [0, 1].map(n => draw(foldIn(k, n), [2, 12, 13, 2]))
      expectClose(ssim(x, x), [1, 1])
      expectClose(ssim(x, noise), ssim(noise, x))
      expectClose(ssim(mul(x, 10), mul(noise, 10), { range: 10 }), ssim(x, noise), 1e-9)
      const values = [0, 0.1, 0.3, 1].map(level => list(ssim(x, add(x, mul(level, sub(noise, 0.5)))))[0])
      expect(values.toSorted((a, b) => b - a)).toEqual(values)
      // The negative image: as bright, but the opposite structure.
      for (const v of list(ssim(x, sub(1, x)))) expect(v >= -1 && v < -0.5).toBe(true)
    }), { numRuns: 10 })
    // Two flat images: only the brightness differs.
    const flat = (value: number): Tensor => build([1, 11, 11, 1], () => value)
    expectClose(ssim(flat(0.2), flat(0.6)), [(2 * 0.12 + 1e-4) / (0.04 + 0.36 + 1e-4)])
  })
})

describe('recovery', () => {
  it('is the share of the damage that was repaired, in percent, for measures of which less or more is better', () => {
    const of = (before: number, damaged: number, final: number): number => list(recovery(f64(before), f64(damaged), f64(final)))[0]
    expect([of(0.9, 0.4, 0.9), of(0.9, 0.4, 0.4), of(0.75, 0.25, 0.5), of(0.75, 0.25, 1), of(0.75, 0.25, 0)]).toEqual([100, 0, 50, 150, -50])
    // Losses.
    expect([of(0, 0.5, 0), of(0, 0.5, 0.125), of(0, 0.5, 1)]).toEqual([100, 75, -100])
    expect(recoveryProtocol).toEqual({ perturb: 149, judge: 449 })
    fc.assert(fc.property(keys, fc.double({ min: 0.1, max: 9, noNaN: true }), fc.boolean(), (k, unit, turned) => {
      const [before, damaged, final] = [0, 1, 2].map(n => draw(foldIn(k, n), [4]))
      const other = [before, damaged, final].map(m => add(mul(m, turned ? -unit : unit), 3)) as [Tensor, Tensor, Tensor]
      const expected = recovery(before, damaged, final)
      list(recovery(...other)).forEach((v, i) => expect(v / list(expected)[i]).toBeCloseTo(1, 8))
    }))
  })

  it('says what does not fit', () => {
    expect([
      () => recovery(zeros([2]), zeros([2]), zeros([3])),
      () => recovery(zeros([2]), 0.5 as never, zeros([2])),
    ].map(sentence)).toMatchInlineSnapshot(`
      [
        "recovery: shapes differ; before [2], damaged [2], final [3].",
        "recovery: damaged is 0.5, expected a tensor.",
      ]
    `)
  })
})
