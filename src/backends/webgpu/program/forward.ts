/**
 * WGSL: one forward step of all cells, in one dispatch. A workgroup for each tile:
 *
 *   lives   of the cells around it, from the marks that the previous step has left
 *   acts  = fire ∧ near              near: within one cell of a living one, since the candidate of a dead cell counts;
 *                                    and only where there is an input, if the rule has an input mask
 *   s'    = s + U(P(s)) [+ noise]    for the cells that act, a row of the list for each invocation; s for the others
 *
 * and the marks of this step. If no cell lives around a tile, its workgroup ends before it looks at any cell.
 */
import type { Program } from '../../program.ts'
import { literal } from '../../wgsl/literal.ts'
import { normalWgsl } from '../../wgsl/normal.ts'
import { threefryWgsl } from '../../wgsl/threefry.ts'
import {
  declareSizes, declareUniforms, forTile, listWgsl, livesWgsl, marginOf, perceiveWgsl, placesWgsl, rowsWgsl,
} from './cells.ts'
import { activationsWgsl, declareRest, eachWeight, hideWgsl, sumsWgsl } from './layers.ts'
import type { Sizes } from './sizes.ts'
import { unrolled } from './unrolled.ts'

/** Arrays: next, state, then the mask if there is one, the kernel if there are filters, w1 and rest. */
export function forwardWgsl(program: Program, sizes: Sizes, masked: boolean): string {
  const { living, inputMask, updated, channels, fireRate, noise, bound } = program
  const { C: c, rowsAtOnce: r, widths, hiddenAtOnce } = sizes
  const last = widths.length - 1
  const frozen = updated.length < channels
  const still = updated.length < 4 * c
  const always = Math.round(fireRate * 2 ** 32) === 2 ** 32
  const fires = masked ? 'mask[cell] != 0u' : always ? 'true'
    : 'draw(cell % (u.width * u.height)) < u.threshold'
  return `${declareSizes(sizes)}${declareUniforms}${declareRest(sizes)}
${placesWgsl(program)}
${rowsWgsl(program, marginOf(sizes, 'forward'))}
${living ? `${livesWgsl(program)}
var<workgroup> preRows: array<u32, rowsAround>;
var<workgroup> some: u32;
var<workgroup> strongAfter: array<atomic<u32>, tileHeight>;
${bound ? 'var<workgroup> strongBound: array<atomic<u32>, tileHeight>;' : ''}

/** Who was alive before this step, after findLives, or everybody where that does not matter; false where nobody was. */
fn findPre(lane: u32) -> bool {
  for (var r = lane + 2u; r + 2u < rowsAround; r += lanes) {
    preRows[r] = insideRow(r)${living.when === 'after' ? ''
      : ' & wide(strongRows[r - 1u] | strongRows[r] | strongRows[r + 1u])'};
  }
  workgroupBarrier();
  if (lane == 0u) {
    some = 0u;
    for (var r = 2u; r + 2u < rowsAround; r++) { some |= preRows[r]; }
  }
  return workgroupUniformLoad(&some) != 0u;
}

/** Whether a cell of the tile was within one cell of a living one. */
fn isNear(place: vec2i) -> bool {
  let r = rowOf(place);
  return isSet(wide(preRows[r - 1u] | preRows[r] | preRows[r + 1u]), place);
}` : ''}
${perceiveWgsl(program, sizes)}
${listWgsl}
${(masked || always) && noise === null ? '' : threefryWgsl}
${masked || always ? '' : `
fn draw(cell: u32) -> u32 {
  let words = threefry(vec2u(u.key0, u.key1), vec2u(sample, cell));
  return words.x ^ words.y;
}`}
${noise === null ? '' : noiseWgsl()}${activationsWgsl(program, sizes)}
${hideWgsl(sizes)}
/** The cells n … of the list. Where it ends before, the last one is taken again, and written once more. */
fn step(n: u32, count: u32) {
  ${unrolled({ r }, `let i{r} = list[min(n + {r}u, count - 1u)];
  let cell{r} = u32(cellAt(inTile(i{r})));
  look({r}u, inTile(i{r}));
  ${unrolled({ c }, `var s{r}_{c} = seen(cellOf[{r}u * taps + centre], {c}u) + rest[b${last} + {c}u];`)}
 `)}
  perceive();
  hide();
  for (var j = 0u; j < ${widths[last - 1]}u; j += ${hiddenAtOnce}u) {${sumsWgsl(sizes, last - 1)}
    var row = w${last} + 4u * j * C;
    ${unrolled({ q: hiddenAtOnce }, `{
      ${unrolled({ r }, `let h{r} = activate${last - 1}(j, z{r}_{q});`)}
      ${eachWeight(sizes, { c }, 'rest[row + ({e}u * C + {c}u)]', 's{r}_{c} += h{r}[{e}] * w;')}
      row += 4u * C;
    }`, '\n    ')}
  }
  ${noise === null ? '' : disturb(program, sizes, noise.std)}${unrolled({ r }, `
  ${still ? unrolled({ c }, 's{r}_{c} = select(s{r}_{c}, seen(cellOf[{r}u * taps + centre], {c}u), isFrozen({c}u));') : ''}
  ${unrolled({ c }, 'next[cell{r} * C + {c}u] = bitcast<vec4u>(s{r}_{c});')}
  ${living ? `if (exceeds(s{r}_${living.channel >> 2}[${living.channel & 3}], ${literal(living.above)})) {
    atomicOr(&strongAfter[i{r} / tileWidth], 1u << (i{r} % tileWidth));
  }
  ${bound ? `markBound(i{r}, s{r}_${living.channel >> 2}[${living.channel & 3}]);` : ''}` : ''}`)}
}

${living && bound ? `
/** Marks a cell whose living channel exceeds its threshold also within its bounds. */
fn markBound(i: u32, value: f32) {
  if (exceeds(${updated.includes(living.channel) ? 'boundOf(value)' : 'value'}, ${literal(living.above)})) {
    atomicOr(&strongBound[i / tileWidth], 1u << (i % tileWidth));
  }
}` : ''}
/** A cell that does not act stays as it is; dead ones are not read by anyone. */
fn stay(i: u32) {
  let place = inTile(i);
  let cell = u32(cellAt(place));
  ${living ? `
  let r = rowOf(place);
  if (isSet(strongRows[r], place)) { atomicOr(&strongAfter[i / tileWidth], 1u << (i % tileWidth)); }
  ${frozen ? '' : 'if (!isSet(preRows[r], place)) { return; }'}` : ''}
  let source = seenAt(place);
  ${living && bound ? `markBound(i, seen(source, ${living.channel >> 2}u)[${living.channel & 3}]);` : ''}
  for (var c = 0u; c < C; c++) { next[cell * C + c] = bitcast<vec4u>(seen(source, c)); }
}

${inputMask ? `
fn hasInput(i: u32) -> bool {
  let value = seen(seenAt(inTile(i)), ${inputMask.channel >> 2}u)[${inputMask.channel & 3}];
  return exceeds(value, ${literal(inputMask.above)});
}` : ''}
fn inGrid(i: u32) -> bool { return all(inTile(i) < gridSize()); }

${forTile(`
  ${living ? `
  findLives(lane);
  if (!findPre(lane)) {
    ${frozen ? 'for (var i = lane; i < tileCells; i += lanes) { if (inGrid(i)) { stay(i); } }' : ''}
    for (var k = lane; k < rowsInTile(); k += lanes) { next[u.cells * C + markOf(k)] = vec4u(); }
    return;
  }` : ''}
  for (var i = lane; i < tileCells; i += lanes) {
    if (!inGrid(i)${living ? ' || !isNear(inTile(i))' : ''}) { continue; }
    ${fires === 'true' ? '' : 'let cell = u32(cellAt(inTile(i)));'}
    if (${fires}${inputMask ? ' && hasInput(i)' : ''}) { mark(i); }
  }
  workgroupBarrier();
  for (var i = lane; i < tileCells; i += lanes) {
    if (isMarked(i)) { list[placeOf(i)] = i; }
    else if (inGrid(i)) { stay(i); }
  }
  workgroupBarrier();
  let count = marked();
  for (var n = lane * rowsAtOnce; n < count; n += blockRows) { step(n, count); }
  workgroupBarrier();
  for (var k = lane; k < rowsInTile(); k += lanes) {
    next[u.cells * C + markOf(k)] = vec4u(${living
      ? 'atomicLoad(&strongAfter[k]) | (((preRows[k + margin] >> margin) & 0xffffu) << 16u)'
      : '0u'}, atomicLoad(&actsRows[k]), ${living && bound ? 'atomicLoad(&strongBound[k])' : '0u'}, 0u);
  }`)}
`
}

/**
 * The noise on the change of a cell: the draws of `normal` for [b,h,w,updated]. A single loop draws all numbers of a step,
 * since compilers inline functions at every call.
 */
function noiseWgsl(): string {
  return `${normalWgsl}
fn noiseAt(i: u32) -> f32 {
  let words = threefry(vec2u(u.noise0, u.noise1), vec2u(0u, i));
  return normalOf(words.x ^ words.y);
}`
}

/** Adds noise to the rows of a step; that of frozen channels is undone together with their change. */
function disturb({ updated }: Program, { C, rowsAtOnce }: Sizes, std: number): string {
  const places = Array.from({ length: 4 * C }, (_, channel) => Math.max(updated.indexOf(channel), 0))
  return `
  var cells = array(${unrolled({ r: rowsAtOnce }, 'cell{r}', ', ')});
  var places = array(${places.map(place => `${place}u`).join(', ')});
  var noise: array<vec4f, rowsAtOnce * C>;
  for (var q = 0u; q < rowsAtOnce * 4u * C; q++) {
    noise[q / 4u][q % 4u] = ${literal(std)} * noiseAt(cells[q / (4u * C)] * ${updated.length}u + places[q % (4u * C)]);
  }
  ${unrolled({ r: rowsAtOnce, c: C }, 's{r}_{c} += noise[{r}u * C + {c}u];')}`
}
