/**
 * Everything learned that a cell can perceive by, a line each: this list is what rules, files and tests know, and what
 * users import.
 */
export * from './depthwise.ts'
export * from './conv.ts'
export * from './residual-conv.ts'
export * from './attention.ts'
export * from './deformable.ts'
export * from './position.ts'
