/** What the WebAssembly module exports. */
export { product, productTN, settle } from './matrix'
export { activate, activateBack, sumRows } from './activation'
export { attend, attendBack, normalise } from './attention'
export { and, andNot, dilate, fill, list, or, strong, strongAfter } from './bits'
export { bind, bindBack } from './bounds'
export { aim, deform, deformBack } from './deformable'
export { fire } from './fire'
export { give, take } from './given'
export { disturb } from './noise'
export { norm } from './norm'
export {
  addRows, copyPairs, copyRows, erase, gather, grow, loadRows, perceive, perceiveBack, perceiveWeights, put, storeRows,
  zero,
} from './cells'
export { addWindows, windows } from './windows'
export { depthwise, depthwiseBack, depthwiseWeights } from './depthwise'
export { exp, sigmoid, sqrt } from './functions'
export { ranks, winningTaps } from './pool'
export { combine, select } from './elements'
