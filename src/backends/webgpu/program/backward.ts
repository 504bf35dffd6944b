/**
 * WGSL: one backward step of all cells, in one dispatch. With g = ∂L/∂s after the step, and Pᵀ(…) what the next step of the
 * rollout (whose backward step ran before this one) has left for the neighbours to collect:
 *
 *   g   ← g + Pᵀ(∂L/∂y of the next step)        every cell collects from those whose windows it is in
 *  [g  ← g · the derivative of the bounds]
 *   g   ← g where the cell lives                 the living mask is a constant
 *   ∂L/∂z_L = g,  ∂L/∂h_l = W_(l+1) ∂L/∂z_(l+1),  ∂L/∂z_l = σ'(z_l) ⊙ ∂L/∂h_l        for the cells that act, to h_0 = y
 *   ∂L/∂W_l += h_(l−1)ᵀ ∂L/∂z_l          per workgroup, in its workspace
 *
 * A cell passes on its record, g and ∂L/∂y, with two bits that say whether it has the one and the other. If no cell around a
 * tile has anything and no cell in it acted, there is nothing to do. (A cell that acted counts even with a cotangent of zero,
 * so that a NaN in it shows.) Hidden layers are computed again. A workgroup takes every n-th tile for n workgroups, so always the
 * same ones, and sums its rows in scan order: the same bits in every run.
 */
import type { Program } from '../../program.ts'
import { imageOfWgsl } from '../../wgsl/window.ts'
import { boundEach } from './bounds.ts'
import {
  declareSizes, declareUniforms, forTile, listWgsl, livesWgsl, loadRowWgsl, marginOf, perceiveWgsl, placesWgsl, rowsWgsl,
} from './cells.ts'
import { activationsWgsl, bySums, declareRest, eachInput, eachWeight, hideWgsl, sumsWgsl, weightWgsl } from './layers.ts'
import { recordSize, type Sizes, type Workspace } from './sizes.ts'
import { unrolled } from './unrolled.ts'

const declareRecords = (sizes: Sizes): string => `
const recordSize = ${recordSize(sizes)}u;
fn recordAt(i: u32) -> vec4f { return bitcast<vec4f>(records[i]); }`

/**
 * `findRecords(lane)` loads into `heldRows` and `givesRows` which cells around the tile have a cotangent g, and which have one
 * of their perception; it returns false if none has. `collect(place, cell)` makes the array g from them, and returns
 * whether there was anything. It is the adjoint of a window with its padding: a sum over every cell m that sees this one
 * through a tap, directly, around the edge, or in the mirror. Reads the array `records`.
 */
function collectWgsl(program: Program): string {
  const { padding, perception } = program
  const reflect = padding === 'reflect', replicate = padding === 'replicate'
  return `
var<private> g: array<vec4f, C>;
var<workgroup> heldRows: array<u32, rowsAround>;
var<workgroup> givesRows: array<u32, rowsAround>;
var<workgroup> anybody: u32;
${loadRowWgsl(program, 'had', i => `records[u.cells * recordSize + ${i}].x`)}
fn findRecords(lane: u32) -> bool {
  for (var r = lane; r < rowsAround; r += lanes) {
    heldRows[r] = hadRow(r, 0u);
    givesRows[r] = hadRow(r, 16u);
  }
  workgroupBarrier();
  if (lane == 0u) {
    anybody = 0u;
    for (var r = 0u; r < rowsAround; r++) { anybody |= heldRows[r] | givesRows[r]; }
  }
  return workgroupUniformLoad(&anybody) != 0u;
}
${reflect ? imageOfWgsl : ''}
fn collect(place: vec2i, cell: u32) -> bool {
  var some = isSet(heldRows[rowOf(place)], place);
  for (var c = 0u; c < C; c++) {
    g[c] = vec4f();
    if (some) { g[c] = recordAt(cell * recordSize + c); }
  }
  for (var tap = 0u; tap < taps; tap++) {
    let way = wayOf(tap);
    ${reflect ? `
    for (var copy = 0u; copy < 9u; copy++) {
    let there = vec2i(imageOf(place.x, i32(u.width), copy % 3u), imageOf(place.y, i32(u.height), copy / 3u)) - way;
    ` : replicate ? `
    let outside = reach;
    let first = select(place, -outside, place == vec2i());
    let last = select(place, place + outside, place == gridSize() - 1);
    for (var y = first.y; y <= last.y; y++) { for (var x = first.x; x <= last.x; x++) {
    let there = vec2i(x, y) - way;
    ` : 'let there = place - way;'}
    let m = cellAt(there);
    if (m < 0 || !isSet(givesRows[rowOf(there)], there)) { continue; }
    some = true;
    let dy = u32(m) * recordSize + C;
    for (var c = 0u; c < C; c++) {
      ${perception.filters === 0 ? 'g[c] += recordAt(dy + tap * C + c);' : `
      for (var f = 0u; f < F; f++) { g[c] += weighted(kernel[(f * taps + tap) * C + c], recordAt(dy + f * C + c)); }`}
    }
    ${reflect ? '}' : replicate ? '} }' : ''}
  }
  return some;
}`
}

/**
 * `multiply(lane, rows, a, na, b, nb, to)` adds AᵀB, sums over the rows of the block, to the workspace's matrix at `to`, of 4·na
 * rows and nb vectors. Each invocation computes squares of 8 × 8 numbers.
 */
const multiplyWgsl = `
fn multiply(lane: u32, rows: u32, a: u32, na: u32, b: u32, nb: u32, to: u32) {
  let across = (nb + 1u) / 2u;
  for (var block = lane; block < (na + 1u) / 2u * across; block += lanes) {
    let i = block / across * 2u; let j = block % across * 2u;
    let a0 = mine + a + i * blockRows; let a1 = mine + a + min(i + 1u, na - 1u) * blockRows;
    let b0 = mine + b + j * blockRows; let b1 = mine + b + min(j + 1u, nb - 1u) * blockRows;
    ${unrolled({ h: 2, e: 4, c: 2 }, 'var s{h}{e}{c} = vec4f();')}
    for (var row = 0u; row < rows; row++) {
      let left0 = workspaces[a0 + row]; let left1 = workspaces[a1 + row];
      let right0 = workspaces[b0 + row]; let right1 = workspaces[b1 + row];
      ${unrolled({ h: 2, e: 4, c: 2 }, 's{h}{e}{c} += left{h}[{e}] * right{c};')}
    }
    let at = mine + to + 4u * i * nb + j;
    ${unrolled({ e: 4 }, 'workspaces[at + {e}u * nb] += s0{e}0;')}
    if (j + 1u < nb) { ${unrolled({ e: 4 }, 'workspaces[at + {e}u * nb + 1u] += s0{e}1;')} }
    if (i + 1u < na) {
      ${unrolled({ e: 4 }, 'workspaces[at + (4u + {e}u) * nb] += s1{e}0;')}
      if (j + 1u < nb) { ${unrolled({ e: 4 }, 'workspaces[at + (4u + {e}u) * nb + 1u] += s1{e}1;')} }
    }
  }
}

/** The workspace's n vectors from place to on grow by the sums over the rows of the block at a. */
fn addRows(lane: u32, rows: u32, a: u32, n: u32, to: u32) {
  for (var i = lane; i < n; i += lanes) {
    var sum = vec4f();
    for (var row = 0u; row < rows; row++) { sum += workspaces[mine + a + i * blockRows + row]; }
    workspaces[mine + to + i] += sum;
  }
}`

/**
 * From the cotangents of the outputs of hidden layer l to those of its sums, written into the block, and of its inputs, d(l−1).
 * For the last hidden layer they are computed here from the cotangent of the change, and so is the layer itself.
 */
function backThroughWgsl(program: Program, sizes: Sizes, l: number): string {
  const { widths, rowsAtOnce: r, hiddenAtOnce: q } = sizes
  const inputs = widths[l - 1], width = widths[l]
  const isLast = l === widths.length - 2
  const sums = isLast ? 'z{r}_{q}' : bySums(program)[l - 1] ? `sums${l}[{r}u * ${width}u + {q}u + j]` : 'vec4f()'
  return `
  for (var j = 0u; j < ${width}u; j += ${q}u) {
    ${isLast ? `${sumsWgsl(sizes, l)} var row = w${l + 1} + 4u * j * C;` : ''}
    ${unrolled({ q }, `
    ${isLast ? `
    ${unrolled({ r }, `let h{r}_{q} = activate${l}(j, z{r}_{q}); var d{r}_{q} = vec4f();`)}
    for (var c = 0u; c < C; c++) {
      ${unrolled({ r }, 'let g{r} = change[{r}u * C + c];')}
      ${eachWeight(sizes, {}, 'rest[row + {e}u * C + c]', 'd{r}_{q}[{e}] += dot(w, g{r});')}
    }
    row += 4u * C;` : `
    ${unrolled({ r }, `let h{r}_{q} = h${l}[{r}u * ${width}u + {q}u + j]; var d{r}_{q} = d${l}[{r}u * ${width}u + {q}u + j];`)}`}
    ${unrolled({ r }, `if (n + {r}u < rows) {
      d{r}_{q} = before${l}(j, d{r}_{q}, h{r}_{q}, ${sums});
      workspaces[mine + at_h${l} + (j + {q}u) * blockRows + n + {r}u] = h{r}_{q};
      workspaces[mine + at_d${l} + (j + {q}u) * blockRows + n + {r}u] = d{r}_{q};
    }`)}`)}
    if (${l === 1 ? 'u.wanted != 0u' : 'true'}) {
      ${eachInput(sizes, l)} {
        let row = 4u * i * ${width}u + j;
        ${eachWeight(sizes, { q }, weightWgsl(l, `row + ({e}u * ${width}u + {q}u)`),
          `d${l - 1}[{r}u * ${inputs}u + i][{e}] += dot(w, d{r}_{q});`)}
      }
    }
  }`
}

/** Arrays: next, workspaces, state, after, records, then the kernel if there are filters, w1 and rest. */
export function backwardWgsl(program: Program, sizes: Sizes, workspace: Workspace): string {
  const { living, perception, updated, channels, bound } = program
  const { widths } = sizes
  const last = widths.length - 1
  const frozen = updated.length < channels
  const { learned } = perception
  const names = Object.entries(workspace.at).map(([name, at]) => `const at_${name} = ${at}u;`).join(' ')
  return `${declareSizes(sizes)}${declareUniforms}${declareRest(sizes)}${declareRecords(sizes)}
const workspaceSize = ${workspace.size}u; ${names}
var<private> mine: u32;
${placesWgsl(program)}
${rowsWgsl(program, marginOf(sizes, 'backward'))}
${living ? livesWgsl(program) : ''}
${perceiveWgsl(program, sizes)}
${collectWgsl(program)}
${listWgsl}
${activationsWgsl(program, sizes)}
${hideWgsl(sizes, bySums(program))}
${multiplyWgsl}
var<workgroup> heldAfter: array<atomic<u32>, tileHeight>;
var<workgroup> total: u32;
${living ? `
var<workgroup> survivorRows: array<u32, rowsAround>;
${loadRowWgsl(program, 'after', i => `after[u.cells * C + ${i}].x`)}
/** Who lives after this step. loadedRows is free after findLives. */
fn findSurvivors(lane: u32) {
  for (var r = lane; r < rowsAround; r += lanes) { loadedRows[r] = afterRow(r, 0u); }
  workgroupBarrier();
  for (var r = lane + 1u; r + 1u < rowsAround; r += lanes) {
    let near = wide(loadedRows[r - 1u] | loadedRows[r] | loadedRows[r + 1u]);
    survivorRows[r] = near & afterRow(r, 16u);
  }
  workgroupBarrier();
}` : ''}
/** The cells of row k of the tile that acted in this step, and were alive before. */
fn actedRow(k: u32) -> u32 {
  let marks = after[u.cells * C + markOf(k)];
  return marks.y${living ? ' & (marks.x >> 16u)' : ''};
}

/** Whether the tile has one of them: it goes through the layers, also where its cotangent is zero. */
fn someActed(lane: u32) -> bool {
  if (lane == 0u) {
    total = 0u;
    for (var k = 0u; k < rowsInTile(); k++) { total |= actedRow(k); }
  }
  return workgroupUniformLoad(&total) != 0u;
}

/** The cotangent of a cell behind this step, into its record; that of a cell that died is zero. */
fn arrive(i: u32) {
  let place = inTile(i);
  let cell = u32(cellAt(place));
  let bit = 1u << (i % tileWidth);
  let acted = (actedRow(i / tileWidth) & bit) != 0u;
  if (!collect(place, cell) && !acted) { return; }
  ${living ? 'let alive = isSet(survivorRows[rowOf(place)], place);' : ''}
  ${living && !frozen ? 'if (!alive && !acted) { return; }' : ''}
  for (var c = 0u; c < C; c++) {
    ${bound ? `
    let was = bitcast<vec4f>(after[cell * C + c]);
    let owed = g[c];
    g[c] = ${boundEach('owed', 'c', (g, e) => `owedBy(was[${e}], ${g})`)};` : ''}
    ${living ? `if (!alive) { g[c] = ${frozen ? 'onlyFrozen(g[c], c)' : 'vec4f()'}; }` : ''}
    next[cell * recordSize + c] = bitcast<vec4u>(g[c]);
  }
  atomicOr(&heldAfter[i / tileWidth], bit);
  if (acted) { mark(i); }
}

/** Rows n … of the block, if there are any: from the cotangent of the change to that of what was perceived. */
fn through(first: u32, n: u32, rows: u32) {
  var change: array<vec4f, rowsAtOnce * C>;
  ${widths.slice(0, -2).map((width, l) => `var d${l}: array<vec4f, ${sizes.rowsAtOnce * width}>;`).join(' ')}
  for (var r = 0u; r < rowsAtOnce; r++) { look(r, inTile(list[first + min(n + r, rows - 1u)])); }
  perceive();
  hide();
  for (var r = 0u; r < min(rowsAtOnce, rows - n); r++) {
    let at = u32(cellAt(inTile(list[first + n + r]))) * recordSize;
    for (var i = 0u; i < N; i++) { workspaces[mine + at_h0 + i * blockRows + n + r] = y[r * N + i]; }
    for (var c = 0u; c < C; c++) {
      change[r * C + c] = ${frozen ? 'onlyMoving(bitcast<vec4f>(next[at + c]), c)' : 'bitcast<vec4f>(next[at + c])'};
      workspaces[mine + at_d${last} + c * blockRows + n + r] = change[r * C + c];
    }
    ${learned ? `for (var tap = 0u; tap < taps; tap++) {
      for (var c = 0u; c < C; c++) { workspaces[mine + at_window + (tap * C + c) * blockRows + n + r] = seen(cellOf[r * taps + tap], c); }
    }` : ''}
  }
${widths.slice(1, -1).map((_, i) => backThroughWgsl(program, sizes, last - 1 - i)).join('')}
  if (u.wanted != 0u) {
    for (var r = 0u; r < min(rowsAtOnce, rows - n); r++) {
      let at = u32(cellAt(inTile(list[first + n + r]))) * recordSize + C;
      for (var i = 0u; i < N; i++) {
        next[at + i] = bitcast<vec4u>(d0[r * N + i]);
        ${learned ? 'workspaces[mine + at_d0 + i * blockRows + n + r] = d0[r * N + i];' : ''}
      }
    }
  }
}
${learned ? `
/** The derivative of the filters: for each filter, tap and channel, the sum of what was seen times ∂L/∂y. */
fn filters(lane: u32, rows: u32) {
  for (var i = lane; i < taps * F * C; i += lanes) {
    let c = i % C; let tap = i / C % taps; let f = i / C / taps;
    var sum = vec4f();
    for (var row = 0u; row < rows; row++) {
      let seen = workspaces[mine + at_window + (tap * C + c) * blockRows + row];
      sum += seen * workspaces[mine + at_d0 + (f * C + c) * blockRows + row];
    }
    workspaces[mine + at_kernel + i] += sum;
  }
}` : ''}

@compute @workgroup_size(lanes)
fn invoke(@builtin(workgroup_id) id: vec3u, @builtin(local_invocation_index) lane: u32) {
  mine = id.x * workspaceSize;
  for (var number = u.firstTile + id.x; number < u.tiles; number += u.workspaces) {
    enter(number);
    if (!findRecords(lane) && !someActed(lane)) {
      for (var k = lane; k < rowsInTile(); k += lanes) { next[u.cells * recordSize + markOf(k)] = vec4u(); }
      continue;
    }
    for (var k = lane; k < tileHeight; k += lanes) {
      atomicStore(&actsRows[k], 0u);
      atomicStore(&heldAfter[k], 0u);
    }
    ${living ? 'findLives(lane); findSurvivors(lane);' : 'workgroupBarrier();'}
    for (var i = lane; i < tileCells; i += lanes) {
      if (all(inTile(i) < gridSize())) { arrive(i); }
    }
    storageBarrier();
    workgroupBarrier();
    for (var i = lane; i < tileCells; i += lanes) { if (isMarked(i)) { list[placeOf(i)] = i; } }
    for (var k = lane; k < rowsInTile(); k += lanes) {
      let marks = atomicLoad(&heldAfter[k]) | (atomicLoad(&actsRows[k]) << 16u);
      next[u.cells * recordSize + markOf(k)] = vec4u(marks, 0u, 0u, 0u);
    }
    if (lane == 0u) { total = marked(); }
    let count = workgroupUniformLoad(&total);
    for (var first = 0u; first < count; first += blockRows) {
      let rows = min(blockRows, count - first);
      if (lane * rowsAtOnce < rows) { through(first, lane * rowsAtOnce, rows); }
      storageBarrier();
      workgroupBarrier();
      ${widths.slice(1).map((width, l) => `
      multiply(lane, rows, at_h${l}, ${widths[l]}u, at_d${l + 1}, ${width}u, ${l === 0 ? 'at_w1' : `at_rest + w${l + 1}`});
      addRows(lane, rows, at_d${l + 1}, ${width}u, at_rest + b${l + 1});`).join('')}
      ${learned ? 'filters(lane, rows);' : ''}
      storageBarrier();
      workgroupBarrier();
    }
  }
}
`
}

/**
 * The cotangent of the first state, once the steps are done. A workgroup for each tile. Arrays: gx, records, then the
 * kernel, if there is one.
 */
export function collectFirstWgsl(program: Program, sizes: Sizes): string {
  return `${declareSizes(sizes)}${declareUniforms}${declareRecords(sizes)}
const channels = ${program.channels}u;
${placesWgsl(program)}
${rowsWgsl(program, marginOf(sizes, 'backward'))}
${collectWgsl(program)}
${forTile(`
  findRecords(lane);
  for (var i = lane; i < tileCells; i += lanes) {
    let place = inTile(i);
    if (any(place >= gridSize())) { continue; }
    let cell = u32(cellAt(place));
    collect(place, cell);
    for (var c = 0u; c < channels; c++) { gx[cell * channels + c] = g[c / 4u][c % 4u]; }
  }`)}
`
}
