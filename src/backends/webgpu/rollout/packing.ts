/**
 * WGSL: between the arrays of a call, which are dense, and those of a rollout, which are padded to whole vectors. One
 * invocation for each number, or for each cell.
 *
 *   filters  [K,K,c,F]      ↔  [tap][f][channel]
 *   W1       [n,hidden]     ↔  [plane][channel][hidden]     row c·F + f of filters, tap·c + channel of windows
 *   W2       [hidden,u]     ↔  [hidden][channel]            the columns of frozen channels are zero
 */
import type { RolloutProgram } from '../../rollout.ts'
import { withFunctions } from '../functions.ts'
import { declareSizes, declareUniforms, literal, livesWgsl, placesWgsl, rowsWgsl } from './cells.ts'
import { declareRest } from './layers.ts'
import { recordSize } from './sizes.ts'
import type { Sizes, Slot } from './sizes.ts'

/** Where things are: functions from an index in one layout to that in the other, or −1. */
function layoutsWgsl({ channels, perception, layers, updated }: RolloutProgram): string {
  const columns = Array.from({ length: channels }, (_, c) => updated.indexOf(c))
  const seenAt = perception.type === 'filters'
    ? ['channel * F + plane', 'i % F', 'i / F'] : ['plane * channels + channel', 'i / channels', 'i % channels']
  return `
const channels = ${channels}u; const hidden = ${layers[0].outputs}u; const outputs = ${updated.length}u;
fn outputOf(channel: u32) -> i32 { var all = array<i32, channels>(${columns.join(', ')}); return all[channel]; }
fn channelOf(output: u32) -> u32 { var all = array<u32, outputs>(${updated.join(', ')}); return all[output]; }
/** The number of a perception, from its plane and channel; and back, as its number in the padded layout. */
fn seenOf(plane: u32, channel: u32) -> u32 { return ${seenAt[0]}; }
fn paddedOf(i: u32) -> u32 { return ${seenAt[1]} * 4u * C + ${seenAt[2]}; }`
}

const entry = (size: string, body: string): string => `
@compute @workgroup_size(lanes)
fn invoke(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) size: vec3u) {
  let i = id.y * size.x * lanes + id.x;
  if (i >= ${size}) { return; }
  ${body}
}
`

const begin = (sizes: Sizes, program: RolloutProgram): string =>
  `${declareSizes(sizes)}${declareUniforms}${declareRest}${layoutsWgsl(program)}`

/** Arrays: packed (of f32), kernel. */
export function packKernelWgsl(program: RolloutProgram, sizes: Sizes): string {
  return begin(sizes, program) + entry(`${4 * sizes.kernel}u`, `
  let channel = i % (4u * C); let f = i / (4u * C) % F; let tap = i / (4u * C * F);
  packed[i] = 0.0;
  if (channel < channels) { packed[i] = kernel[(tap * channels + channel) * F + f]; }`)
}

/** Arrays: packed, weights. */
export function packFirstWgsl(program: RolloutProgram, sizes: Sizes): string {
  return begin(sizes, program) + entry(`${4 * sizes.w1}u`, `
  let h = i % (4u * H); let row = i / (4u * H);
  let channel = row % (4u * C); let plane = row / (4u * C);
  packed[i] = 0.0;
  if (h < hidden && channel < channels) { packed[i] = weights[seenOf(plane, channel) * hidden + h]; }`)
}

/** Arrays: packed, weights of the last layer, then the biases of the first and the last layer where there are any. */
export function packRestWgsl(program: RolloutProgram, sizes: Sizes): string {
  const [first, last] = program.layers
  return begin(sizes, program) + entry(`${4 * sizes.rest}u`, `
  var value = 0.0;
  if (i < 4u * w2) {
    ${first.bias ? 'if (i < hidden) { value = firstBias[i]; }' : ''}
  } else {
    let j = (i - 4u * w2) / (4u * C); let channel = (i - 4u * w2) % (4u * C);
    if (channel < channels && outputOf(channel) >= 0) {
      let column = u32(outputOf(channel));
      if (i < 4u * b2) { if (j < hidden) { value = weights[j * outputs + column]; } }
      ${last.bias ? 'else { value = lastBias[column]; }' : ''}
    }
  }
  packed[i] = value;`)
}

/**
 * The gradient of one of the caller's arrays: the sum over all slots, in their order. A rule whose weights are no numbers
 * kills its cells, and dead cells have no gradient; so that this is noticed, where a weight is not finite its gradient is
 * NaN. Arrays: gradient, slots, value.
 *
 * @param which its part of the slots
 */
export function gradientWgsl(
  program: RolloutProgram, sizes: Sizes, slot: Slot, which: 'kernel' | 'w1' | 'b1' | 'w2' | 'b2',
): string {
  const at: Record<typeof which, string> = {
    kernel: '(i / F / channels * F + i % F) * 4u * C + i / F % channels',
    w1: 'paddedOf(i / hidden) * 4u * H + i % hidden',
    b1: 'i',
    w2: 'i / outputs * 4u * C + channelOf(i % outputs)',
    b2: 'channelOf(i)',
  }
  return withFunctions(begin(sizes, program) + entry('arrayLength(&gradient)', `
  let first = ${slot[which]}u * 4u + ${at[which]};
  var sum = 0.0;
  for (var slot = 0u; slot < u.slots; slot++) { sum += slots[slot * ${4 * slot.size}u + first]; }
  if ((bitcast<u32>(value[i]) & 0x7f800000u) == 0x7f800000u) { sum = nan(); }
  gradient[i] = sum;`))
}

/** The first state. Arrays: state, x. */
export function loadWgsl(program: RolloutProgram, sizes: Sizes): string {
  return begin(sizes, program) + entry(`${sizes.C}u * (arrayLength(&x) / channels)`, `
  let begin = i / C * channels;
  let c = 4u * (i % C);
  var v = vec4f();
  for (var e = 0u; e < 4u; e++) { if (c + e < channels) { v[e] = x[begin + c + e]; } }
  state[i] = v;`)
}

/** The marks of the first state, a row of a tile for each invocation. Arrays: marks, x. */
export function loadMarksWgsl(program: RolloutProgram, sizes: Sizes): string {
  const { living } = program
  return begin(sizes, program) + entry('arrayLength(&marks)', `
  var row = 0u;
  ${living ? `
  let begin = i % u.tilesX * tileWidth;
  let line = i / u.tilesX * u.width;
  for (var k = 0u; k < min(tileWidth, u.width - begin); k++) {
    if (x[(line + begin + k) * channels + ${living.channel}u] > ${literal(living.above)}) { row |= 1u << k; }
  }` : ''}
  marks[i] = vec2u(row, 0u);`)
}

/** A state, once the dead ones are zero, a workgroup for each tile. Arrays: out, state, before. */
export function storeWgsl(program: RolloutProgram, sizes: Sizes): string {
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
      if (${remains}) { v = state[cell * C + c / 4u][c % 4u]; }
      out[cell * channels + c] = v;
    }
  }
}
`
}

/**
 * Adds the cotangent of a readout; where `wanted` is 0 the records are new. Every cell has one then, which `markHeld`
 * says. Arrays: records, cotangent, had.
 */
export function addCotangentWgsl(program: RolloutProgram, sizes: Sizes): string {
  return `${begin(sizes, program)}
const recordSize = ${recordSize(sizes)}u;
${entry('arrayLength(&cotangent) / channels', `
  let place = vec2u(i % u.width, i / u.width);
  var old = u.wanted != 0u;
  if (old) { old = ((had[place.y * u.tilesX + place.x / tileWidth] >> (place.x % tileWidth)) & 1u) != 0u; }
  for (var c = 0u; c < C; c++) {
    var v = vec4f();
    if (old) { v = records[i * recordSize + c]; }
    for (var e = 0u; e < 4u; e++) {
      if (4u * c + e < channels) { v[e] += cotangent[i * channels + 4u * c + e]; }
    }
    records[i * recordSize + c] = v;
  }`)}`
}

/** After addCotangent. Arrays: had. */
export function markHeldWgsl(program: RolloutProgram, sizes: Sizes): string {
  return begin(sizes, program) + entry('arrayLength(&had)', `
  let begin = i % u.tilesX * tileWidth;
  let old = select(0u, had[i] & 0xffff0000u, u.wanted != 0u);
  had[i] = old | ((1u << min(tileWidth, u.width - begin)) - 1u);`)
}
