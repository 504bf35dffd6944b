/**
 * All learned perceptions, one line each. Rules, files and tests know exactly these, and users import them from here.
 */
export * from './depthwise.ts'
export * from './conv.ts'
export * from './residual-conv.ts'
export * from './attention.ts'
export * from './deformable.ts'
export * from './position.ts'
