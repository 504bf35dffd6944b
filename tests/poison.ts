// Fills the memory of the default backend with NaN, when it is allocated and when it is released. This is a module of its
// own because setup.ts runs once for each test file, and this once for each process.

import type { Data } from '../src/backends/backend.ts'
import { defaultBackend } from '../src/tensor/tensor.ts'

const { alloc, free } = defaultBackend
defaultBackend.alloc = spec => {
  const handle = alloc(spec)
  ;(handle as Data).fill(NaN)
  return handle
}
defaultBackend.free = handle => {
  ;(handle as Data).fill(NaN)
  free(handle)
}
