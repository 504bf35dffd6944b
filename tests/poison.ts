// Fills the memory of the default backend with NaN, when it is handed out and when it is given back. In a module of its
// own, because setup.ts runs once for each test file, and this once for each process.

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
