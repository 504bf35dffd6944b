import {
  adam, defineRule, fit, foldIn, imageToTensor, init, initOptimiser, key, mean, mlp, mse, normalizeGrads, padImage,
  randint, rgba, rollout, seed, split, updateParams, valueAndGradAux,
} from 'cellgrad'
import type { Key, Params } from 'cellgrad'
import { emoji, saveGif } from 'cellgrad/node'

const rule = defineRule({
  channels: { rgba: 4, hidden: 12 },
  perceive: ['identity', 'sobelX', 'sobelY'],
  update: mlp(64),
  fireRate: 0.5,
  living: { channel: 3, above: 0.1 },
})
const target = imageToTensor(padImage(fit(await emoji('🦎'), 12), 4))      // [20,20,4]
const optimiser = adam({ rate: 2e-3 })
const start = seed(rule, { height: 20, width: 20, batch: 4 })              // [4,20,20,16]

const lossAndGrads = valueAndGradAux((params: Params<typeof rule>, k: Key) => {
  const [kLength, kFire] = split(k)
  const grown = rollout(rule, params, start, kFire, { steps: randint(kLength, 24, 36) })
  return [mean(mse(rgba(grown), target)), grown] as const
})

let params = init(rule, key(0))
let state = initOptimiser(optimiser, params)
const iterations = Number(process.argv[2] ?? 400)
for (let i = 0; i < iterations; i++) {
  const [[loss], grads] = lossAndGrads(params, foldIn(key(1), i))
  ;({ params, state } = updateParams(optimiser, state, params, normalizeGrads(grads)))
  if (i % 20 === 0) console.log(i, Math.log10(await loss.item()).toFixed(2))
}
await saveGif('lizard.gif', rule, params, { key: key(2), size: 20, steps: 60 })
