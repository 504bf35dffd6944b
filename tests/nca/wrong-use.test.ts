// The errors for describing, running or training automata wrongly: what, where, got, expected.

import { expect, it } from 'vitest'
import * as cg from '../../src/index.ts'
import { oneOf } from '../../src/backends/options.ts'
import { kinds } from '../../src/nca/perceptions/kinds.ts'
import { sentence } from '../tensor/values.ts'

// As JavaScript sees it: nothing has a type.
const lib = cg as unknown as Record<string, (...args: unknown[]) => never>
const { growingRule, key, ones, presets, tensor, zeros } = cg

/** The sentences of calls, by the call. */
function said(calls: Record<string, () => unknown>): Record<string, string> {
  const someKinds = oneOf(kinds.map(kind => kind.type)).expected
  return Object.fromEntries(Object.entries(calls).map(([call, fn]) => [call, sentence(fn).replace(someKinds, 'one of the kinds')]))
}

it('says what is wrong with rules', () => {
  const rule = (more: object): never =>
    lib.defineRule({ channels: { rgba: 4 }, perceive: ['identity'], update: cg.mlp(8), ...more })
  const custom = (more: object): never =>
    lib.customRule({ channels: { a: 1 }, init: () => ({}), step: (_: unknown, x: unknown) => x, ...more })
  expect(said({
    mlp: () => lib.mlp(),
    mlpObject: () => lib.mlp({ hidden: 64 }),
    mlpOption: () => lib.mlp(64, { lastStdev: 0.1 }),
    mlpActivation: () => lib.mlp(64, { activation: 'ReLU' }),
    mlpStd: () => cg.mlp(64, { lastStd: NaN }),
    nothing: () => lib.defineRule(),
    empty: () => lib.defineRule({}),
    noPerceive: () => rule({ perceive: undefined }),
    noUpdate: () => rule({ update: undefined }),
    number: () => rule({ update: 64 }),
    text: () => rule({ perceive: 'sobelX' }),
    filter: () => rule({ perceive: ['identity', 'sobel'] }),
    kind: () => rule({ perceive: [{ type: 'dense', outputs: 3, size: 3 }] }),
    noFilters: () => rule({ perceive: ['identity', { type: 'depthwise', size: 3 }] }),
    outputs: () => rule({ perceive: [{ type: 'conv', filters: 2, size: 3 }] }),
    depthwise: () => lib.depthwise({ filters: 3 }),
    depthwiseSize: () => cg.depthwise(3, { size: 4 }),
    conv: () => lib.conv(),
    convSize: () => lib.conv(8, 5),
    activation: () => rule({ update: { ...cg.mlp(8), activation: 'swash' } }),
    frozenText: () => rule({ frozen: 'rgba' }),
    frozenRole: () => rule({ channels: { rgba: 4, hidden: 2 }, frozen: ['hidden', 'goal'] }),
    frozenAll: () => rule({ frozen: ['rgba'] }),
    frozenLiving: () => rule({
      channels: { rgba: 4, hidden: 2 }, frozen: ['rgba'], living: { channel: 3, above: 0.1 },
    }),
    channels: () => rule({ channels: 16 }),
    fireRate: () => rule({ fireRate: '0.5' }),
    firerate: () => rule({ firerate: 0.5 }),
    alive: () => rule({ alive: { channel: 3, above: 0.1 } }),
    living: () => rule({ living: true }),
    padding: () => rule({ padding: 'same' }),
    noInit: () => custom({ init: undefined }),
    noStep: () => custom({ step: undefined }),
    negative: () => custom({ channels: { a: 2, b: -1 } }),
    perceiveInCustom: () => custom({ perceive: [] }),
    init: () => lib.init(growingRule, 0),
  })).toMatchInlineSnapshot(`
    {
      "activation": "rule: update.activation is "swash", expected 'relu', 'leakyRelu', 'tanh', 'sigmoid', 'gelu', 'silu', 'softplus' or 'linear'.",
      "alive": "rule: there is no option "alive"; there are channels, perceive, update, grid, stepSize, fireRate, living, inputMask, noise, bound, padding, frozen, head.",
      "channels": "rule: channels is 16, expected numbers of channels by role, like { rgba: 4, hidden: 12 }.",
      "conv": "conv: outputs is undefined, expected a whole number from 1 to 65536.",
      "convSize": "conv: the options argument is 5, expected an object with size, dilation, bias, activation, slope.",
      "depthwise": "depthwise: filters is {filters: 3}, expected a whole number from 1 to 65536.",
      "depthwiseSize": "depthwise: size is 4, expected an odd number from 1 to 127, or a list of 1 to 3 odd numbers, one for each axis.",
      "empty": "rule: channels is undefined, expected numbers of channels by role, like { rgba: 4, hidden: 12 }.",
      "filter": "rule: perceive[1] is "sobel", expected 'identity', 'sobelX', 'sobelY', 'sobelZ', 'laplacian', 'scharrX', 'scharrY', 'scharrZ', 'gaussian' or 'mean', or an object with name, factor, or an object with a type: one of the kinds; did you mean "sobelX"?",
      "fireRate": "rule: fireRate is "0.5", expected a number > 0, at most 1.",
      "firerate": "rule: there is no option "firerate"; did you mean "fireRate"?",
      "frozenAll": "rule: frozen is ["rgba"], expected roles that leave a channel to change.",
      "frozenLiving": "rule: frozen is ["rgba"], expected roles without the living channel, 3.",
      "frozenRole": "rule: frozen[1] is "goal", expected a role of channels: rgba, hidden.",
      "frozenText": "rule: frozen is "rgba", expected a list of roles.",
      "init": "init: the key is 0, expected a key; make one with key(0).",
      "kind": "rule: perceive[0].type is "dense", expected one of the kinds.",
      "living": "rule: living is true, expected null, or an object with channel, above, when.",
      "mlp": "mlp: hidden is undefined, expected a whole number from 1 to 65536, or a list of 1 to 256 layers.",
      "mlpActivation": "mlp: activation is "ReLU", expected 'relu', 'leakyRelu', 'tanh', 'sigmoid', 'gelu', 'silu', 'softplus' or 'linear'; did you mean "relu"?",
      "mlpObject": "mlp: hidden is {hidden: 64}, expected a whole number from 1 to 65536, or a list of 1 to 256 layers.",
      "mlpOption": "mlp: there is no option "lastStdev"; did you mean "lastStd"?",
      "mlpStd": "mlp: lastStd is NaN, expected a number ≥ 0.",
      "negative": "customRule: channels.b is -1, expected a whole number from 0 to 4096.",
      "noFilters": "rule: perceive[1].filters is undefined, expected a whole number from 1 to 65536.",
      "noInit": "customRule: init is undefined, expected a function (key, placement) => params.",
      "noPerceive": "rule: perceive is undefined, expected a list of 1 to 256 parts, filters like 'sobelX' or learned ones like conv(80).",
      "noStep": "customRule: step is undefined, expected a function (params, x, context) => state.",
      "noUpdate": "rule: update is undefined, expected a network, like mlp(128).",
      "nothing": "rule: the options argument is undefined, expected an object with channels, perceive, update, grid, stepSize, fireRate, living, inputMask, noise, bound, padding, frozen, head.",
      "number": "rule: update is 64, expected a network, like mlp(128).",
      "outputs": "rule.perceive[0]: there is no option "filters"; there are outputs, size, dilation, bias, activation, slope.",
      "padding": "rule: padding is "same", expected 'zero', 'circular', 'reflect' or 'replicate'.",
      "perceiveInCustom": "customRule: there is no option "perceive"; there are channels, init, step, grid.",
      "text": "rule: perceive is "sobelX", expected a list of 1 to 256 parts, filters like 'sobelX' or learned ones like conv(80).",
    }
  `)
})

it('says what is wrong with states', () => {
  const at = (more: object): never => lib.seed(growingRule, { height: 4, width: 4, ...more })
  expect(said({
    nothing: () => lib.seed(growingRule),
    noHeight: () => lib.seed(growingRule, { width: 4 }),
    fraction: () => at({ at: [1.5, 1.5] }),
    number: () => at({ at: 3 }),
    outside: () => at({ at: [4, 0] }),
    from: () => at({ from: 99 }),
    noAlpha: () => cg.seed({ channels: { rgb: 3 } }, { height: 4, width: 4 }),
    batch: () => at({ batch: 0 }),
    unknown: () => at({ heigth: 5 }),
    rgba: () => cg.rgba(zeros([1, 4, 4, 3])),
    takeChannels: () => cg.takeChannels(zeros([1, 4, 4, 3]), 2, 5),
    mse: () => cg.mse(zeros([1, 4, 4, 4]), zeros([5, 4, 4])),
    l1: () => cg.l1(zeros([4, 4, 4]), zeros([2, 4, 4, 4])),
  })).toMatchInlineSnapshot(`
    {
      "batch": "seed: batch is 0, expected a whole number > 0.",
      "fraction": "seed: at is [1.5, 1.5], expected two whole numbers, [row, column].",
      "from": "seed: from is 99, expected a channel from 0 to 15.",
      "l1": "l1: the target does not have the shape of x or of one of its samples; x [4,4,4], target [2,4,4,4].",
      "mse": "mse: the target does not have the shape of x or of one of its samples; x [1,4,4,4], target [5,4,4].",
      "noAlpha": "seed: from is 3, expected a channel from 0 to 2.",
      "noHeight": "seed: height is undefined, expected a whole number > 0.",
      "nothing": "seed: the options argument is undefined, expected an object with depth, height, width, batch, from, at, values, dtype, backend, like.",
      "number": "seed: at is 3, expected two whole numbers, [row, column].",
      "outside": "seed: cell (4, 0) is outside of a grid of 4×4 cells.",
      "rgba": "rgba: x must have at least 4 channels; x [1,4,4,3].",
      "takeChannels": "takeChannels: there are no channels from 2 up to 5 among 3; x [1,4,4,3].",
      "unknown": "seed: there is no option "heigth"; did you mean "height"?",
    }
  `)
})

it('says what is wrong with steps and rollouts', () => {
  const x = zeros([1, 4, 4, 16])
  const params = cg.init(growingRule, key(0))
  const state = zeros([1, 4, 4, 4])
  const returning = (y: unknown): (() => never) => () => {
    const returns = lib.customRule({ channels: { a: 4 }, init: () => ({}), step: () => y })
    return lib.step(returns, {}, state, { key: key(0), t: 0 })
  }
  const roll = (options: unknown, k: unknown = key(0)): never => lib.rollout(growingRule, params, x, k, options)
  expect(said({
    noKey: () => lib.step(growingRule, params, x, {}),
    noContext: () => lib.step(growingRule, params, x),
    keyInPlace: () => lib.step(growingRule, params, x, key(0)),
    state: () => lib.step(growingRule, params, [1], { key: key(0), t: 0 }),
    undefined: returning(undefined),
    scalar: returning(tensor(1)),
    shape: returning(zeros([1, 4, 4, 1])),
    type: returning(zeros([1, 4, 4, 4], { dtype: 'float64' })),
    number: () => roll(10),
    step: () => roll({ step: 2 }),
    noSteps: () => roll({}),
    fraction: () => roll({ steps: 2.5 }),
    readout: () => roll({ steps: 2, readout: [1] }),
    checkpoints: () => roll({ steps: 2, checkpoints: 2 }),
    readouts: () => roll({ steps: 2, readouts: 2 }),
    key: () => roll({ steps: 2 }, 7),
  })).toMatchInlineSnapshot(`
    {
      "checkpoints": "rollout: there is no option "checkpoints"; did you mean "checkpoint"?",
      "fraction": "rollout: steps is 2.5, expected a whole number from 0 to 1000000.",
      "key": "rollout: the key is 7, expected a key; make one with key(0).",
      "keyInPlace": "step: the options argument is [0, 0], expected an object with key, t, mask, angle.",
      "noContext": "step: the options argument is undefined, expected an object with key, t, mask, angle.",
      "noKey": "step: the key is undefined, expected a key; make one with key(0).",
      "noSteps": "rollout: steps is undefined, expected a whole number from 0 to 1000000.",
      "number": "rollout: the options argument is 10, expected an object with steps, readouts, checkpoint, masks, angle, inputs, from.",
      "readout": "rollout: there is no option "readout"; did you mean "readouts"?",
      "readouts": "rollout: readouts is 2, expected a list of numbers of steps.",
      "scalar": "step: the rule returned a tensor [] float32, expected a tensor [1,4,4,4] float32.",
      "shape": "step: the rule returned a tensor [1,4,4,1] float32, expected a tensor [1,4,4,4] float32.",
      "state": "step: the state is a Array, expected a tensor.",
      "step": "rollout: there is no option "step"; did you mean "steps"?",
      "type": "step: the rule returned a tensor [1,4,4,4] float64, expected a tensor [1,4,4,4] float32.",
      "undefined": "step: the rule returned undefined, expected a tensor [1,4,4,4] float32.",
    }
  `)
})

it('says what is wrong with optimisers and schedules', () => {
  const optimiser = cg.adam()
  const params = { w: ones([2]) }
  const state = cg.initOptimiser(optimiser, params)
  expect(said({
    nan: () => cg.adam({ rate: NaN }),
    negative: () => cg.adam({ rate: -1 }),
    text: () => lib.sgd({ rate: '0.1' }),
    number: () => lib.adam(1e-3),
    epsilon: () => cg.adam({ epsilon: -1 }),
    decay: () => cg.adamW({ decay: -1 }),
    lr: () => lib.adam({ lr: 1e-3 }),
    weightDecay: () => lib.adamW({ weightDecay: 1e-3 }),
    decayOfAdam: () => lib.adam({ decay: 0.1 }),
    beta: () => lib.adam({ beta_1: 0.9 }),
    momentum: () => lib.sgd({ moment: 0.9 }),
    stepDecay: () => lib.stepDecay(1e-3, [2000], 0.1),
    noFactor: () => lib.stepDecay(1e-3, { at: [2000] }),
    at: () => lib.stepDecay(1e-3, { at: 2000, factor: 0.1 }),
    exponential: () => lib.exponentialDecay(1e-3, 0.9),
    cosine: () => lib.cosineDecay({ length: 10 }),
    warmUp: () => lib.warmUp(10),
    swappedWarmUp: () => lib.warmUp(1e-3, 10),
    wsd: () => lib.wsd(1e-3, { warmup: 1, stable: 1, decay: 1 }),
    schedule: () => lib.adam({ rate: { type: 'linear' } }),
    swapped: () => lib.updateParams(optimiser, params, state, params),
    noState: () => lib.updateParams(optimiser, undefined, params, params),
    noOptimiser: () => lib.initOptimiser(2e-3, params),
    rate: () => cg.updateParams(optimiser, state, params, params, NaN),
  })).toMatchInlineSnapshot(`
    {
      "at": "stepDecay: at is 2000, expected a list of iterations.",
      "beta": "adam: there is no option "beta_1"; did you mean "beta1"?",
      "cosine": "cosineDecay: the options argument is undefined, expected an object with length, final.",
      "decay": "adamW: decay is -1, expected a number ≥ 0.",
      "decayOfAdam": "adam: there is no option "decay"; there are rate, beta1, beta2, epsilon, epsilonHat.",
      "epsilon": "adam: epsilon is -1, expected a number ≥ 0.",
      "exponential": "exponentialDecay: the options argument is 0.9, expected an object with factor.",
      "lr": "adam: there is no option "lr"; there are rate, beta1, beta2, epsilon, epsilonHat.",
      "momentum": "sgd: there is no option "moment"; did you mean "momentum"?",
      "nan": "adam: rate is NaN, expected a number ≥ 0, or an object with a type: 'step', 'exponential', 'cosine', 'wsd' or 'warmUp'.",
      "negative": "adam: rate is -1, expected a number ≥ 0, or an object with a type: 'step', 'exponential', 'cosine', 'wsd' or 'warmUp'.",
      "noFactor": "stepDecay: factor is undefined, expected a number ≥ 0.",
      "noOptimiser": "initOptimiser: optimiser is 0.002, expected an optimiser, like adam({ rate: 2e-3 }).",
      "noState": "updateParams: state is undefined, expected what initOptimiser returned (the order is optimiser, state, params, grads).",
      "number": "adam: the options argument is 0.001, expected an object with rate, beta1, beta2, epsilon, epsilonHat.",
      "rate": "updateParams: rate is NaN, expected a number.",
      "schedule": "adam: rate.type is "linear", expected 'step', 'exponential', 'cosine', 'wsd' or 'warmUp'.",
      "stepDecay": "stepDecay: the options argument is [2000], expected an object with at, factor.",
      "swapped": "updateParams: state is {w: a tensor [2] float32}, expected what initOptimiser returned (the order is optimiser, state, params, grads).",
      "swappedWarmUp": "warmUp: length is 0.001, expected a whole number > 0.",
      "text": "sgd: rate is "0.1", expected a number ≥ 0, or an object with a type: 'step', 'exponential', 'cosine', 'wsd' or 'warmUp'.",
      "warmUp": "warmUp: schedule is undefined, expected a number ≥ 0, or an object with a type: 'step', 'exponential', 'cosine' or 'wsd'.",
      "weightDecay": "adamW: there is no option "weightDecay"; there are rate, beta1, beta2, epsilon, epsilonHat, decay.",
      "wsd": "wsd: there is no option "warmup"; did you mean "warmUp"?",
    }
  `)
})

it('says what is wrong with trainers, pools and damage', () => {
  const trainer = (more: object): never => lib.growingTrainer({ ...presets.growing, target: ones([4, 4, 4]), ...more })
  const pool = cg.makePool(zeros([2, 2, 16]), 3)
  const damage = (given: unknown): never => lib.damageMask(key(0), given, 1, 4, 4)
  expect(said({
    optimiser: () => trainer({ optimiser: 2e-3 }),
    steps: () => trainer({ steps: 64 }),
    fractions: () => trainer({ steps: [2.2, 4.7] }),
    target: () => trainer({ target: [1] }),
    rule: () => trainer({ rule: 'growing' }),
    pool: () => trainer({ pool: '8' }),
    damaged: () => trainer({ damage: { shape: 'square' } }),
    unknown: () => trainer({ optimizer: cg.adam() }),
    lr: () => trainer({ lr: 1e-3 }),
    warmUp: () => trainer({ warmUp: 100 }),
    samplePool: () => cg.samplePool(pool, key(0), 5),
    writeBack: () => cg.writeBack(pool, [0, 1], zeros([3, 2, 2, 16])),
    makePool: () => lib.makePool(3, zeros([2])),
    damage: () => damage({ shape: 'square' }),
    centre: () => damage({ shape: 'circle', centre: [0.5, -0.5], radius: [0.1, 0.4] }),
    radius: () => damage({ shape: 'circle', centre: [0, 0], radius: 0.3 }),
    size: () => damage({ shape: 'rectangle', centre: [0, 0], size: 0.4 }),
    radiusOfNone: () => damage({ shape: 'rectangle', centre: [0, 0], radius: [0.1, 0.4] }),
  })).toMatchInlineSnapshot(`
    {
      "centre": "damageMask: damage.centre is [0.5, -0.5], expected two numbers, the first at most the second.",
      "damage": "damageMask: damage.shape is "square", expected 'circle', 'rectangle' or 'halfPlane'.",
      "damaged": "growingTrainer: damage.shape is "square", expected 'circle', 'rectangle' or 'halfPlane'.",
      "fractions": "growingTrainer: steps is [2.2, 4.7], expected two whole numbers from 1 to 1000000, the first below the second.",
      "lr": "growingTrainer: there is no option "lr"; there are rule, params, batch, steps, readouts, pool, write, fromPool, reseed, damaged, damage, ranked, mutated, dropped, perturbAfter, overflow, optimiser, normalise, clip, accumulate, trainable, warmUp, cascade, critic, pace, target, at.",
      "makePool": "makePool: the seed is 3, expected a tensor.",
      "optimiser": "growingTrainer: optimiser is 0.002, expected an optimiser, like adam({ rate: 2e-3 }).",
      "pool": "growingTrainer: pool is "8", expected a whole number from 0 to 1000000.",
      "radius": "damageMask: damage.radius is 0.3, expected two numbers ≥ 0, the first at most the second.",
      "radiusOfNone": "damageMask.damage: there is no option "radius"; there are centre, size, angle.",
      "rule": "growingTrainer: rule is "growing", expected a rule.",
      "samplePool": "samplePool: the count is 5, expected a whole number from 1 to 3, the slots of the pool.",
      "size": "damageMask: damage.size is 0.4, expected two numbers ≥ 0, the first at most the second.",
      "steps": "growingTrainer: steps is 64, expected two whole numbers from 1 to 1000000, the first below the second.",
      "target": "growingTrainer: target is [1], expected a tensor.",
      "unknown": "growingTrainer: there is no option "optimizer"; did you mean "optimiser"?",
      "warmUp": "growingTrainer: warmUp is 100, expected null, or an object with iterations, from.",
      "writeBack": "writeBack: 2 slots for 3 states; batch [3,2,2,16].",
    }
  `)
})
