/**
 * WGSL: between the arrays of a call, which are dense, and those of a rollout, which are padded to whole vectors. One
 * invocation for each number, or for each cell.
 *
 *   filters  [K,K,c,F]      ↔  [tap][f][channel]
 *   W_1      [n,m]          ↔  [plane][channel][hidden]     row c·F + f of filters, tap·c + channel of windows
 *   W_l      [n,m]          ↔  [hidden][hidden]
 *   W_L      [n,u]          ↔  [hidden][channel]            the columns of frozen channels are zero
 */
import type { Program } from '../../program.ts'
import { literal } from '../literal.ts'
import { longSum } from '../long-sum.ts'
import { declareSizes, declareUniforms, livesWgsl, placesWgsl, rowsWgsl } from './cells.ts'
import { recordSize } from './sizes.ts'
import type { Part, Sizes, Slot } from './sizes.ts'

/** Where things are: functions from an index in one layout to that in the other, or −1. */
function layoutsWgsl({ channels, perception, updated }: Program): string {
  const outputs = Array.from({ length: channels }, (_, c) => updated.indexOf(c))
  const seenAt = perception.type === 'filters'
    ? ['channel * F + plane', 'i % F', 'i / F'] : ['plane * channels + channel', 'i / channels', 'i % channels']
  return `
const channels = ${channels}u; const outputs = ${updated.length}u;
fn below(i: u32, n: u32) -> i32 { return select(-1, i32(i), i < n); }
fn outputOf(channel: u32) -> i32 {
  var all = array<i32, channels>(${outputs.join(', ')});
  return select(-1, all[min(channel, channels - 1u)], channel < channels);
}
fn channelOf(output: u32) -> u32 { var all = array<u32, outputs>(${updated.join(', ')}); return all[output]; }
/** The number of a perception, from its place in the padded layout, and back. */
fn seenOf(i: u32) -> i32 {
  let plane = i / (4u * C); let channel = i % (4u * C);
  return select(-1, i32(${seenAt[0]}), channel < channels);
}
fn paddedOf(i: u32) -> u32 { return ${seenAt[1]} * 4u * C + ${seenAt[2]}; }`
}

/** A part as rows and columns; a bias is one row. */
function matrixOf({ layers }: Program, { widths }: Sizes, part: Part): {
  readonly layer: number; readonly first: boolean; readonly last: boolean; readonly bias: boolean
  readonly inputs: number; readonly outputs: number; readonly width: number
} {
  const layer = Number(part.slice(1))
  return {
    layer, first: layer === 1, last: layer === layers.length, bias: part.startsWith('b'),
    inputs: layer === 1 ? 0 : layers[layer - 2].outputs, outputs: layers[layer - 1].outputs, width: 4 * widths[layer],
  }
}

const entry = (size: string, body: string): string => `
@compute @workgroup_size(lanes)
fn invoke(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) size: vec3u) {
  let i = id.y * size.x * lanes + id.x;
  if (i >= ${size}) { return; }
  ${body}
}
`

const begin = (sizes: Sizes, program: Program): string =>
  `${declareSizes(sizes)}${declareUniforms}${layoutsWgsl(program)}`

/**
 * One of the caller's arrays into its place, or zeros where there is no bias. Arrays: packed (of f32), then `given` where
 * there is one.
 */
export function packWgsl(program: Program, sizes: Sizes, part: Part): string {
  const size = 4 * sizes.parts[part]
  if (part === 'kernel') {
    return begin(sizes, program) + entry(`${size}u`, `
  let channel = i % (4u * C); let f = i / (4u * C) % F; let tap = i / (4u * C * F);
  packed[i] = 0.0;
  if (channel < channels) { packed[i] = given[(tap * channels + channel) * F + f]; }`)
  }
  const { first, last, bias, inputs, outputs, width, layer } = matrixOf(program, sizes, part)
  return begin(sizes, program) + entry(`${size}u`, `
  let row = ${bias ? '0' : first ? `seenOf(i / ${width}u)` : `below(i / ${width}u, ${inputs}u)`};
  let column = ${last ? `outputOf(i % ${width}u)` : `below(i % ${width}u, ${outputs}u)`};
  var value = 0.0;
  ${bias && !program.layers[layer - 1].bias ? '' : `
  if (row >= 0 && column >= 0) { value = given[row * ${outputs} + column]; }`}
  packed[${4 * (sizes.rest.at[part] ?? 0)}u + i] = value;`)
}

/**
 * The gradient of one of the caller's arrays: the sum over all slots, in a fixed order. A rule whose weights are no numbers
 * kills its cells, and dead cells have no gradient; so that this is noticed, where a weight is not finite its gradient is
 * NaN. Arrays: gradient, slots, value.
 */
export function gradientWgsl(program: Program, sizes: Sizes, slot: Slot, part: Part): string {
  return longSum('f32', 1, slot.count) + begin(sizes, program) + entry('arrayLength(&gradient)', `
  let first = ${4 * slot.at[part]}u + ${placeOf(program, sizes, part)};
  var all: Part;
  for (var slot = 0u; slot < u.slots; slot++) {
    all.parts[0] += slots[slot * ${4 * slot.size}u + first];
    carry(&all);
  }
  complete(&all);
  var sum = all.parts[0];
  if ((bitcast<u32>(value[i]) & 0x7f800000u) == 0x7f800000u) { sum = nan(); }
  gradient[i] = sum;`)
}

/** The place of number i of one of the caller's arrays in the packed one. */
function placeOf(program: Program, sizes: Sizes, part: Part): string {
  if (part === 'kernel') return '(i / F / channels * F + i % F) * 4u * C + i / F % channels'
  const { first, last, bias, outputs, width } = matrixOf(program, sizes, part)
  const row = `i / ${outputs}u`
  const column = `i % ${outputs}u`
  return `${bias ? '0u' : `${first ? `paddedOf(${row})` : row} * ${width}u`} + ${last ? `channelOf(${column})` : column}`
}

/** The first state. Arrays: state, x. */
export function loadWgsl(program: Program, sizes: Sizes): string {
  return begin(sizes, program) + entry('u.cells * C', `
  let begin = i / C * channels;
  let c = 4u * (i % C);
  var v = vec4f();
  for (var e = 0u; e < 4u; e++) { if (c + e < channels) { v[e] = x[begin + c + e]; } }
  state[i] = bitcast<vec4u>(v);`)
}

/** The marks of the first state, a row of a tile for each invocation. Arrays: state, x. */
export function loadMarksWgsl(program: Program, sizes: Sizes): string {
  const { living } = program
  return begin(sizes, program) + entry('arrayLength(&state) - u.cells * C', `
  var row = 0u;
  ${living ? `
  let begin = i % u.tilesX * tileWidth;
  let line = i / u.tilesX * u.width;
  for (var k = 0u; k < min(tileWidth, u.width - begin); k++) {
    let value = x[(line + begin + k) * channels + ${living.channel}u];
    if (exceeds(value, ${literal(living.above)})) { row |= 1u << k; }
  }` : ''}
  state[u.cells * C + i] = vec4u(row, 0u, 0u, 0u);`)
}

/** A state, once the dead ones are zero, a workgroup for each tile. Arrays: out, state. */
export function storeWgsl(program: Program, sizes: Sizes): string {
  const { living, updated, channels } = program
  const remains = updated.length < channels ? 'alive || outputOf(c) < 0' : 'alive'
  return `${begin(sizes, program)}
${placesWgsl(program)}
${rowsWgsl(program, 1)}
${living ? livesWgsl(program) : ''}
@compute @workgroup_size(lanes)
fn invoke(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) lane: u32,
) {
  let number = id.y * size.x + id.x;
  if (number >= u.tiles) { return; }
  enter(number);
  ${living ? 'findLives(lane);' : ''}
  for (var i = lane; i < tileCells; i += lanes) {
    let place = inTile(i);
    if (any(place >= gridSize())) { continue; }
    let cell = u32(cellAt(place));
    let alive = ${living ? 'isSet(livesRows[rowOf(place)], place)' : 'true'};
    for (var c = 0u; c < channels; c++) {
      var v = 0.0;
      if (${remains}) { v = bitcast<f32>(state[cell * C + c / 4u][c % 4u]); }
      out[cell * channels + c] = v;
    }
  }
}
`
}

/**
 * Adds the cotangent of a readout; where `wanted` is 0 the records are new. Every cell has one then, which `markHeld`
 * says. Arrays: records, cotangent.
 */
export function addCotangentWgsl(program: Program, sizes: Sizes): string {
  return `${begin(sizes, program)}
const recordSize = ${recordSize(sizes)}u;
${entry('u.cells', `
  let place = vec2u(i % u.width, i / u.width);
  var old = u.wanted != 0u;
  if (old) {
    let marks = records[u.cells * recordSize + place.y * u.tilesX + place.x / tileWidth].x;
    old = ((marks >> (place.x % tileWidth)) & 1u) != 0u;
  }
  for (var c = 0u; c < C; c++) {
    var v = vec4f();
    if (old) { v = bitcast<vec4f>(records[i * recordSize + c]); }
    for (var e = 0u; e < 4u; e++) {
      if (4u * c + e < channels) { v[e] += cotangent[i * channels + 4u * c + e]; }
    }
    records[i * recordSize + c] = bitcast<vec4u>(v);
  }`)}`
}

/** After addCotangent. Arrays: records. */
export function markHeldWgsl(program: Program, sizes: Sizes): string {
  const first = `u.cells * ${recordSize(sizes)}u`
  return begin(sizes, program) + entry(`arrayLength(&records) - ${first}`, `
  let begin = i % u.tilesX * tileWidth;
  let old = select(0u, records[${first} + i].x & 0xffff0000u, u.wanted != 0u);
  records[${first} + i] = vec4u(old | ((1u << min(tileWidth, u.width - begin)) - 1u), 0u, 0u, 0u);`)
}
