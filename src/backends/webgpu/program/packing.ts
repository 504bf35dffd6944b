/**
 * WGSL: conversions between the states of a call, which are dense, and those of a rollout, which are padded to whole vectors; and
 * the sums of the workgroups' weight gradients. One invocation for each number, or for each cell.
 */
import type { Program } from '../../program.ts'
import { literal } from '../../wgsl/literal.ts'
import { longSum } from '../../wgsl/long-sum.ts'
import { boundsWgsl } from './bounds.ts'
import { declareSizes, declareUniforms, forTile, livesWgsl, placesWgsl, rowsWgsl } from './cells.ts'
import { recordSize, type Sizes, type Workspace } from './sizes.ts'

/** Which channels change. */
function channelsWgsl({ channels, updated }: Program): string {
  const changes = Array.from({ length: channels }, (_, c) => updated.includes(c))
  return `
const channels = ${channels}u;
fn changes(channel: u32) -> bool { var all = array<bool, channels>(${changes.join(', ')}); return all[channel]; }`
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
  `${declareSizes(sizes)}${declareUniforms}${channelsWgsl(program)}`

/**
 * Moves the sums of all workspaces into a tree. Two sums of equally many runs are added to one, like carries in a binary
 * counter that counts the `runs` in the tree. A level has the size of the sums of a workspace. The highest level takes all
 * further sums, since the tree of a huge network may not have more levels. Arrays: tree, workspaces.
 */
export function gatherWgsl(program: Program, sizes: Sizes, { count, size, sums }: Workspace): string {
  return longSum('vec4f', 1, count) + begin(sizes, program) + entry(`${sums}u`, `
  var all: Part;
  for (var workspace = 0u; workspace < u.workspaces; workspace++) {
    let at = workspace * ${size}u + i;
    all.parts[0] += workspaces[at];
    workspaces[at] = vec4f();
    carry(&all);
  }
  complete(&all);
  var sum = all.parts[0];
  var at = i;
  var n = u.runs;
  let highest = arrayLength(&tree) - ${sums}u;
  while ((n & 1u) == 1u && at < highest) {
    sum += tree[at];
    at += ${sums}u;
    n >>= 1u;
  }
  if (n != 0u && at >= highest) { sum += tree[at]; }
  tree[at] = sum;`)
}

/**
 * The gradient of one of the caller's arrays, at offset `at` in workspaces: the sum over the levels of the tree.
 * Arrays: gradient, tree.
 */
export function gradientWgsl(program: Program, sizes: Sizes, { sums }: Workspace, at: number): string {
  return begin(sizes, program) + entry('arrayLength(&gradient)', `
  var at = ${4 * at}u + i;
  var sum = 0.0;
  for (var n = u.runs; n != 0u; n >>= 1u) {
    let isHighest = at + ${4 * sums}u >= arrayLength(&tree);
    if (isHighest || (n & 1u) == 1u) { sum += tree[at]; }
    if (isHighest) { break; }
    at += ${4 * sums}u;
  }
  gradient[i] = sum;`)
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
  state[u.cells * C + i] = vec4u(row, 0u, row, 0u);`)
}

/** Writes a state with dead cells zero, a workgroup for each tile. Arrays: out, state. */
export function storeWgsl(program: Program, sizes: Sizes): string {
  const { living, updated, channels, bound } = program
  const remains = updated.length < channels ? 'alive || !changes(c)' : 'alive'
  return `${begin(sizes, program)}
${placesWgsl(program)}
${rowsWgsl(program, 1)}
${living ? livesWgsl(program) : ''}
${boundsWgsl(program)}
${forTile(`
  ${living ? 'findLives(lane);' : ''}
  for (var i = lane; i < tileCells; i += lanes) {
    let place = inTile(i);
    if (any(place >= gridSize())) { continue; }
    let cell = u32(cellAt(place));
    let alive = ${living ? 'isSet(livesRows[rowOf(place)], place)' : 'true'};
    for (var c = 0u; c < channels; c++) {
      var v = 0.0;
      if (${remains}) { v = bitcast<f32>(state[cell * C + c / 4u][c % 4u]); }
      ${bound ? 'if (isBound(c)) { v = boundOf(v); }' : ''}
      out[cell * channels + c] = v;
    }
  }`)}
`
}

/**
 * Adds the cotangent of a readout; if `wanted` is 0, the records are new. Every cell has a cotangent then, which `markHeld`
 * records. Arrays: records, cotangent.
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
