/**
 * WGSL: cells, whether they live, and what they perceive. Shared by the forward and the backward step.
 *
 * States are stored as they are before any cell dies, with marks for each cell from which it follows which cells die.
 * So a step needs only one dispatch: every reader of a cell first finds out whether it lives.
 *
 *   strong    after the step, the living channel exceeds its threshold (and another mark: after bounds)
 *   pre       the cell was alive before the step
 *   acts      the cell fired, near a living one: its change was computed
 *   lives   = pre ∧ a cell of its 3×3 neighbourhood is strong; before the first step nobody has died
 *
 * Marks are bits, and the 16 cells of a row of a tile are 16 bits of a word: strong in the lower half of it, pre in the
 * upper. They follow the cells in the same buffer, a vector for each row, because some devices bind at most eight buffers at
 * once. The buffer is declared as integers, since marks read as floats could be NaNs and lose bits. A workgroup loads the
 * rows of its tile and of `margin` cells around it, a word for each row, in which dilation by one cell is
 * `bits | bits << 1 | bits >> 1`.
 */
import type { Program } from '../../program.ts'
import { wrapWgsl } from '../../wgsl/window.ts'
import type { Padding } from '../../window.ts'
import { boundEach, boundsWgsl } from './bounds.ts'
import { tile, type Sizes } from './sizes.ts'
import { unrolled } from './unrolled.ts'

export function declareSizes({ lanes, rowsAtOnce, C, N, window: [high, wide], places, taps, F }: Sizes): string {
  const all = taps === high * wide
  return `
const lanes = ${lanes}u;
const rowsAtOnce = ${rowsAtOnce}u;
const blockRows = lanes * rowsAtOnce;
const tileHeight = ${tile.height}u;
const tileWidth = ${tile.width}u;
const tileCells = ${tile.height * tile.width}u;
const C = ${C}u; const N = ${N}u; const taps = ${taps}u; const F = ${F}u;
const reach = vec2i(${(wide - 1) / 2}, ${(high - 1) / 2});

/** k · s, where a weight of zero looks at nothing, infinite or not. */
fn weighted(k: vec4f, s: vec4f) -> vec4f { return select(k * s, vec4f(), k == vec4f()); }

/** From a cell to what it sees through a tap. */
fn wayOf(tap: u32) -> vec2i {
  ${all ? 'let place = tap;' : `var places = array<u32, taps>(${places.map(t => `${t}u`).join(', ')});
  let place = places[tap];`}
  return vec2i(i32(place % ${wide}u), i32(place / ${wide}u)) - reach;
}`
}

/** The uniforms of all kernels of a rollout, in order. */
export const uniformNames = [
  'height', 'width', 'cells', 'tilesX', 'tilesY', 'tiles', 'workspaces', 'first', 'key0', 'key1', 'noise0', 'noise1',
  'threshold', 'wanted', 'firstTile', 'runs',
] as const

export type UniformValues = Readonly<Record<typeof uniformNames[number], number>>

export const declareUniforms: string = `
struct Uniforms { ${uniformNames.map(name => `${name}: u32`).join(', ')} }
@group(1) @binding(0) var<uniform> u: Uniforms;`

/** Only on a torus are there marks beyond the border: mirror images of cells do not count as living or as having a cotangent. */
const beyond = (padding: Padding): Padding => (padding === 'circular' ? padding : 'zero')

/**
 * The place of this workgroup's tile, and of cells: `place` is (x, y) in the grid of its sample and may lie beyond the
 * border; `cellAt` is the number of the cell there in the batch, or −1.
 */
export function placesWgsl({ padding }: Program): string {
  return `
var<private> sample: u32;
var<private> corner: vec2i;

fn enter(number: u32) {
  let inSample = number % (u.tilesX * u.tilesY);
  sample = number / (u.tilesX * u.tilesY);
  corner = vec2i(i32(inSample % u.tilesX * tileWidth), i32(inSample / u.tilesX * tileHeight));
}

fn gridSize() -> vec2i { return vec2i(i32(u.width), i32(u.height)); }

fn cellAt(place: vec2i) -> i32 {
  let size = gridSize();
  let p = ${wrapWgsl(beyond(padding), 'place', 'size')};${padding === 'circular' ? '' : `
  if (any(p < vec2i()) || any(p >= size)) { return -1; }`}
  return (i32(sample) * size.y + p.y) * size.x + p.x;
}

/** Where the marks of row k of the tile are, and how many rows of it are in the grid. */
fn markOf(k: u32) -> u32 {
  return (sample * u.height + u32(corner.y) + k) * u.tilesX + u32(corner.x) / tileWidth;
}
fn rowsInTile() -> u32 { return min(tileHeight, u.height - u32(corner.y)); }

fn inTile(i: u32) -> vec2i { return corner + vec2i(i32(i % tileWidth), i32(i / tileWidth)); }`
}

/** The entry point of a kernel with a workgroup for each tile, and its body. */
export function forTile(body: string): string {
  return `@compute @workgroup_size(lanes)
fn invoke(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) lane: u32,
) {
  let number = id.y * size.x + id.x;
  if (number >= u.tiles) { return; }
  enter(number);
  ${body}
}`
}

/** How many cells around a tile are loaded: two that `findPre` loses at each side and one for `near`; or half a window and one. */
export function marginOf({ window }: Sizes, direction: 'forward' | 'backward'): number {
  return Math.max(direction === 'forward' ? 3 : 1, (Math.max(...window) - 1) / 2 + 1)
}

/** The widest window: a row of a tile with the cells around it must fit into a word. */
export const widestWindow = 13

/** Rows of bits around a tile, `margin` cells at each side: bit k of row r is the cell (k, r) − margin of the tile. */
export function rowsWgsl({ padding }: Program, margin: number): string {
  return `
const margin = ${margin}u;
const rowsAround = ${tile.height + 2 * margin}u;
const widthAround = ${tile.width + 2 * margin}u;

fn rowOf(place: vec2i) -> u32 { return u32(place.y - corner.y) + margin; }
fn columnOf(place: vec2i) -> u32 { return u32(place.x - corner.x) + margin; }

fn wide(row: u32) -> u32 { return row | (row << 1u) | (row >> 1u); }

fn isSet(row: u32, place: vec2i) -> bool { return ((row >> columnOf(place)) & 1u) != 0u; }

/** The cells of a row that are in the grid. */
fn insideRow(r: u32) -> u32 {
  let all = (1u << widthAround) - 1u;
  ${padding === 'circular' ? 'return all;' : `
  let y = corner.y + i32(r) - i32(margin);
  if (y < 0 || y >= i32(u.height)) { return 0u; }
  let end = min(widthAround, u.width + margin - u32(corner.x));
  return ((1u << end) - 1u) & ~select(0u, (1u << margin) - 1u, corner.x == 0);`}
}`
}

/** `nameRow(r, shift)`: row r of marks, the 16 bits from `shift` on of the word that `at` reads for each row of a tile. */
export function loadRowWgsl({ padding }: Program, name: string, at: (i: string) => string): string {
  return `
fn ${name}Row(r: u32, shift: u32) -> u32 {
  let height = i32(u.height);
  let y = ${wrapWgsl(beyond(padding), '(corner.y + i32(r) - i32(margin))', 'height')};${padding === 'circular' ? '' : `
  if (y < 0 || y >= height) { return 0u; }`}
  let line = (sample * u.height + u32(y)) * u.tilesX;
  let own = u32(corner.x) / tileWidth;
  ${padding === 'circular' ? `
  if (own == 0u || u32(corner.x) + tileWidth + margin > u.width) { // around the edge cell by cell
    var row = 0u;
    for (var k = 0u; k < widthAround; k++) {
      let width = i32(u.width);
      let x = u32(${wrapWgsl(padding, '(corner.x + i32(k) - i32(margin))', 'width')});
      row |= ((${at('line + x / tileWidth')} >> (shift + x % tileWidth)) & 1u) << k;
    }
    return row;
  }` : ''}
  var row = ((${at('line + own')} >> shift) & 0xffffu) << margin;
  if (own > 0u) { row |= ((${at('line + own - 1u')} >> shift) & 0xffffu) >> (tileWidth - margin); }
  if (own + 1u < u.tilesX) {
    row |= ((${at('line + own + 1u')} >> shift) & ((1u << margin) - 1u)) << (tileWidth + margin);
  }
  return row;
}`
}

/**
 * `findLives(lane)` writes to `livesRows` and `strongRows` which cells live after the previous step, and which of them are
 * strong, except for the outermost cells. Reads the array `state`.
 */
export function livesWgsl(program: Program): string {
  const deadAreStrong = program.living!.above < 0
  return `
var<workgroup> loadedRows: array<u32, rowsAround>;
var<workgroup> strongRows: array<u32, rowsAround>;
var<workgroup> livesRows: array<u32, rowsAround>;
${loadRowWgsl(program, 'before', i => `state[u.cells * C + ${i}].x`)}${program.bound
    ? loadRowWgsl(program, 'bound', i => `state[u.cells * C + ${i}].z`) : ''}
fn findLives(lane: u32) {
  for (var r = lane; r < rowsAround; r += lanes) { loadedRows[r] = beforeRow(r, 0u); }
  workgroupBarrier();
  for (var r = lane + 1u; r + 1u < rowsAround; r += lanes) {
    let inGrid = insideRow(r);
    let near = wide(loadedRows[r - 1u] | loadedRows[r] | loadedRows[r + 1u]);
    let lives = inGrid & select(near & beforeRow(r, 16u), inGrid, u.first != 0u);
    livesRows[r] = lives;
    strongRows[r] = (${program.bound ? 'boundRow(r, 0u)' : 'loadedRows[r]'} & lives)${deadAreStrong ? ' | (inGrid & ~lives)' : ''};
  }
  workgroupBarrier();
}`
}

/**
 * What cells see. `look(r, place)` finds, for the r-th of the cells that are processed together, the cells of its window,
 * `cellOf[r * taps + tap]`, where tap `centre` is the cell itself; `seen(cell, c)` is a vector of one of them, and `perceive()`
 * fills y for all cells that are processed together. Reads the arrays `state` and, for filters, `kernel`.
 */
export function perceiveWgsl(
  program: Program, sizes: Sizes,
): string {
  const { padding, living, perception, channels, updated, bound } = program
  const { F, C, rowsAtOnce: r } = sizes
  const frozen = updated.length < channels
  // The padding of the channels counts as channels that never change, so it always stays zero.
  const still = updated.length < 4 * C
  const isFrozen = Array.from({ length: C }, (_, c) => `vec4<bool>(${[0, 1, 2, 3].map(e => !updated.includes(4 * c + e)).join(', ')})`)
  return `
var<private> cellOf: array<i32, rowsAtOnce * taps>;
var<private> y: array<vec4f, rowsAtOnce * N>;
const centre = ${sizes.places.indexOf((sizes.window[0] * sizes.window[1] - 1) / 2)}u;
const nothing = -1;
${still ? `
/** The channels that never change, not even in dead cells; and the others. */
fn onlyFrozen(v: vec4f, c: u32) -> vec4f { return select(vec4f(), v, isFrozen(c)); }
fn onlyMoving(v: vec4f, c: u32) -> vec4f { return select(v, vec4f(), isFrozen(c)); }
fn isFrozen(c: u32) -> vec4<bool> {
  const masks = array<vec4<bool>, C>(${isFrozen.join(', ')});
  var all = masks;
  return all[c];
}` : ''}
/** The cell that is seen at a place; dead ones as −2 − cell. */
fn seenAt(place: vec2i) -> i32 {
  let p = ${padding === beyond(padding) ? 'place' : wrapWgsl(padding, 'place', 'gridSize()')};
  let cell = cellAt(p);
  ${living ? 'if (cell >= 0 && !isSet(livesRows[rowOf(p)], p)) { return -2 - cell; }' : ''}
  return cell;
}

fn look(r: u32, place: vec2i) {
  for (var tap = 0u; tap < taps; tap++) {
    cellOf[r * taps + tap] = seenAt(place + wayOf(tap));
  }
}

fn stateAt(i: u32) -> vec4f { return bitcast<vec4f>(state[i]); }
${bound ? `${boundsWgsl(program)}
fn bounded(v: vec4f, c: u32) -> vec4f {
  if (u.first != 0u) { return v; }
  return ${boundEach('v', 'c', v => `boundOf(${v})`)};
}` : ''}

fn seen(cell: i32, c: u32) -> vec4f {
  if (cell >= 0) { return ${bound ? 'bounded(stateAt(u32(cell) * C + c), c)' : 'stateAt(u32(cell) * C + c)'}; }
  ${frozen ? 'if (cell < nothing) { return onlyFrozen(stateAt(u32(-2 - cell) * C + c), c); }' : ''}
  return vec4f();
}

fn perceive() {
  ${perception.filters === 0 ? `
  for (var tap = 0u; tap < taps; tap++) {
    for (var c = 0u; c < C; c++) {
      ${unrolled({ r }, 'y[{r}u * N + tap * C + c] = seen(cellOf[{r}u * taps + tap], c);')}
    }
  }` : `
  for (var c = 0u; c < C; c++) {
    ${unrolled({ r, f: F }, 'var y{r}_{f} = vec4f();')}
    for (var tap = 0u; tap < taps; tap++) {
      ${unrolled({ r }, 'let s{r} = seen(cellOf[{r}u * taps + tap], c);')}
      ${unrolled({ f: F }, `{ let k = kernel[({f}u * taps + tap) * C + c]; ${unrolled({ r }, 'y{r}_{f} += weighted(k, s{r});')} }`, '\n      ')}
    }
    ${unrolled({ r, f: F }, 'y[{r}u * N + {f}u * C + c] = y{r}_{f};')}
  }`}
}`
}

/**
 * The list of a tile's cells that act: they are marked with `mark(i)`, in any order; after a barrier `placeOf(i)` is the number
 * of marked cells before i, and `marked()` their total number.
 */
export const listWgsl: string = `
var<workgroup> actsRows: array<atomic<u32>, tileHeight>;
var<workgroup> list: array<u32, tileCells>;

fn mark(i: u32) { atomicOr(&actsRows[i / tileWidth], 1u << (i % tileWidth)); }

fn isMarked(i: u32) -> bool { return (atomicLoad(&actsRows[i / tileWidth]) & (1u << (i % tileWidth))) != 0u; }

fn placeOf(i: u32) -> u32 {
  var n = countOneBits(atomicLoad(&actsRows[i / tileWidth]) & ((1u << (i % tileWidth)) - 1u));
  for (var row = 0u; row < i / tileWidth; row++) { n += countOneBits(atomicLoad(&actsRows[row])); }
  return n;
}

fn marked() -> u32 {
  var n = 0u;
  for (var row = 0u; row < tileHeight; row++) { n += countOneBits(atomicLoad(&actsRows[row])); }
  return n;
}`
