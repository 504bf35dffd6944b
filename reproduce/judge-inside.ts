/**
 * How good the segmentation of Studio is: the figures of assets/studio/README.md, measured on outlines it was not trained on.
 *
 *   npx tsx reproduce/judge-inside.ts
 */
import { accuracy, argMax, cpu, equal, evaluate, imageToImageTask, iou, takeRole, tensor, type Tensor } from '../src/index.ts'
import { readModel } from '../src/node/index.ts'
import { classesOf, outline } from './lib/outlines.ts'

const backend = cpu({ threads: Number(process.env.CELLGRAD_THREADS || 1) })
const count = 200

const percent = (values: readonly number[]): string => (
  `${(100 * values.reduce((sum, v) => sum + v, 0) / values.length).toFixed(1)} %`)

// Outlines beyond those of the training, after 40 steps: the accuracy of all cells, of those inside, and of whole outlines.
const size = 28, first = 4000
const { rule, params } = await readModel('assets/studio/inside.safetensors', { backend })
const inputs = { n: count, shape: [size, size, 1], of: (i: number) => outline(first + i, size) }
const task = imageToImageTask(rule, { inputs, outputs: { ...inputs, shape: [size, size, 3], of: () => new Float32Array(3 * size * size) } }, {
  input: 'image', output: 'classes', backend,
})
const truth = (ids: readonly number[]): Tensor => (
  tensor(Int32Array.from(ids.flatMap(id => [...classesOf(outline(first + id, size), size)])), { shape: [ids.length, size, size], backend }))
const judge = (measure: (scores: Tensor, labels: Tensor) => Tensor): Promise<number[]> => evaluate(rule, task, params, {
  steps: 40, measure: (x, ids) => measure(takeRole(rule, x, 'classes'), truth(ids)),
})
const cells = await judge((scores, labels) => accuracy(scores, labels))
console.log(`inside: right cells ${percent(cells)}, wholly right outlines ${cells.filter(share => share === 1).length} of ${count}`)
const within = await judge((scores, labels) => accuracy(scores, labels, { mask: equal(labels, 2) }))
const filled = Array.from({ length: count }, (_, i) => i).filter(i => classesOf(outline(first + i, size), size).includes(2))
console.log(`inside: right cells inside ${percent(filled.map(i => within[i]))}, in the ${filled.length} outlines that have an inside`)
const shared = await judge((scores, labels) => iou(equal(argMax(scores), 2), equal(labels, 2)))
console.log(`inside: intersection over union ${percent(filled.map(i => shared[i]))} in these`)
