// All cases.

import type { Case } from './case.ts'
import { elementwiseCases } from './elementwise.ts'
import { linearCases } from './linear.ts'
import { reduceCases } from './reduce.ts'
import { shapeCases } from './shape.ts'
import { spatialCases } from './spatial.ts'

export const cases: readonly Case[] = [
  ...elementwiseCases, ...linearCases, ...reduceCases, ...shapeCases, ...spatialCases,
]
