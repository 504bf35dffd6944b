/**
 * How good the models of Studio are: the figures of assets/studio/README.md, measured on examples that they were not trained on.
 *
 *   npx tsx reproduce/judge-studio-models.ts FOLDER-OF-DATA [digits | inside …]
 */
import { join } from 'node:path'
import {
  accuracy, argMax, classificationTask, cpu, equal, evaluate, examplesOf, imageToImageTask, iou, seenCells, takeRole,
  tensor, type Tensor,
} from '../src/index.ts'
import { readMnist, readModel } from '../src/node/index.ts'
import { classesOf, outline } from './lib/outlines.ts'

const backend = cpu({ threads: Number(process.env.CELLGRAD_THREADS || 1) })
const count = 200

const percent = (values: readonly number[]): string => (
  `${(100 * values.reduce((sum, v) => sum + v, 0) / values.length).toFixed(1)} %`)

/** Digits of the test set after 24 steps: the accuracy of cells, and of images by the vote of their cells. */
async function digits(data: string): Promise<void> {
  const { rule, params } = await readModel('assets/studio/digits.safetensors', { backend })
  const { images, labels } = await readMnist(join(data, 'mnist'), { train: false })
  const shown = { ...examplesOf(images.subarray(0, count * 784), [28, 28, 1]), labels: labels.subarray(0, count) }
  const task = classificationTask(rule, shown, { backend })
  for (const per of ['cell', 'image'] as const) {
    const right = await evaluate(rule, task, params, {
      steps: 24,
      measure: (x, ids) => accuracy(takeRole(rule, x, 'classes'), tensor(Int32Array.from(ids, id => labels[id]), { backend }), {
        mask: seenCells(rule, x), per,
      }),
    })
    console.log(`digits: right ${per}s ${percent(right)}`)
  }
}

/** Outlines beyond those of the training, after 40 steps: the accuracy of all cells, of those inside, and of whole outlines. */
async function inside(): Promise<void> {
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
}

const judges = { digits, inside }
const [data, ...names] = process.argv.slice(2)
for (const name of (names.length > 0 ? names : Object.keys(judges)) as (keyof typeof judges)[]) await judges[name](data)
