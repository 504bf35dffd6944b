/**
 * The automaton of an exported page: one step of a rule in plain JavaScript, as the text that goes into the page, and the data
 * about a rule that it needs.
 *
 * It is written to be read there, by somebody who has only the page. It implements the equations of `src/nca/step.ts` without
 * tensors: cell by cell, in the order of the equations. A test compares this text with the library's own step, over random
 * rules (tests/exchange/html.test.ts).
 */
import { isLearned, kindOf, type Learned } from '../../nca/perceptions/kinds.ts'
import type { WindowSum } from '../../nca/perceptions/kind.ts'
import { channelCount } from '../../nca/rule/channels.ts'
import type { DataRule } from '../../nca/rule/types.ts'
import { perceptionTexts } from './perceptions.ts'

/** A learned part of a perception that is a sum over a window: of each channel separately (a filter), or of all. */
export type PageSum = WindowSum & { readonly ofEach: boolean; readonly outputs: number }

/** Each learned part of a rule as a sum; null if its kind has JavaScript of its own. */
export function pageSums({ perceive, channels }: DataRule): (PageSum | null)[] {
  const count = channelCount(channels)
  return perceive.filter(isLearned).map(part => {
    const kind = kindOf(part), sum = kind.windowSum?.(part)
    const ofEach = kind.perceive === undefined
    return sum ? { ...sum, ofEach, outputs: kind.outputs(part, count) / (ofEach ? count : 1) } : null
  })
}

/** The first learned part of a rule that no page can compute, if there is one. */
export function beyondPages({ perceive }: DataRule): Learned | undefined {
  return perceive.filter(isLearned).find(part => !kindOf(part).windowSum && perceptionTexts[part.type] === undefined)
}

/** The text of the automaton of a rule: the common text, and that of its kinds of perception. */
export function automatonOf({ perceive }: DataRule): string {
  const own = new Map(perceive.filter(isLearned).map(part => [part.type, perceptionTexts[part.type]]))
  const kinds = [...own].map(([type, text]) => (text === undefined ? '' : `\nkinds.${type} = ${text}\n`))
  return automaton + kinds.join('')
}

const automaton = String.raw`
// THE AUTOMATON
//
// A cell is a list of numbers, its channels. In one step of a neural cellular automaton
//
//   s  ←  s + m · η · U(P(s))
//
// each cell perceives its neighbourhood (P: filters and convolutions), a small network turns that into a change (U), and
// the change is added if the cell fires (m: at random). A living mask, if the rule has one, empties every cell without a
// living neighbour. All numbers are float32; sums are computed in float64.

/** 64 random bits: the counter (c0, c1) encrypted under a key (threefry2x32, Salmon et al. 2011). */
function threefry([k0, k1], c0, c1) {
  const turns = [[13, 15, 26, 6], [17, 29, 16, 24]]
  const schedule = [k0, k1, k0 ^ k1 ^ 0x1bd11bda]
  let x = (c0 + k0) | 0, y = (c1 + k1) | 0
  for (let group = 0; group < 5; group++) {
    for (const turn of turns[group % 2]) {
      x = (x + y) | 0
      y = (y << turn) | (y >>> (32 - turn))
      y ^= x
    }
    x = (x + schedule[(group + 1) % 3]) | 0
    y = (y + schedule[(group + 2) % 3] + group + 1) | 0
  }
  return [x >>> 0, y >>> 0]
}

/** The key of step number n, or of anything else with a number. */
const foldIn = (key, n) => threefry(key, 0, n)

/** 32 random bits for number i. */
function bitsAt(key, i) {
  const [x, y] = threefry(key, 0, i)
  return (x ^ y) >>> 0
}

/** A normal number of variance 1 for number i: √2 · erf⁻¹ of a uniform one (Giles 2010). */
function normalAt(key, i) {
  const p = (4 * (bitsAt(key, i) >>> 9) + 1) / 2 ** 24 - 1
  const w = -Math.log((1 - p) * (1 + p))
  const [at, series] = w < 5
    ? [w - 2.5, [2.81022636e-08, 3.43273939e-07, -3.5233877e-06, -4.39150654e-06, 0.00021858087, -0.00125372503,
      -0.00417768164, 0.246640727, 1.50140941]]
    : [Math.sqrt(w) - 3, [-0.000200214257, 0.000100950558, 0.00134934322, -0.00367342844, 0.00573950773,
      -0.0076224613, 0.00943887047, 1.00167406, 2.83297682]]
  return Math.SQRT2 * p * series.reduce((sum, c) => sum * at + c, 0)
}

const activations = {
  relu: x => Math.max(x, 0),
  leakyRelu: (x, slope) => (x > 0 ? x : slope * x),
  tanh: Math.tanh,
  sigmoid: x => 1 / (1 + Math.exp(-x)),
  gelu: x => x / 2 * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3))),
  silu: x => x / (1 + Math.exp(-x)),
  softplus: x => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))),
  linear: x => x,
}

/** out += values · matrix, where the matrix [inputs, outputs] begins at an offset of its array. */
function multiply(values, matrix, out, from = 0, offset = 0, inputs = values.length) {
  const n = out.length
  for (let i = 0; i < inputs; i++) {
    const v = values[from + i]
    if (v === 0) continue
    const row = offset + i * n
    for (let j = 0; j < n; j++) out[j] += v * matrix[row + j]
  }
}

/** A window of height × width taps, or a square one, with the middle tap at the cell itself. */
function windowOf(size, dilation = 1) {
  const [height, width] = Array.isArray(size) ? size : [size, size]
  return Array.from({ length: height * width }, (_, t) => (
    { dy: dilation * (Math.floor(t / width) - (height - 1) / 2), dx: dilation * (t % width - (width - 1) / 2), t }
  ))
}

/** The parts of a perception that are more than a sum over a window, by their type. */
const kinds = {}

/**
 * The automaton of a rule. weights: arrays by the path of the parameter, like 'update.w1'; filters: nine numbers by name;
 * sums: each learned part of the perception as a sum over a window, or null.
 * A world is { height, width, cells }, its cells height · width · channels numbers, row by row.
 */
function makeAutomaton(rule, weights, filters, sums) {
  const roles = Object.entries(rule.channels)
  const channels = roles.reduce((sum, [, n]) => sum + n, 0)
  const isFrozen = roles.flatMap(([role, n]) => new Array(n).fill(rule.frozen.includes(role)))
  const changing = isFrozen.flatMap((frozen, c) => (frozen ? [] : [c]))

  /** The number of the cell (y, x), or −1 where there is none. */
  function cellAt({ height, width }, y, x) {
    const inside = (i, n) => {
      if (i >= 0 && i < n) return i
      if (rule.padding === 'zero') return -1
      if (rule.padding === 'circular') return ((i % n) + n) % n
      if (rule.padding === 'replicate') return i < 0 ? 0 : n - 1
      return i < 0 ? -i : 2 * (n - 1) - i
    }
    const [row, column] = [inside(y, height), inside(x, width)]
    return row < 0 || column < 0 ? -1 : row * width + column
  }

  /** The channels of the cell (y, x). */
  const cellOf = ({ width, cells }, y, x) => cells.subarray((y * width + x) * channels, (y * width + x + 1) * channels)

  let learned = 0
  const parts = rule.perceive.map(part => {
    if (part.type === undefined) return { part, fixed: true, isFilter: true, size: 3, n: 1 }
    const i = learned++, sum = sums[i]
    const weight = name => weights['perceive.' + i + '.' + name]
    return { part, weight, sum, isFilter: sum !== null && sum.ofEach, size: sum?.size, n: sum?.outputs }
  })

  // FILTERS look at each channel by itself. A fixed filter has nine weights for all channels, a learned one its own.

  /** The nine weights of a fixed filter for a cell that is turned by an angle: derivatives turn into each other. */
  function fixedFilter(part, angle) {
    const { name, factor } = typeof part === 'string' ? { name: part, factor: 1 } : part
    const kind = name.slice(0, -1), [cos, sin] = [Math.cos(angle), Math.sin(angle)]
    const turned = name.endsWith('X')
      ? filters[name].map((v, i) => cos * v - sin * filters[kind + 'Y'][i])
      : name.endsWith('Y') ? filters[name].map((v, i) => cos * v + sin * filters[kind + 'X'][i]) : filters[name]
    return turned.map(v => Math.fround(factor * v))
  }

  /** All filters, neighbour by neighbour: weight · channel c of the neighbour (dy, dx) is added to a number. */
  function filtersFor(angle) {
    const all = parts.filter(({ isFilter }) => isFilter)
    const count = all.reduce((total, { n }) => total + n, 0)
    const neighbours = new Map()
    let f = 0
    for (const { part, fixed, weight: own, size, n } of all) {
      const values = fixed ? fixedFilter(part, angle) : own('kernel')
      const weight = (t, c, i) => (fixed ? values[t] : values[(t * channels + c) * n + i])
      for (const { dy, dx, t } of windowOf(size)) {
        const place = dy + ' ' + dx
        if (!neighbours.has(place)) neighbours.set(place, { dy, dx, terms: [] })
        for (let c = 0; c < channels; c++) {
          for (let i = 0; i < n; i++) {
            const term = { into: c * count + f + i, weight: weight(t, c, i), c }
            if (term.weight !== 0) neighbours.get(place).terms.push(term)
          }
        }
      }
      f += n
    }
    return { count: count * channels, neighbours: [...neighbours.values()].filter(({ terms }) => terms.length > 0) }
  }

  // CONVOLUTIONS look at all channels of the window: σ(Σ k · s + bias).

  function convolve(world, y, x, window, kernel, out) {
    for (const { dy, dx, t } of window) {
      const cell = cellAt(world, y + dy, x + dx)
      if (cell >= 0) multiply(world.cells, kernel, out, cell * channels, t * channels * out.length, channels)
    }
  }

  const convolutions = parts.filter(({ isFilter }) => !isFilter).map(({ part, weight, sum }) => {
    if (!sum) return kinds[part.type](part, weight, { windowOf, convolve, multiply, activations, cellOf })
    const window = windowOf(sum.size, sum.dilation)
    return (world, y, x) => {
      const out = sum.bias ? Float64Array.from(weight('bias')) : new Float64Array(sum.outputs)
      convolve(world, y, x, window, weight('kernel'), out)
      return out.map(v => activations[sum.activation](v, sum.slope))
    }
  })

  /** P: all that the cell (y, x) perceives. */
  function perceive(world, y, x, { count, neighbours }) {
    const seen = new Float64Array(count)
    for (const { dy, dx, terms } of neighbours) {
      const cell = cellAt(world, y + dy, x + dx)
      if (cell < 0) continue
      for (const { into, weight, c } of terms) seen[into] += weight * world.cells[cell * channels + c]
    }
    if (convolutions.length === 0) return seen
    return Float64Array.from([...seen, ...convolutions.flatMap(part => [...part(world, y, x)])])
  }

  /** The layer norm of a layer's numbers, group by group, if it has one. */
  function normed(numbers, layer) {
    const scale = weights['update.scale' + layer], shift = weights['update.shift' + layer]
    if (!scale) return numbers
    const size = numbers.length / rule.update.norm.groups
    return numbers.map((v, i) => {
      const group = numbers.slice(i - i % size, i - i % size + size)
      const mean = group.reduce((sum, u) => sum + u, 0) / size
      const variance = group.reduce((sum, u) => sum + (u - mean) ** 2, 0) / size
      return (v - mean) / Math.sqrt(variance + 1e-5) * scale[i] + shift[i]
    })
  }

  /** U: the change that the network computes from what is perceived. */
  function update(seen) {
    const { hidden, activation, slope, residual, lastActivation = 'linear' } = rule.update
    let h = normed(seen, 0)
    for (let layer = 1; layer <= hidden.length + 1; layer++) {
      const bias = weights['update.b' + layer]
      const size = hidden[layer - 1] ?? changing.length
      const sums = bias ? Float64Array.from(bias) : new Float64Array(size)
      multiply(h, weights['update.w' + layer], sums)
      if (layer > hidden.length) return sums.map(v => activations[lastActivation](v, slope))
      const next = normed(sums, layer).map(v => activations[activation](v, slope))
      h = residual && h.length === size ? next.map((v, j) => v + h[j]) : next
    }
  }

  // MASKS have a 0 or a 1 for each cell.

  /** Cells in which a channel is above a number. */
  function exceeds({ height, width, cells }, { channel, above }) {
    return Uint8Array.from({ length: height * width }, (_, i) => +(cells[i * channels + channel] > Math.fround(above)))
  }

  /** The mask grown by one cell in all directions. Only a torus continues beyond its border. */
  function grow(world, mask) {
    const { height, width } = world
    const grown = new Uint8Array(mask.length)
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        if (!mask[y * width + x]) continue
        for (let dy = -1; dy <= 1; dy++) {
          for (let dx = -1; dx <= 1; dx++) {
            const inside = y + dy >= 0 && y + dy < height && x + dx >= 0 && x + dx < width
            if (inside || rule.padding === 'circular') grown[cellAt(world, y + dy, x + dx)] = 1
          }
        }
      }
    }
    return grown
  }

  /** Cells that fire in the step of this key. */
  function fireMask(world, key) {
    const threshold = Math.round(rule.fireRate * 2 ** 32)
    return Uint8Array.from({ length: world.height * world.width }, (_, i) => +(bitsAt(key, i) < threshold))
  }

  let prepared = null // the filters for the angle that was used last

  /** One step. Returns the next cells, and the masks of the step; null stands for a mask of every cell. */
  function step(world, key, angle = 0) {
    if (prepared?.angle !== angle) prepared = { angle, filters: filtersFor(angle) }
    const { height, width } = world
    const { living, noise, bound, inputMask, stepSize } = rule
    const n = height * width
    const noiseAt = i => Math.fround(Math.fround(normalAt(foldIn(key, 1), i)) * Math.fround(noise.std))

    const before = { height, width, cells: Float32Array.from(world.cells) }
    if (noise?.on === 'state') {
      for (let i = 0; i < n; i++) changing.forEach((c, k) => { before.cells[i * channels + c] += noiseAt(i * changing.length + k) })
    }
    const pre = living?.when === 'both' ? grow(before, exceeds(before, living)) : null
    const drawn = rule.fireRate < 1 ? fireMask(world, key) : null
    const input = inputMask ? exceeds(before, inputMask) : null
    const fires = drawn || input ? Uint8Array.from({ length: n }, (_, i) => (drawn?.[i] ?? 1) & (input?.[i] ?? 1)) : null

    // A cell far from life is empty after the step in any case; one beside a living cell may decide which cells live.
    const near = pre ? grow(before, pre) : null
    const after = { height, width, cells: Float32Array.from(before.cells) }
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const i = y * width + x
        if (fires && !fires[i]) continue
        const change = !near || near[i] ? update(perceive(before, y, x, prepared.filters)) : null
        changing.forEach((c, k) => {
          const disturbance = noise?.on === 'change' ? noiseAt(i * changing.length + k) : 0
          after.cells[i * channels + c] += (change ? stepSize * change[k] : 0) + disturbance
        })
      }
    }
    const post = living ? grow(after, exceeds(after, living)) : null
    for (let i = 0; i < n; i++) {
      const lives = !post || (post[i] && (!pre || pre[i]))
      for (const c of changing) {
        const at = i * channels + c
        if (!lives) after.cells[at] = 0
        if (bound?.type === 'tanh') after.cells[at] = Math.tanh(after.cells[at])
        if (bound?.type === 'clamp') after.cells[at] = Math.min(Math.max(after.cells[at], bound.low), bound.high)
      }
    }
    return { cells: after.cells, pre, fires, post }
  }

  return { channels, changing, isFrozen, step }
}
`.trim()
