import * as cg from 'cellgrad'
import { emoji, saveGif } from 'cellgrad/node'

const rule = cg.defineRule({
  channels: { rgba: 4, hidden: 12 },
  perceive: ['identity', 'sobelX', 'sobelY'],
  update: cg.mlp(64),
  fireRate: 0.5,
  living: { channel: 3, above: 0.1 },
})
const target = cg.imageToTensor(cg.padImage(cg.fit(await emoji('🦎'), 12), 4))   // [20,20,4]
const start = cg.seed(rule, { height: 20, width: 20, batch: 4 })                 // [4,20,20,16]
const optimiser = cg.adam({ rate: 2e-3 })

const lossAndGrads = cg.valueAndGrad((params: cg.Params<typeof rule>, key: cg.Key) => {
  const [kLength, kFire] = cg.split(key)
  const grown = cg.rollout(rule, params, start, kFire, { steps: cg.drawInteger(kLength, 24, 36) })
  return cg.mean(cg.mse(cg.rgba(grown), target))
})

let params = cg.init(rule, cg.key(0))
let state = cg.initOptimiser(optimiser, params)
for (let i = 0; i < Number(process.argv[2] ?? 400); i++) {
  const [loss, grads] = lossAndGrads(params, cg.foldIn(cg.key(1), i))
  ;({ params, state } = cg.updateParams(optimiser, state, params, cg.normaliseGrads(grads)))
  if (i % 20 === 0) console.log(i, Math.log10(await loss.item()).toFixed(2))
}
await saveGif('lizard.gif', rule, params, { key: cg.key(2), size: 20, steps: 60 })
