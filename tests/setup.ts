// Runs before every test file.
//
//     CELLGRAD_RUNS=1000 npx vitest run      more random cases per property than the usual 5, and 30 of long tests
//     CELLGRAD_SEED=-1819918769 npx vitest run tests/tensor   the seed that fast-check printed with a failure (see seed.ts)
//
// Every test is a scope, and after it the backend must hold what it held before: anything more has leaked from a
// tape or a transform. Memory is filled with NaN when it is allocated, so that a kernel that does not write all of its
// output, or a tensor that is read after its release, is noticed.

import fc from 'fast-check'
import { afterEach, beforeEach, expect } from 'vitest'
import { closeScope, openScope, type Scope } from '../src/tensor/lifetime.ts'
import { defaultBackend } from '../src/tensor/tensor.ts'
import { long } from './long.ts'
import { seed } from './seed.ts'
import './poison.ts'

const { CELLGRAD_RUNS } = process.env

fc.configureGlobal({ numRuns: Number(CELLGRAD_RUNS || (long ? 30 : 5)), seed })

let scope: Scope
let before: number

beforeEach(() => {
  before = defaultBackend.memory().buffers
  scope = openScope('the test')
})

afterEach(() => {
  closeScope(scope, new Set())
  // Tensors of the test file itself may be garbage-collected meanwhile, so the count may also fall.
  expect(defaultBackend.memory().buffers, 'buffers leaked by this test').toBeLessThanOrEqual(before)
})
