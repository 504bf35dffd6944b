import { execFileSync } from 'node:child_process'
import { describe, expect, it } from 'vitest'
import { add, memory, mul, ones, reshape, scope, tensor, type Tensor } from '../../src/index.ts'
import { adopt, closeScope, openScope, release, resourcesIn, retain, supersede } from '../../src/tensor/lifetime.ts'
import { Storage } from '../../src/tensor/tensor.ts'
import { bundled } from '../bundled.ts'
import { long } from '../long.ts'
import { buffersAfter, f64, list, sentence } from './values.ts'

describe('scope', () => {
  it('releases everything but the tensors in the tree it returns', () => {
    const x = f64(1, 2)
    let kept!: { a: Tensor; b: [Tensor, { c: Tensor }]; x: Tensor; name: string }
    expect(buffersAfter(() => {
      kept = scope(() => {
        const [a, b, c] = [add(x, 1), mul(x, 2), mul(x, 3)]
        add(add(a, b), c)
        return { a, b: [b, { c }] as [Tensor, { c: Tensor }], x, name: 'tree' }
      })
    })).toBe(3)
    expect([list(kept.a), list(kept.b[0]), list(kept.b[1].c), list(kept.x)]).toEqual([[2, 3], [2, 4], [3, 6], [1, 2]])
  })

  it('hands its result to the scope around it', () => {
    let inner!: Tensor
    expect(buffersAfter(() => scope(() => {
      inner = scope(() => scope(() => f64(1)))
      expect(list(inner)).toEqual([1])
    }))).toBe(0)
    expect(inner.gone).not.toBeNull()
  })

  it('does not release what it did not make', () => {
    const x = f64(1)
    scope(() => { scope(() => { mul(x, 2) }) })
    expect(list(x)).toEqual([1])
  })

  it('may return one tensor several times', () => {
    const [a, { b }] = scope(() => { const y = f64(5); return [y, { b: y }] as const })
    expect(a).toBe(b)
    expect(list(a)).toEqual([5])
    expect(buffersAfter(() => scope(() => { const y = f64(5); return [y, [y]] }))).toBe(1)
  })

  it('releases everything if the function throws, and the scope around it stays usable', () => {
    expect(buffersAfter(() => {
      expect(() => scope(() => {
        f64(1)
        scope(() => { f64(2); throw new Error('within') })
      })).toThrow('within')
    })).toBe(0)
    expect(list(scope(() => f64(3)))).toEqual([3])
  })

  it('searches arrays and plain objects only', () => {
    const { map } = scope(() => ({ map: new Map([['x', f64(1)]]) }))
    expect(sentence(() => map.get('x')!.toArray())).toMatchInlineSnapshot(
      `"tensor tensor#n [1] was released when scope() returned; return it to keep it"`,
    )
  })

  it('refuses asynchronous functions, whose later errors are ignored', async () => {
    let late: unknown
    const before = memory().buffers
    expect(sentence(() => scope(async () => {
      const x = f64(1)
      await Promise.resolve()
      try {
        mul(x, 2)
      } catch (error) {
        late = error
        throw error
      }
    }))).toMatchInlineSnapshot(
      `"scope(): the function returned a Promise. It must be synchronous: what it computes after an await would be neither recorded nor released. Await data outside and pass it in."`,
    )
    await new Promise(resolve => setTimeout(resolve, 0))
    expect(String(late)).toContain('was released when scope() returned')
    expect(memory().buffers - before).toBeLessThanOrEqual(1) // the operand 2, which that function made outside of its scope
  })

  it('closes in the reverse of the order of opening', () => {
    const outer = openScope('outer')
    const inner = openScope('inner')
    expect(sentence(() => closeScope(outer, new Set()))).toMatchInlineSnapshot(
      `"outer: scopes must close in the reverse of the order they opened in."`,
    )
    closeScope(inner, new Set())
    closeScope(outer, new Set())
  })
})

describe('a tensor used too late', () => {
  it('says why it is gone', () => {
    let x!: Tensor
    scope(() => { x = f64(1, 2) })
    expect(sentence(() => add(x, 1))).toMatchInlineSnapshot(
      `"tensor tensor#n [2] was released when scope() returned; return it to keep it"`,
    )
    expect(sentence(() => x.toArray())).toMatchInlineSnapshot(
      `"tensor tensor#n [2] was released when scope() returned; return it to keep it"`,
    )
    expect(sentence(() => reshape(x, [2, 1]))).toMatchInlineSnapshot(
      `"tensor tensor#n [2] was released when scope() returned; return it to keep it"`,
    )
  })

  it('says so asynchronously too', async () => {
    const x = f64(1)
    supersede(x, null, 'was replaced')
    await expect(x.data()).rejects.toThrow(/^tensor tensor#\d+ \[1\] was replaced$/)
    await expect(x.item()).rejects.toThrow('was replaced')
  })
})

describe('views', () => {
  it('share one buffer, which lives until the last of them is gone, and is freed once', () => {
    expect(buffersAfter(() => {
      const view = scope(() => reshape(reshape(f64(1, 2, 3, 4), [2, 2]), [4, 1]))
      expect(memory().buffers).toBeGreaterThan(0)
      expect([list(view), view.shape]).toEqual([[1, 2, 3, 4], [4, 1]])
      const [left, right] = [reshape(view, [1, 4]), reshape(view, [4])]
      supersede(view, null, 'was dropped')
      supersede(left, null, 'was dropped')
      expect(list(right)).toEqual([1, 2, 3, 4])
      expect(sentence(() => left.toArray())).toContain('was dropped')
      supersede(right, null, 'was dropped')
    })).toBe(0)
  })
})

describe('owners', () => {
  it('each release once; the memory is freed with the last', () => {
    const x = f64(1)
    const before = memory().buffers
    retain(x)
    retain(x)
    supersede(x, null, 'was dropped')
    expect(list(x)).toEqual([1])
    release(x, 'was let go')
    expect(list(x)).toEqual([1])
    release(x, 'was let go')
    expect(memory().buffers).toBe(before - 1)
    expect(x.gone).toBe('was let go')
  })

  it('may own it again while there is another owner', () => {
    expect(buffersAfter(() => {
      const x = f64(1)
      retain(x)
      supersede(x, null, 'was dropped')
      scope(() => adopt(x))
      expect(list(x)).toEqual([1])
      release(x, 'was let go')
    })).toBe(0)
  })

  it('cannot own it again after the last has released it', () => {
    const x = f64(1)
    supersede(x, null, 'was dropped')
    expect(sentence(() => retain(x))).toMatchInlineSnapshot(`"tensor tensor#n [1] was dropped"`)
  })

  it('of a storage that is dropped too often do not free it twice', () => {
    let frees = 0
    const storage = new Storage({ free: () => { frees++ } } as never, {})
    storage.drop()
    storage.drop()
    expect(frees).toBe(1)
  })
})

describe('supersede', () => {
  it('releases what the old tree holds and the new one does not', () => {
    const [shared, dropped] = [f64(1), f64(2)]
    expect(buffersAfter(() => supersede({ shared, list: [dropped] }, [shared], 'was replaced'))).toBe(-1)
    expect(list(shared)).toEqual([1])
    expect(sentence(() => dropped.toArray())).toMatchInlineSnapshot(`"tensor tensor#n [1] was replaced"`)
  })

  it('does nothing the second time', () => {
    const x = f64(1)
    supersede([x, x], null, 'was replaced')
    expect(buffersAfter(() => supersede(x, null, 'was replaced again'))).toBe(0)
    expect(sentence(() => x.toArray())).toContain('was replaced')
  })

  it('touches only what the running scope owns', () => {
    const x = f64(1)
    scope(() => supersede(x, null, 'was replaced'))
    expect(list(x)).toEqual([1])
    const y = scope(() => f64(2))
    supersede(y, null, 'was replaced')
    expect(y.gone).toBe('was replaced')
  })

  it('keeps a view of what it releases', () => {
    const x = f64(1, 2)
    const view = reshape(x, [2, 1])
    supersede(x, view, 'was replaced')
    expect(list(view)).toEqual([1, 2])
  })
})

describe('resourcesIn', () => {
  it('finds tensors wherever a tree holds them, each once', () => {
    const [a, b] = [tensor(1), ones([2])]
    expect(resourcesIn({ a, list: [b, { a }], n: 1, f: () => 0, none: null })).toEqual(new Set([a, b]))
  })
})

/** The numbers that a program prints. */
function runJson(...args: string[]): number[] {
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as number[]
}

describe('eager code', () => {
  it('frees its memory when JavaScript collects its tensors', () => {
    const output = execFileSync(process.execPath, ['--expose-gc', bundled('tests/tensor/collected.ts')], { encoding: 'utf8' })
    expect(JSON.parse(output)).toEqual({
      'a thousand tensors': 0,
      'two views of one buffer, one of them dropped': 1,
      'and its values': [1, 2, 3],
      'both views dropped': 0,
      'a pullback and what it keeps': 1,
      'the pullback dropped': 0,
      'superseded, then returned by a pullback, then dropped, with a view kept': 1,
      'and the values of the view': [5, 6, 7],
      'all dropped': 0,
    })
  })

  // On the CPU, 3,000 iterations leave 400 MB that nothing holds any more. On a GPU it is more, for every operator has a
  // buffer, so that fewer iterations show a leak as well. On a software adapter 20,000 take minutes, and with 100×100 numbers
  // twice as many; 20×20 are enough, since the rest after 20,000 is counted to the byte.
  it.each([...(long ? [['cpu', 'reads']] : []), ['cpu', 'never'], ['webgpu', 'reads']])('leaves memory flat in a loop by hand: %s, %s', (where, reads) => {
    const iterations = long ? 20_000 : where === 'cpu' ? 3000 : 200
    const side = long && where === 'webgpu' ? 20 : 100
    const [early, , late, counted] = runJson(bundled('tests/tensor/hand-written-loop.ts'), where, String(iterations), reads, String(side))
    expect(late - early).toBeLessThan(long && reads === 'never' ? 250 : 150)
    if (reads === 'reads') expect(counted).toBeLessThan(150 * (side / 100) ** 2)
  }, 1_200_000)
})
