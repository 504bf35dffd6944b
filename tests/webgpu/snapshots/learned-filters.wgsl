// learned-filters: one forward step

@group(0) @binding(0) var<storage, read_write> next: array<vec4u>;
@group(0) @binding(1) var<storage, read> state: array<vec4u>;
@group(0) @binding(2) var<uniform> kernel: array<vec4f, 54>;
@group(0) @binding(3) var<uniform> w1: array<vec4f, 96>;
@group(0) @binding(4) var<uniform> rest: array<vec4f, 106>;
fn hyperbolicTangent(x: f32) -> f32 {
    if (isNan(x)) { return x; }
    if (abs(x) < 0.625) {
      let z = x * x;
      let p = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
        - 3.33332819422e-1;
      return p * z * x + x;
    }
    let y = 1 - 2 / (exponential(2 * min(abs(x), 10)) + 1);
    return select(y, -y, x < 0);
  }
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffff) > 0x7f800000; }
fn exponential(x: f32) -> f32 {
    if (isNan(x)) { return x; }
    if (x > 88.7228317) { return infinity(); }
    if (x < -104) { return 0; }
    let n = round(x * 1.44269504);
    return scaled(nearOne(x - n * 0.693359375 + n * 2.12194440e-4), i32(n)); // ln 2 in two parts, the first of 9 bits
  }
fn infinity() -> f32 { return float(0x7f800000); }
fn float(bits: u32) -> f32 { return bitcast<f32>(bits); }
fn nearOne(r: f32) -> f32 {
    let p = ((((1.9875691500e-4 * r + 1.3981999507e-3) * r + 8.3334519073e-3) * r + 4.1665795894e-2) * r
      + 1.6666665459e-1) * r + 5.0000001201e-1;
    return p * r * r + r + 1;
  }
fn scaled(x: f32, n: i32) -> f32 {
    let half = n >> 1;
    return x * bitcast<f32>((half + 127) << 23) * bitcast<f32>((n - half + 127) << 23);
  }

const lanes = 32u;
const rowsAtOnce = 2u;
const blockRows = lanes * rowsAtOnce;
const tileHeight = 8u;
const tileWidth = 16u;
const tileCells = 128u;
const C = 2u; const N = 6u; const taps = 9u; const F = 3u;
const reach = vec2i(1, 1);

/** k · s, where a weight of zero looks at nothing, infinite or not. */
fn weighted(k: vec4f, s: vec4f) -> vec4f { return select(k * s, vec4f(), k == vec4f()); }

/** From a cell to what it sees through a tap. */
fn wayOf(tap: u32) -> vec2i {
  let place = tap;
  return vec2i(i32(place % 3u), i32(place / 3u)) - reach;
}
struct Uniforms { height: u32, width: u32, cells: u32, tilesX: u32, tilesY: u32, tiles: u32, workspaces: u32, first: u32, key0: u32, key1: u32, noise0: u32, noise1: u32, threshold: u32, wanted: u32, firstTile: u32, runs: u32 }
@group(1) @binding(0) var<uniform> u: Uniforms;
const b1 = 0u; const w2 = 4u; const b2 = 68u; const w3 = 72u; const b3 = 104u;

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
  let p = (place % size + size) % size;
  return (i32(sample) * size.y + p.y) * size.x + p.x;
}

/** Where the marks of row k of the tile are, and how many rows of it are in the grid. */
fn markOf(k: u32) -> u32 {
  return (sample * u.height + u32(corner.y) + k) * u.tilesX + u32(corner.x) / tileWidth;
}
fn rowsInTile() -> u32 { return min(tileHeight, u.height - u32(corner.y)); }

fn inTile(i: u32) -> vec2i { return corner + vec2i(i32(i % tileWidth), i32(i / tileWidth)); }

const margin = 3u;
const rowsAround = 14u;
const widthAround = 22u;

fn rowOf(place: vec2i) -> u32 { return u32(place.y - corner.y) + margin; }
fn columnOf(place: vec2i) -> u32 { return u32(place.x - corner.x) + margin; }

fn wide(row: u32) -> u32 { return row | (row << 1u) | (row >> 1u); }

fn isSet(row: u32, place: vec2i) -> bool { return ((row >> columnOf(place)) & 1u) != 0u; }

/** The cells of a row that are in the grid. */
fn insideRow(r: u32) -> u32 {
  let all = (1u << widthAround) - 1u;
  return all;
}


var<private> cellOf: array<i32, rowsAtOnce * taps>;
var<private> y: array<vec4f, rowsAtOnce * N>;
const centre = 4u;
const nothing = -1;

/** The channels that never change, not even in dead cells; and the others. */
fn onlyFrozen(v: vec4f, c: u32) -> vec4f { return select(vec4f(), v, isFrozen(c)); }
fn onlyMoving(v: vec4f, c: u32) -> vec4f { return select(v, vec4f(), isFrozen(c)); }
fn isFrozen(c: u32) -> vec4<bool> {
  const masks = array<vec4<bool>, C>(vec4<bool>(false, false, false, false), vec4<bool>(false, false, true, true));
  var all = masks;
  return all[c];
}
/** The cell that is seen at a place; dead ones as −2 − cell. */
fn seenAt(place: vec2i) -> i32 {
  let p = place;
  let cell = cellAt(p);
  
  return cell;
}

fn look(r: u32, place: vec2i) {
  for (var tap = 0u; tap < taps; tap++) {
    cellOf[r * taps + tap] = seenAt(place + wayOf(tap));
  }
}

fn stateAt(i: u32) -> vec4f { return bitcast<vec4f>(state[i]); }


fn seen(cell: i32, c: u32) -> vec4f {
  if (cell >= 0) { return stateAt(u32(cell) * C + c); }
  
  return vec4f();
}

fn perceive() {
  
  for (var c = 0u; c < C; c++) {
    var y0_0 = vec4f(); var y0_1 = vec4f(); var y0_2 = vec4f(); var y1_0 = vec4f(); var y1_1 = vec4f(); var y1_2 = vec4f();
    for (var tap = 0u; tap < taps; tap++) {
      let s0 = seen(cellOf[0u * taps + tap], c); let s1 = seen(cellOf[1u * taps + tap], c);
      { let k = kernel[(0u * taps + tap) * C + c]; y0_0 += weighted(k, s0); y1_0 += weighted(k, s1); }
      { let k = kernel[(1u * taps + tap) * C + c]; y0_1 += weighted(k, s0); y1_1 += weighted(k, s1); }
      { let k = kernel[(2u * taps + tap) * C + c]; y0_2 += weighted(k, s0); y1_2 += weighted(k, s1); }
    }
    y[0u * N + 0u * C + c] = y0_0; y[0u * N + 1u * C + c] = y0_1; y[0u * N + 2u * C + c] = y0_2; y[1u * N + 0u * C + c] = y1_0; y[1u * N + 1u * C + c] = y1_1; y[1u * N + 2u * C + c] = y1_2;
  }
}

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
}



fn activate1(j: u32, z: vec4f) -> vec4f { { return vec4f(hyperbolicTangent(z.x), hyperbolicTangent(z.y), hyperbolicTangent(z.z), hyperbolicTangent(z.w)); } }
fn before1(j: u32, d: vec4f, h: vec4f, z: vec4f) -> vec4f { { return d * (1.0 - h * h); } }
fn activate2(j: u32, z: vec4f) -> vec4f { { return vec4f(hyperbolicTangent(z.x), hyperbolicTangent(z.y), hyperbolicTangent(z.z), hyperbolicTangent(z.w)); } }
fn before2(j: u32, d: vec4f, h: vec4f, z: vec4f) -> vec4f { { return d * (1.0 - h * h); } }

var<private> h1: array<vec4f, 8>;
fn hide() {
  for (var j = 0u; j < 4u; j += 4u) {
    var z0_0 = rest[b1 + j + 0u]; var z0_1 = rest[b1 + j + 1u]; var z0_2 = rest[b1 + j + 2u]; var z0_3 = rest[b1 + j + 3u]; var z1_0 = rest[b1 + j + 0u]; var z1_1 = rest[b1 + j + 1u]; var z1_2 = rest[b1 + j + 2u]; var z1_3 = rest[b1 + j + 3u];
    for (var i = 0u; i < 6u; i++) {
      let v0 = y[0u * 6u + i]; let v1 = y[1u * 6u + i];
      let row = 4u * i * 4u + j;
      { let w = w1[row + (0u * 4u + 0u)]; z0_0 += v0[0] * w; z1_0 += v1[0] * w; }
      { let w = w1[row + (0u * 4u + 1u)]; z0_1 += v0[0] * w; z1_1 += v1[0] * w; }
      { let w = w1[row + (0u * 4u + 2u)]; z0_2 += v0[0] * w; z1_2 += v1[0] * w; }
      { let w = w1[row + (0u * 4u + 3u)]; z0_3 += v0[0] * w; z1_3 += v1[0] * w; }
      { let w = w1[row + (1u * 4u + 0u)]; z0_0 += v0[1] * w; z1_0 += v1[1] * w; }
      { let w = w1[row + (1u * 4u + 1u)]; z0_1 += v0[1] * w; z1_1 += v1[1] * w; }
      { let w = w1[row + (1u * 4u + 2u)]; z0_2 += v0[1] * w; z1_2 += v1[1] * w; }
      { let w = w1[row + (1u * 4u + 3u)]; z0_3 += v0[1] * w; z1_3 += v1[1] * w; }
      { let w = w1[row + (2u * 4u + 0u)]; z0_0 += v0[2] * w; z1_0 += v1[2] * w; }
      { let w = w1[row + (2u * 4u + 1u)]; z0_1 += v0[2] * w; z1_1 += v1[2] * w; }
      { let w = w1[row + (2u * 4u + 2u)]; z0_2 += v0[2] * w; z1_2 += v1[2] * w; }
      { let w = w1[row + (2u * 4u + 3u)]; z0_3 += v0[2] * w; z1_3 += v1[2] * w; }
      { let w = w1[row + (3u * 4u + 0u)]; z0_0 += v0[3] * w; z1_0 += v1[3] * w; }
      { let w = w1[row + (3u * 4u + 1u)]; z0_1 += v0[3] * w; z1_1 += v1[3] * w; }
      { let w = w1[row + (3u * 4u + 2u)]; z0_2 += v0[3] * w; z1_2 += v1[3] * w; }
      { let w = w1[row + (3u * 4u + 3u)]; z0_3 += v0[3] * w; z1_3 += v1[3] * w; } }
    h1[0u * 4u + 0u + j] = activate1(j, z0_0); h1[0u * 4u + 1u + j] = activate1(j, z0_1); h1[0u * 4u + 2u + j] = activate1(j, z0_2); h1[0u * 4u + 3u + j] = activate1(j, z0_3); h1[1u * 4u + 0u + j] = activate1(j, z1_0); h1[1u * 4u + 1u + j] = activate1(j, z1_1); h1[1u * 4u + 2u + j] = activate1(j, z1_2); h1[1u * 4u + 3u + j] = activate1(j, z1_3);
  }
}
/** The cells n … of the list. Where it ends before, the last one is taken again, and written once more. */
fn step(n: u32, count: u32) {
  let i0 = list[min(n + 0u, count - 1u)];
  let cell0 = u32(cellAt(inTile(i0)));
  look(0u, inTile(i0));
  var s0_0 = seen(cellOf[0u * taps + centre], 0u) + rest[b3 + 0u]; var s0_1 = seen(cellOf[0u * taps + centre], 1u) + rest[b3 + 1u];
  let i1 = list[min(n + 1u, count - 1u)];
  let cell1 = u32(cellAt(inTile(i1)));
  look(1u, inTile(i1));
  var s1_0 = seen(cellOf[1u * taps + centre], 0u) + rest[b3 + 0u]; var s1_1 = seen(cellOf[1u * taps + centre], 1u) + rest[b3 + 1u];
 
  perceive();
  hide();
  for (var j = 0u; j < 4u; j += 4u) {
    var z0_0 = rest[b2 + j + 0u]; var z0_1 = rest[b2 + j + 1u]; var z0_2 = rest[b2 + j + 2u]; var z0_3 = rest[b2 + j + 3u]; var z1_0 = rest[b2 + j + 0u]; var z1_1 = rest[b2 + j + 1u]; var z1_2 = rest[b2 + j + 2u]; var z1_3 = rest[b2 + j + 3u];
    for (var i = 0u; i < 4u; i++) {
      let v0 = h1[0u * 4u + i]; let v1 = h1[1u * 4u + i];
      let row = 4u * i * 4u + j;
      { let w = rest[w2 + row + (0u * 4u + 0u)]; z0_0 += v0[0] * w; z1_0 += v1[0] * w; }
      { let w = rest[w2 + row + (0u * 4u + 1u)]; z0_1 += v0[0] * w; z1_1 += v1[0] * w; }
      { let w = rest[w2 + row + (0u * 4u + 2u)]; z0_2 += v0[0] * w; z1_2 += v1[0] * w; }
      { let w = rest[w2 + row + (0u * 4u + 3u)]; z0_3 += v0[0] * w; z1_3 += v1[0] * w; }
      { let w = rest[w2 + row + (1u * 4u + 0u)]; z0_0 += v0[1] * w; z1_0 += v1[1] * w; }
      { let w = rest[w2 + row + (1u * 4u + 1u)]; z0_1 += v0[1] * w; z1_1 += v1[1] * w; }
      { let w = rest[w2 + row + (1u * 4u + 2u)]; z0_2 += v0[1] * w; z1_2 += v1[1] * w; }
      { let w = rest[w2 + row + (1u * 4u + 3u)]; z0_3 += v0[1] * w; z1_3 += v1[1] * w; }
      { let w = rest[w2 + row + (2u * 4u + 0u)]; z0_0 += v0[2] * w; z1_0 += v1[2] * w; }
      { let w = rest[w2 + row + (2u * 4u + 1u)]; z0_1 += v0[2] * w; z1_1 += v1[2] * w; }
      { let w = rest[w2 + row + (2u * 4u + 2u)]; z0_2 += v0[2] * w; z1_2 += v1[2] * w; }
      { let w = rest[w2 + row + (2u * 4u + 3u)]; z0_3 += v0[2] * w; z1_3 += v1[2] * w; }
      { let w = rest[w2 + row + (3u * 4u + 0u)]; z0_0 += v0[3] * w; z1_0 += v1[3] * w; }
      { let w = rest[w2 + row + (3u * 4u + 1u)]; z0_1 += v0[3] * w; z1_1 += v1[3] * w; }
      { let w = rest[w2 + row + (3u * 4u + 2u)]; z0_2 += v0[3] * w; z1_2 += v1[3] * w; }
      { let w = rest[w2 + row + (3u * 4u + 3u)]; z0_3 += v0[3] * w; z1_3 += v1[3] * w; } }
    var row = w3 + 4u * j * C;
    {
      let h0 = activate2(j, z0_0); let h1 = activate2(j, z1_0);
      { let w = rest[row + (0u * C + 0u)]; s0_0 += h0[0] * w; s1_0 += h1[0] * w; }
      { let w = rest[row + (0u * C + 1u)]; s0_1 += h0[0] * w; s1_1 += h1[0] * w; }
      { let w = rest[row + (1u * C + 0u)]; s0_0 += h0[1] * w; s1_0 += h1[1] * w; }
      { let w = rest[row + (1u * C + 1u)]; s0_1 += h0[1] * w; s1_1 += h1[1] * w; }
      { let w = rest[row + (2u * C + 0u)]; s0_0 += h0[2] * w; s1_0 += h1[2] * w; }
      { let w = rest[row + (2u * C + 1u)]; s0_1 += h0[2] * w; s1_1 += h1[2] * w; }
      { let w = rest[row + (3u * C + 0u)]; s0_0 += h0[3] * w; s1_0 += h1[3] * w; }
      { let w = rest[row + (3u * C + 1u)]; s0_1 += h0[3] * w; s1_1 += h1[3] * w; }
      row += 4u * C;
    }
    {
      let h0 = activate2(j, z0_1); let h1 = activate2(j, z1_1);
      { let w = rest[row + (0u * C + 0u)]; s0_0 += h0[0] * w; s1_0 += h1[0] * w; }
      { let w = rest[row + (0u * C + 1u)]; s0_1 += h0[0] * w; s1_1 += h1[0] * w; }
      { let w = rest[row + (1u * C + 0u)]; s0_0 += h0[1] * w; s1_0 += h1[1] * w; }
      { let w = rest[row + (1u * C + 1u)]; s0_1 += h0[1] * w; s1_1 += h1[1] * w; }
      { let w = rest[row + (2u * C + 0u)]; s0_0 += h0[2] * w; s1_0 += h1[2] * w; }
      { let w = rest[row + (2u * C + 1u)]; s0_1 += h0[2] * w; s1_1 += h1[2] * w; }
      { let w = rest[row + (3u * C + 0u)]; s0_0 += h0[3] * w; s1_0 += h1[3] * w; }
      { let w = rest[row + (3u * C + 1u)]; s0_1 += h0[3] * w; s1_1 += h1[3] * w; }
      row += 4u * C;
    }
    {
      let h0 = activate2(j, z0_2); let h1 = activate2(j, z1_2);
      { let w = rest[row + (0u * C + 0u)]; s0_0 += h0[0] * w; s1_0 += h1[0] * w; }
      { let w = rest[row + (0u * C + 1u)]; s0_1 += h0[0] * w; s1_1 += h1[0] * w; }
      { let w = rest[row + (1u * C + 0u)]; s0_0 += h0[1] * w; s1_0 += h1[1] * w; }
      { let w = rest[row + (1u * C + 1u)]; s0_1 += h0[1] * w; s1_1 += h1[1] * w; }
      { let w = rest[row + (2u * C + 0u)]; s0_0 += h0[2] * w; s1_0 += h1[2] * w; }
      { let w = rest[row + (2u * C + 1u)]; s0_1 += h0[2] * w; s1_1 += h1[2] * w; }
      { let w = rest[row + (3u * C + 0u)]; s0_0 += h0[3] * w; s1_0 += h1[3] * w; }
      { let w = rest[row + (3u * C + 1u)]; s0_1 += h0[3] * w; s1_1 += h1[3] * w; }
      row += 4u * C;
    }
    {
      let h0 = activate2(j, z0_3); let h1 = activate2(j, z1_3);
      { let w = rest[row + (0u * C + 0u)]; s0_0 += h0[0] * w; s1_0 += h1[0] * w; }
      { let w = rest[row + (0u * C + 1u)]; s0_1 += h0[0] * w; s1_1 += h1[0] * w; }
      { let w = rest[row + (1u * C + 0u)]; s0_0 += h0[1] * w; s1_0 += h1[1] * w; }
      { let w = rest[row + (1u * C + 1u)]; s0_1 += h0[1] * w; s1_1 += h1[1] * w; }
      { let w = rest[row + (2u * C + 0u)]; s0_0 += h0[2] * w; s1_0 += h1[2] * w; }
      { let w = rest[row + (2u * C + 1u)]; s0_1 += h0[2] * w; s1_1 += h1[2] * w; }
      { let w = rest[row + (3u * C + 0u)]; s0_0 += h0[3] * w; s1_0 += h1[3] * w; }
      { let w = rest[row + (3u * C + 1u)]; s0_1 += h0[3] * w; s1_1 += h1[3] * w; }
      row += 4u * C;
    }
  }
  
  s0_0 = select(s0_0, seen(cellOf[0u * taps + centre], 0u), isFrozen(0u)); s0_1 = select(s0_1, seen(cellOf[0u * taps + centre], 1u), isFrozen(1u));
  next[cell0 * C + 0u] = bitcast<vec4u>(s0_0); next[cell0 * C + 1u] = bitcast<vec4u>(s0_1);
   
  s1_0 = select(s1_0, seen(cellOf[1u * taps + centre], 0u), isFrozen(0u)); s1_1 = select(s1_1, seen(cellOf[1u * taps + centre], 1u), isFrozen(1u));
  next[cell1 * C + 0u] = bitcast<vec4u>(s1_0); next[cell1 * C + 1u] = bitcast<vec4u>(s1_1);
  
}


/** A cell that does not act stays as it is; dead ones are not read by anyone. */
fn stay(i: u32) {
  let place = inTile(i);
  let cell = u32(cellAt(place));
  
  let source = seenAt(place);
  
  for (var c = 0u; c < C; c++) { next[cell * C + c] = bitcast<vec4u>(seen(source, c)); }
}


fn inGrid(i: u32) -> bool { return all(inTile(i) < gridSize()); }

@compute @workgroup_size(lanes)
fn invoke(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) lane: u32,
) {
  let number = id.y * size.x + id.x;
  if (number >= u.tiles) { return; }
  enter(number);
  
  
  for (var i = lane; i < tileCells; i += lanes) {
    if (!inGrid(i)) { continue; }
    
    if (true) { mark(i); }
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
    next[u.cells * C + markOf(k)] = vec4u(0u, atomicLoad(&actsRows[k]), 0u, 0u);
  }
}

// learned-filters: one backward step

@group(0) @binding(0) var<storage, read_write> next: array<vec4u>;
@group(0) @binding(1) var<storage, read_write> workspaces: array<vec4f>;
@group(0) @binding(2) var<storage, read> state: array<vec4u>;
@group(0) @binding(3) var<storage, read> after: array<vec4u>;
@group(0) @binding(4) var<storage, read> records: array<vec4u>;
@group(0) @binding(5) var<uniform> kernel: array<vec4f, 54>;
@group(0) @binding(6) var<uniform> w1: array<vec4f, 96>;
@group(0) @binding(7) var<uniform> rest: array<vec4f, 106>;
fn hyperbolicTangent(x: f32) -> f32 {
    if (isNan(x)) { return x; }
    if (abs(x) < 0.625) {
      let z = x * x;
      let p = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
        - 3.33332819422e-1;
      return p * z * x + x;
    }
    let y = 1 - 2 / (exponential(2 * min(abs(x), 10)) + 1);
    return select(y, -y, x < 0);
  }
fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffff) > 0x7f800000; }
fn exponential(x: f32) -> f32 {
    if (isNan(x)) { return x; }
    if (x > 88.7228317) { return infinity(); }
    if (x < -104) { return 0; }
    let n = round(x * 1.44269504);
    return scaled(nearOne(x - n * 0.693359375 + n * 2.12194440e-4), i32(n)); // ln 2 in two parts, the first of 9 bits
  }
fn infinity() -> f32 { return float(0x7f800000); }
fn float(bits: u32) -> f32 { return bitcast<f32>(bits); }
fn nearOne(r: f32) -> f32 {
    let p = ((((1.9875691500e-4 * r + 1.3981999507e-3) * r + 8.3334519073e-3) * r + 4.1665795894e-2) * r
      + 1.6666665459e-1) * r + 5.0000001201e-1;
    return p * r * r + r + 1;
  }
fn scaled(x: f32, n: i32) -> f32 {
    let half = n >> 1;
    return x * bitcast<f32>((half + 127) << 23) * bitcast<f32>((n - half + 127) << 23);
  }

const lanes = 32u;
const rowsAtOnce = 2u;
const blockRows = lanes * rowsAtOnce;
const tileHeight = 8u;
const tileWidth = 16u;
const tileCells = 128u;
const C = 2u; const N = 6u; const taps = 9u; const F = 3u;
const reach = vec2i(1, 1);

/** k · s, where a weight of zero looks at nothing, infinite or not. */
fn weighted(k: vec4f, s: vec4f) -> vec4f { return select(k * s, vec4f(), k == vec4f()); }

/** From a cell to what it sees through a tap. */
fn wayOf(tap: u32) -> vec2i {
  let place = tap;
  return vec2i(i32(place % 3u), i32(place / 3u)) - reach;
}
struct Uniforms { height: u32, width: u32, cells: u32, tilesX: u32, tilesY: u32, tiles: u32, workspaces: u32, first: u32, key0: u32, key1: u32, noise0: u32, noise1: u32, threshold: u32, wanted: u32, firstTile: u32, runs: u32 }
@group(1) @binding(0) var<uniform> u: Uniforms;
const b1 = 0u; const w2 = 4u; const b2 = 68u; const w3 = 72u; const b3 = 104u;
const recordSize = 8u;
fn recordAt(i: u32) -> vec4f { return bitcast<vec4f>(records[i]); }
const workspaceSize = 3328u; const at_kernel = 0u; const at_w1 = 54u; const at_rest = 150u; const at_h0 = 256u; const at_h1 = 640u; const at_h2 = 896u; const at_d0 = 1152u; const at_d1 = 1536u; const at_d2 = 1792u; const at_d3 = 2048u; const at_window = 2176u;
var<private> mine: u32;

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
  let p = (place % size + size) % size;
  return (i32(sample) * size.y + p.y) * size.x + p.x;
}

/** Where the marks of row k of the tile are, and how many rows of it are in the grid. */
fn markOf(k: u32) -> u32 {
  return (sample * u.height + u32(corner.y) + k) * u.tilesX + u32(corner.x) / tileWidth;
}
fn rowsInTile() -> u32 { return min(tileHeight, u.height - u32(corner.y)); }

fn inTile(i: u32) -> vec2i { return corner + vec2i(i32(i % tileWidth), i32(i / tileWidth)); }

const margin = 2u;
const rowsAround = 12u;
const widthAround = 20u;

fn rowOf(place: vec2i) -> u32 { return u32(place.y - corner.y) + margin; }
fn columnOf(place: vec2i) -> u32 { return u32(place.x - corner.x) + margin; }

fn wide(row: u32) -> u32 { return row | (row << 1u) | (row >> 1u); }

fn isSet(row: u32, place: vec2i) -> bool { return ((row >> columnOf(place)) & 1u) != 0u; }

/** The cells of a row that are in the grid. */
fn insideRow(r: u32) -> u32 {
  let all = (1u << widthAround) - 1u;
  return all;
}


var<private> cellOf: array<i32, rowsAtOnce * taps>;
var<private> y: array<vec4f, rowsAtOnce * N>;
const centre = 4u;
const nothing = -1;

/** The channels that never change, not even in dead cells; and the others. */
fn onlyFrozen(v: vec4f, c: u32) -> vec4f { return select(vec4f(), v, isFrozen(c)); }
fn onlyMoving(v: vec4f, c: u32) -> vec4f { return select(v, vec4f(), isFrozen(c)); }
fn isFrozen(c: u32) -> vec4<bool> {
  const masks = array<vec4<bool>, C>(vec4<bool>(false, false, false, false), vec4<bool>(false, false, true, true));
  var all = masks;
  return all[c];
}
/** The cell that is seen at a place; dead ones as −2 − cell. */
fn seenAt(place: vec2i) -> i32 {
  let p = place;
  let cell = cellAt(p);
  
  return cell;
}

fn look(r: u32, place: vec2i) {
  for (var tap = 0u; tap < taps; tap++) {
    cellOf[r * taps + tap] = seenAt(place + wayOf(tap));
  }
}

fn stateAt(i: u32) -> vec4f { return bitcast<vec4f>(state[i]); }


fn seen(cell: i32, c: u32) -> vec4f {
  if (cell >= 0) { return stateAt(u32(cell) * C + c); }
  
  return vec4f();
}

fn perceive() {
  
  for (var c = 0u; c < C; c++) {
    var y0_0 = vec4f(); var y0_1 = vec4f(); var y0_2 = vec4f(); var y1_0 = vec4f(); var y1_1 = vec4f(); var y1_2 = vec4f();
    for (var tap = 0u; tap < taps; tap++) {
      let s0 = seen(cellOf[0u * taps + tap], c); let s1 = seen(cellOf[1u * taps + tap], c);
      { let k = kernel[(0u * taps + tap) * C + c]; y0_0 += weighted(k, s0); y1_0 += weighted(k, s1); }
      { let k = kernel[(1u * taps + tap) * C + c]; y0_1 += weighted(k, s0); y1_1 += weighted(k, s1); }
      { let k = kernel[(2u * taps + tap) * C + c]; y0_2 += weighted(k, s0); y1_2 += weighted(k, s1); }
    }
    y[0u * N + 0u * C + c] = y0_0; y[0u * N + 1u * C + c] = y0_1; y[0u * N + 2u * C + c] = y0_2; y[1u * N + 0u * C + c] = y1_0; y[1u * N + 1u * C + c] = y1_1; y[1u * N + 2u * C + c] = y1_2;
  }
}

var<private> g: array<vec4f, C>;
var<workgroup> heldRows: array<u32, rowsAround>;
var<workgroup> givesRows: array<u32, rowsAround>;
var<workgroup> anybody: u32;

fn hadRow(r: u32, shift: u32) -> u32 {
  let height = i32(u.height);
  let y = ((corner.y + i32(r) - i32(margin)) % height + height) % height;
  let line = (sample * u.height + u32(y)) * u.tilesX;
  let own = u32(corner.x) / tileWidth;
  
  if (own == 0u || u32(corner.x) + tileWidth + margin > u.width) { // around the edge cell by cell
    var row = 0u;
    for (var k = 0u; k < widthAround; k++) {
      let width = i32(u.width);
      let x = u32(((corner.x + i32(k) - i32(margin)) % width + width) % width);
      row |= ((records[u.cells * recordSize + line + x / tileWidth].x >> (shift + x % tileWidth)) & 1u) << k;
    }
    return row;
  }
  var row = ((records[u.cells * recordSize + line + own].x >> shift) & 0xffffu) << margin;
  if (own > 0u) { row |= ((records[u.cells * recordSize + line + own - 1u].x >> shift) & 0xffffu) >> (tileWidth - margin); }
  if (own + 1u < u.tilesX) {
    row |= ((records[u.cells * recordSize + line + own + 1u].x >> shift) & ((1u << margin) - 1u)) << (tileWidth + margin);
  }
  return row;
}
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

fn collect(place: vec2i, cell: u32) -> bool {
  var some = isSet(heldRows[rowOf(place)], place);
  for (var c = 0u; c < C; c++) {
    g[c] = vec4f();
    if (some) { g[c] = recordAt(cell * recordSize + c); }
  }
  for (var tap = 0u; tap < taps; tap++) {
    let way = wayOf(tap);
    let there = place - way;
    let m = cellAt(there);
    if (m < 0 || !isSet(givesRows[rowOf(there)], there)) { continue; }
    some = true;
    let dy = u32(m) * recordSize + C;
    for (var c = 0u; c < C; c++) {
      
      for (var f = 0u; f < F; f++) { g[c] += weighted(kernel[(f * taps + tap) * C + c], recordAt(dy + f * C + c)); }
    }
    
  }
  return some;
}

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
}

fn activate1(j: u32, z: vec4f) -> vec4f { { return vec4f(hyperbolicTangent(z.x), hyperbolicTangent(z.y), hyperbolicTangent(z.z), hyperbolicTangent(z.w)); } }
fn before1(j: u32, d: vec4f, h: vec4f, z: vec4f) -> vec4f { { return d * (1.0 - h * h); } }
fn activate2(j: u32, z: vec4f) -> vec4f { { return vec4f(hyperbolicTangent(z.x), hyperbolicTangent(z.y), hyperbolicTangent(z.z), hyperbolicTangent(z.w)); } }
fn before2(j: u32, d: vec4f, h: vec4f, z: vec4f) -> vec4f { { return d * (1.0 - h * h); } }

var<private> h1: array<vec4f, 8>;
fn hide() {
  for (var j = 0u; j < 4u; j += 4u) {
    var z0_0 = rest[b1 + j + 0u]; var z0_1 = rest[b1 + j + 1u]; var z0_2 = rest[b1 + j + 2u]; var z0_3 = rest[b1 + j + 3u]; var z1_0 = rest[b1 + j + 0u]; var z1_1 = rest[b1 + j + 1u]; var z1_2 = rest[b1 + j + 2u]; var z1_3 = rest[b1 + j + 3u];
    for (var i = 0u; i < 6u; i++) {
      let v0 = y[0u * 6u + i]; let v1 = y[1u * 6u + i];
      let row = 4u * i * 4u + j;
      { let w = w1[row + (0u * 4u + 0u)]; z0_0 += v0[0] * w; z1_0 += v1[0] * w; }
      { let w = w1[row + (0u * 4u + 1u)]; z0_1 += v0[0] * w; z1_1 += v1[0] * w; }
      { let w = w1[row + (0u * 4u + 2u)]; z0_2 += v0[0] * w; z1_2 += v1[0] * w; }
      { let w = w1[row + (0u * 4u + 3u)]; z0_3 += v0[0] * w; z1_3 += v1[0] * w; }
      { let w = w1[row + (1u * 4u + 0u)]; z0_0 += v0[1] * w; z1_0 += v1[1] * w; }
      { let w = w1[row + (1u * 4u + 1u)]; z0_1 += v0[1] * w; z1_1 += v1[1] * w; }
      { let w = w1[row + (1u * 4u + 2u)]; z0_2 += v0[1] * w; z1_2 += v1[1] * w; }
      { let w = w1[row + (1u * 4u + 3u)]; z0_3 += v0[1] * w; z1_3 += v1[1] * w; }
      { let w = w1[row + (2u * 4u + 0u)]; z0_0 += v0[2] * w; z1_0 += v1[2] * w; }
      { let w = w1[row + (2u * 4u + 1u)]; z0_1 += v0[2] * w; z1_1 += v1[2] * w; }
      { let w = w1[row + (2u * 4u + 2u)]; z0_2 += v0[2] * w; z1_2 += v1[2] * w; }
      { let w = w1[row + (2u * 4u + 3u)]; z0_3 += v0[2] * w; z1_3 += v1[2] * w; }
      { let w = w1[row + (3u * 4u + 0u)]; z0_0 += v0[3] * w; z1_0 += v1[3] * w; }
      { let w = w1[row + (3u * 4u + 1u)]; z0_1 += v0[3] * w; z1_1 += v1[3] * w; }
      { let w = w1[row + (3u * 4u + 2u)]; z0_2 += v0[3] * w; z1_2 += v1[3] * w; }
      { let w = w1[row + (3u * 4u + 3u)]; z0_3 += v0[3] * w; z1_3 += v1[3] * w; } }
    h1[0u * 4u + 0u + j] = activate1(j, z0_0); h1[0u * 4u + 1u + j] = activate1(j, z0_1); h1[0u * 4u + 2u + j] = activate1(j, z0_2); h1[0u * 4u + 3u + j] = activate1(j, z0_3); h1[1u * 4u + 0u + j] = activate1(j, z1_0); h1[1u * 4u + 1u + j] = activate1(j, z1_1); h1[1u * 4u + 2u + j] = activate1(j, z1_2); h1[1u * 4u + 3u + j] = activate1(j, z1_3);
  }
}

fn multiply(lane: u32, rows: u32, a: u32, na: u32, b: u32, nb: u32, to: u32) {
  let across = (nb + 1u) / 2u;
  for (var block = lane; block < (na + 1u) / 2u * across; block += lanes) {
    let i = block / across * 2u; let j = block % across * 2u;
    let a0 = mine + a + i * blockRows; let a1 = mine + a + min(i + 1u, na - 1u) * blockRows;
    let b0 = mine + b + j * blockRows; let b1 = mine + b + min(j + 1u, nb - 1u) * blockRows;
    var s000 = vec4f(); var s001 = vec4f(); var s010 = vec4f(); var s011 = vec4f(); var s020 = vec4f(); var s021 = vec4f(); var s030 = vec4f(); var s031 = vec4f(); var s100 = vec4f(); var s101 = vec4f(); var s110 = vec4f(); var s111 = vec4f(); var s120 = vec4f(); var s121 = vec4f(); var s130 = vec4f(); var s131 = vec4f();
    for (var row = 0u; row < rows; row++) {
      let left0 = workspaces[a0 + row]; let left1 = workspaces[a1 + row];
      let right0 = workspaces[b0 + row]; let right1 = workspaces[b1 + row];
      s000 += left0[0] * right0; s001 += left0[0] * right1; s010 += left0[1] * right0; s011 += left0[1] * right1; s020 += left0[2] * right0; s021 += left0[2] * right1; s030 += left0[3] * right0; s031 += left0[3] * right1; s100 += left1[0] * right0; s101 += left1[0] * right1; s110 += left1[1] * right0; s111 += left1[1] * right1; s120 += left1[2] * right0; s121 += left1[2] * right1; s130 += left1[3] * right0; s131 += left1[3] * right1;
    }
    let at = mine + to + 4u * i * nb + j;
    workspaces[at + 0u * nb] += s000; workspaces[at + 1u * nb] += s010; workspaces[at + 2u * nb] += s020; workspaces[at + 3u * nb] += s030;
    if (j + 1u < nb) { workspaces[at + 0u * nb + 1u] += s001; workspaces[at + 1u * nb + 1u] += s011; workspaces[at + 2u * nb + 1u] += s021; workspaces[at + 3u * nb + 1u] += s031; }
    if (i + 1u < na) {
      workspaces[at + (4u + 0u) * nb] += s100; workspaces[at + (4u + 1u) * nb] += s110; workspaces[at + (4u + 2u) * nb] += s120; workspaces[at + (4u + 3u) * nb] += s130;
      if (j + 1u < nb) { workspaces[at + (4u + 0u) * nb + 1u] += s101; workspaces[at + (4u + 1u) * nb + 1u] += s111; workspaces[at + (4u + 2u) * nb + 1u] += s121; workspaces[at + (4u + 3u) * nb + 1u] += s131; }
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
}
var<workgroup> heldAfter: array<atomic<u32>, tileHeight>;
var<workgroup> total: u32;

/** The cells of row k of the tile that acted in this step, and were alive before. */
fn actedRow(k: u32) -> u32 {
  let marks = after[u.cells * C + markOf(k)];
  return marks.y;
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
  
  
  for (var c = 0u; c < C; c++) {
    
    
    next[cell * recordSize + c] = bitcast<vec4u>(g[c]);
  }
  atomicOr(&heldAfter[i / tileWidth], bit);
  if (acted) { mark(i); }
}

/** Rows n … of the block, if there are any: from the cotangent of the change to that of what was perceived. */
fn through(first: u32, n: u32, rows: u32) {
  var change: array<vec4f, rowsAtOnce * C>;
  var d0: array<vec4f, 12>; var d1: array<vec4f, 8>;
  for (var r = 0u; r < rowsAtOnce; r++) { look(r, inTile(list[first + min(n + r, rows - 1u)])); }
  perceive();
  hide();
  for (var r = 0u; r < min(rowsAtOnce, rows - n); r++) {
    let at = u32(cellAt(inTile(list[first + n + r]))) * recordSize;
    for (var i = 0u; i < N; i++) { workspaces[mine + at_h0 + i * blockRows + n + r] = y[r * N + i]; }
    for (var c = 0u; c < C; c++) {
      change[r * C + c] = bitcast<vec4f>(next[at + c]);
      workspaces[mine + at_d3 + c * blockRows + n + r] = change[r * C + c];
    }
    for (var tap = 0u; tap < taps; tap++) {
      for (var c = 0u; c < C; c++) { workspaces[mine + at_window + (tap * C + c) * blockRows + n + r] = seen(cellOf[r * taps + tap], c); }
    }
  }

  for (var j = 0u; j < 4u; j += 4u) {
    
    var z0_0 = rest[b2 + j + 0u]; var z0_1 = rest[b2 + j + 1u]; var z0_2 = rest[b2 + j + 2u]; var z0_3 = rest[b2 + j + 3u]; var z1_0 = rest[b2 + j + 0u]; var z1_1 = rest[b2 + j + 1u]; var z1_2 = rest[b2 + j + 2u]; var z1_3 = rest[b2 + j + 3u];
    for (var i = 0u; i < 4u; i++) {
      let v0 = h1[0u * 4u + i]; let v1 = h1[1u * 4u + i];
      let row = 4u * i * 4u + j;
      { let w = rest[w2 + row + (0u * 4u + 0u)]; z0_0 += v0[0] * w; z1_0 += v1[0] * w; }
      { let w = rest[w2 + row + (0u * 4u + 1u)]; z0_1 += v0[0] * w; z1_1 += v1[0] * w; }
      { let w = rest[w2 + row + (0u * 4u + 2u)]; z0_2 += v0[0] * w; z1_2 += v1[0] * w; }
      { let w = rest[w2 + row + (0u * 4u + 3u)]; z0_3 += v0[0] * w; z1_3 += v1[0] * w; }
      { let w = rest[w2 + row + (1u * 4u + 0u)]; z0_0 += v0[1] * w; z1_0 += v1[1] * w; }
      { let w = rest[w2 + row + (1u * 4u + 1u)]; z0_1 += v0[1] * w; z1_1 += v1[1] * w; }
      { let w = rest[w2 + row + (1u * 4u + 2u)]; z0_2 += v0[1] * w; z1_2 += v1[1] * w; }
      { let w = rest[w2 + row + (1u * 4u + 3u)]; z0_3 += v0[1] * w; z1_3 += v1[1] * w; }
      { let w = rest[w2 + row + (2u * 4u + 0u)]; z0_0 += v0[2] * w; z1_0 += v1[2] * w; }
      { let w = rest[w2 + row + (2u * 4u + 1u)]; z0_1 += v0[2] * w; z1_1 += v1[2] * w; }
      { let w = rest[w2 + row + (2u * 4u + 2u)]; z0_2 += v0[2] * w; z1_2 += v1[2] * w; }
      { let w = rest[w2 + row + (2u * 4u + 3u)]; z0_3 += v0[2] * w; z1_3 += v1[2] * w; }
      { let w = rest[w2 + row + (3u * 4u + 0u)]; z0_0 += v0[3] * w; z1_0 += v1[3] * w; }
      { let w = rest[w2 + row + (3u * 4u + 1u)]; z0_1 += v0[3] * w; z1_1 += v1[3] * w; }
      { let w = rest[w2 + row + (3u * 4u + 2u)]; z0_2 += v0[3] * w; z1_2 += v1[3] * w; }
      { let w = rest[w2 + row + (3u * 4u + 3u)]; z0_3 += v0[3] * w; z1_3 += v1[3] * w; } } var row = w3 + 4u * j * C;
    
    
    let h0_0 = activate2(j, z0_0); var d0_0 = vec4f(); let h1_0 = activate2(j, z1_0); var d1_0 = vec4f();
    for (var c = 0u; c < C; c++) {
      let g0 = change[0u * C + c]; let g1 = change[1u * C + c];
      { let w = rest[row + 0u * C + c]; d0_0[0] += dot(w, g0); d1_0[0] += dot(w, g1); }
      { let w = rest[row + 1u * C + c]; d0_0[1] += dot(w, g0); d1_0[1] += dot(w, g1); }
      { let w = rest[row + 2u * C + c]; d0_0[2] += dot(w, g0); d1_0[2] += dot(w, g1); }
      { let w = rest[row + 3u * C + c]; d0_0[3] += dot(w, g0); d1_0[3] += dot(w, g1); }
    }
    row += 4u * C;
    if (n + 0u < rows) {
      d0_0 = before2(j, d0_0, h0_0, z0_0);
      workspaces[mine + at_h2 + (j + 0u) * blockRows + n + 0u] = h0_0;
      workspaces[mine + at_d2 + (j + 0u) * blockRows + n + 0u] = d0_0;
    } if (n + 1u < rows) {
      d1_0 = before2(j, d1_0, h1_0, z1_0);
      workspaces[mine + at_h2 + (j + 0u) * blockRows + n + 1u] = h1_0;
      workspaces[mine + at_d2 + (j + 0u) * blockRows + n + 1u] = d1_0;
    } 
    
    let h0_1 = activate2(j, z0_1); var d0_1 = vec4f(); let h1_1 = activate2(j, z1_1); var d1_1 = vec4f();
    for (var c = 0u; c < C; c++) {
      let g0 = change[0u * C + c]; let g1 = change[1u * C + c];
      { let w = rest[row + 0u * C + c]; d0_1[0] += dot(w, g0); d1_1[0] += dot(w, g1); }
      { let w = rest[row + 1u * C + c]; d0_1[1] += dot(w, g0); d1_1[1] += dot(w, g1); }
      { let w = rest[row + 2u * C + c]; d0_1[2] += dot(w, g0); d1_1[2] += dot(w, g1); }
      { let w = rest[row + 3u * C + c]; d0_1[3] += dot(w, g0); d1_1[3] += dot(w, g1); }
    }
    row += 4u * C;
    if (n + 0u < rows) {
      d0_1 = before2(j, d0_1, h0_1, z0_1);
      workspaces[mine + at_h2 + (j + 1u) * blockRows + n + 0u] = h0_1;
      workspaces[mine + at_d2 + (j + 1u) * blockRows + n + 0u] = d0_1;
    } if (n + 1u < rows) {
      d1_1 = before2(j, d1_1, h1_1, z1_1);
      workspaces[mine + at_h2 + (j + 1u) * blockRows + n + 1u] = h1_1;
      workspaces[mine + at_d2 + (j + 1u) * blockRows + n + 1u] = d1_1;
    } 
    
    let h0_2 = activate2(j, z0_2); var d0_2 = vec4f(); let h1_2 = activate2(j, z1_2); var d1_2 = vec4f();
    for (var c = 0u; c < C; c++) {
      let g0 = change[0u * C + c]; let g1 = change[1u * C + c];
      { let w = rest[row + 0u * C + c]; d0_2[0] += dot(w, g0); d1_2[0] += dot(w, g1); }
      { let w = rest[row + 1u * C + c]; d0_2[1] += dot(w, g0); d1_2[1] += dot(w, g1); }
      { let w = rest[row + 2u * C + c]; d0_2[2] += dot(w, g0); d1_2[2] += dot(w, g1); }
      { let w = rest[row + 3u * C + c]; d0_2[3] += dot(w, g0); d1_2[3] += dot(w, g1); }
    }
    row += 4u * C;
    if (n + 0u < rows) {
      d0_2 = before2(j, d0_2, h0_2, z0_2);
      workspaces[mine + at_h2 + (j + 2u) * blockRows + n + 0u] = h0_2;
      workspaces[mine + at_d2 + (j + 2u) * blockRows + n + 0u] = d0_2;
    } if (n + 1u < rows) {
      d1_2 = before2(j, d1_2, h1_2, z1_2);
      workspaces[mine + at_h2 + (j + 2u) * blockRows + n + 1u] = h1_2;
      workspaces[mine + at_d2 + (j + 2u) * blockRows + n + 1u] = d1_2;
    } 
    
    let h0_3 = activate2(j, z0_3); var d0_3 = vec4f(); let h1_3 = activate2(j, z1_3); var d1_3 = vec4f();
    for (var c = 0u; c < C; c++) {
      let g0 = change[0u * C + c]; let g1 = change[1u * C + c];
      { let w = rest[row + 0u * C + c]; d0_3[0] += dot(w, g0); d1_3[0] += dot(w, g1); }
      { let w = rest[row + 1u * C + c]; d0_3[1] += dot(w, g0); d1_3[1] += dot(w, g1); }
      { let w = rest[row + 2u * C + c]; d0_3[2] += dot(w, g0); d1_3[2] += dot(w, g1); }
      { let w = rest[row + 3u * C + c]; d0_3[3] += dot(w, g0); d1_3[3] += dot(w, g1); }
    }
    row += 4u * C;
    if (n + 0u < rows) {
      d0_3 = before2(j, d0_3, h0_3, z0_3);
      workspaces[mine + at_h2 + (j + 3u) * blockRows + n + 0u] = h0_3;
      workspaces[mine + at_d2 + (j + 3u) * blockRows + n + 0u] = d0_3;
    } if (n + 1u < rows) {
      d1_3 = before2(j, d1_3, h1_3, z1_3);
      workspaces[mine + at_h2 + (j + 3u) * blockRows + n + 1u] = h1_3;
      workspaces[mine + at_d2 + (j + 3u) * blockRows + n + 1u] = d1_3;
    }
    if (true) {
      for (var i = 0u; i < 4u; i++) {
        let row = 4u * i * 4u + j;
        { let w = rest[w2 + row + (0u * 4u + 0u)]; d1[0u * 4u + i][0] += dot(w, d0_0); d1[1u * 4u + i][0] += dot(w, d1_0); }
      { let w = rest[w2 + row + (0u * 4u + 1u)]; d1[0u * 4u + i][0] += dot(w, d0_1); d1[1u * 4u + i][0] += dot(w, d1_1); }
      { let w = rest[w2 + row + (0u * 4u + 2u)]; d1[0u * 4u + i][0] += dot(w, d0_2); d1[1u * 4u + i][0] += dot(w, d1_2); }
      { let w = rest[w2 + row + (0u * 4u + 3u)]; d1[0u * 4u + i][0] += dot(w, d0_3); d1[1u * 4u + i][0] += dot(w, d1_3); }
      { let w = rest[w2 + row + (1u * 4u + 0u)]; d1[0u * 4u + i][1] += dot(w, d0_0); d1[1u * 4u + i][1] += dot(w, d1_0); }
      { let w = rest[w2 + row + (1u * 4u + 1u)]; d1[0u * 4u + i][1] += dot(w, d0_1); d1[1u * 4u + i][1] += dot(w, d1_1); }
      { let w = rest[w2 + row + (1u * 4u + 2u)]; d1[0u * 4u + i][1] += dot(w, d0_2); d1[1u * 4u + i][1] += dot(w, d1_2); }
      { let w = rest[w2 + row + (1u * 4u + 3u)]; d1[0u * 4u + i][1] += dot(w, d0_3); d1[1u * 4u + i][1] += dot(w, d1_3); }
      { let w = rest[w2 + row + (2u * 4u + 0u)]; d1[0u * 4u + i][2] += dot(w, d0_0); d1[1u * 4u + i][2] += dot(w, d1_0); }
      { let w = rest[w2 + row + (2u * 4u + 1u)]; d1[0u * 4u + i][2] += dot(w, d0_1); d1[1u * 4u + i][2] += dot(w, d1_1); }
      { let w = rest[w2 + row + (2u * 4u + 2u)]; d1[0u * 4u + i][2] += dot(w, d0_2); d1[1u * 4u + i][2] += dot(w, d1_2); }
      { let w = rest[w2 + row + (2u * 4u + 3u)]; d1[0u * 4u + i][2] += dot(w, d0_3); d1[1u * 4u + i][2] += dot(w, d1_3); }
      { let w = rest[w2 + row + (3u * 4u + 0u)]; d1[0u * 4u + i][3] += dot(w, d0_0); d1[1u * 4u + i][3] += dot(w, d1_0); }
      { let w = rest[w2 + row + (3u * 4u + 1u)]; d1[0u * 4u + i][3] += dot(w, d0_1); d1[1u * 4u + i][3] += dot(w, d1_1); }
      { let w = rest[w2 + row + (3u * 4u + 2u)]; d1[0u * 4u + i][3] += dot(w, d0_2); d1[1u * 4u + i][3] += dot(w, d1_2); }
      { let w = rest[w2 + row + (3u * 4u + 3u)]; d1[0u * 4u + i][3] += dot(w, d0_3); d1[1u * 4u + i][3] += dot(w, d1_3); }
      }
    }
  }
  for (var j = 0u; j < 4u; j += 4u) {
    
    
    
    let h0_0 = h1[0u * 4u + 0u + j]; var d0_0 = d1[0u * 4u + 0u + j]; let h1_0 = h1[1u * 4u + 0u + j]; var d1_0 = d1[1u * 4u + 0u + j];
    if (n + 0u < rows) {
      d0_0 = before1(j, d0_0, h0_0, vec4f());
      workspaces[mine + at_h1 + (j + 0u) * blockRows + n + 0u] = h0_0;
      workspaces[mine + at_d1 + (j + 0u) * blockRows + n + 0u] = d0_0;
    } if (n + 1u < rows) {
      d1_0 = before1(j, d1_0, h1_0, vec4f());
      workspaces[mine + at_h1 + (j + 0u) * blockRows + n + 1u] = h1_0;
      workspaces[mine + at_d1 + (j + 0u) * blockRows + n + 1u] = d1_0;
    } 
    
    let h0_1 = h1[0u * 4u + 1u + j]; var d0_1 = d1[0u * 4u + 1u + j]; let h1_1 = h1[1u * 4u + 1u + j]; var d1_1 = d1[1u * 4u + 1u + j];
    if (n + 0u < rows) {
      d0_1 = before1(j, d0_1, h0_1, vec4f());
      workspaces[mine + at_h1 + (j + 1u) * blockRows + n + 0u] = h0_1;
      workspaces[mine + at_d1 + (j + 1u) * blockRows + n + 0u] = d0_1;
    } if (n + 1u < rows) {
      d1_1 = before1(j, d1_1, h1_1, vec4f());
      workspaces[mine + at_h1 + (j + 1u) * blockRows + n + 1u] = h1_1;
      workspaces[mine + at_d1 + (j + 1u) * blockRows + n + 1u] = d1_1;
    } 
    
    let h0_2 = h1[0u * 4u + 2u + j]; var d0_2 = d1[0u * 4u + 2u + j]; let h1_2 = h1[1u * 4u + 2u + j]; var d1_2 = d1[1u * 4u + 2u + j];
    if (n + 0u < rows) {
      d0_2 = before1(j, d0_2, h0_2, vec4f());
      workspaces[mine + at_h1 + (j + 2u) * blockRows + n + 0u] = h0_2;
      workspaces[mine + at_d1 + (j + 2u) * blockRows + n + 0u] = d0_2;
    } if (n + 1u < rows) {
      d1_2 = before1(j, d1_2, h1_2, vec4f());
      workspaces[mine + at_h1 + (j + 2u) * blockRows + n + 1u] = h1_2;
      workspaces[mine + at_d1 + (j + 2u) * blockRows + n + 1u] = d1_2;
    } 
    
    let h0_3 = h1[0u * 4u + 3u + j]; var d0_3 = d1[0u * 4u + 3u + j]; let h1_3 = h1[1u * 4u + 3u + j]; var d1_3 = d1[1u * 4u + 3u + j];
    if (n + 0u < rows) {
      d0_3 = before1(j, d0_3, h0_3, vec4f());
      workspaces[mine + at_h1 + (j + 3u) * blockRows + n + 0u] = h0_3;
      workspaces[mine + at_d1 + (j + 3u) * blockRows + n + 0u] = d0_3;
    } if (n + 1u < rows) {
      d1_3 = before1(j, d1_3, h1_3, vec4f());
      workspaces[mine + at_h1 + (j + 3u) * blockRows + n + 1u] = h1_3;
      workspaces[mine + at_d1 + (j + 3u) * blockRows + n + 1u] = d1_3;
    }
    if (u.wanted != 0u) {
      for (var i = 0u; i < 6u; i++) {
        let row = 4u * i * 4u + j;
        { let w = w1[row + (0u * 4u + 0u)]; d0[0u * 6u + i][0] += dot(w, d0_0); d0[1u * 6u + i][0] += dot(w, d1_0); }
      { let w = w1[row + (0u * 4u + 1u)]; d0[0u * 6u + i][0] += dot(w, d0_1); d0[1u * 6u + i][0] += dot(w, d1_1); }
      { let w = w1[row + (0u * 4u + 2u)]; d0[0u * 6u + i][0] += dot(w, d0_2); d0[1u * 6u + i][0] += dot(w, d1_2); }
      { let w = w1[row + (0u * 4u + 3u)]; d0[0u * 6u + i][0] += dot(w, d0_3); d0[1u * 6u + i][0] += dot(w, d1_3); }
      { let w = w1[row + (1u * 4u + 0u)]; d0[0u * 6u + i][1] += dot(w, d0_0); d0[1u * 6u + i][1] += dot(w, d1_0); }
      { let w = w1[row + (1u * 4u + 1u)]; d0[0u * 6u + i][1] += dot(w, d0_1); d0[1u * 6u + i][1] += dot(w, d1_1); }
      { let w = w1[row + (1u * 4u + 2u)]; d0[0u * 6u + i][1] += dot(w, d0_2); d0[1u * 6u + i][1] += dot(w, d1_2); }
      { let w = w1[row + (1u * 4u + 3u)]; d0[0u * 6u + i][1] += dot(w, d0_3); d0[1u * 6u + i][1] += dot(w, d1_3); }
      { let w = w1[row + (2u * 4u + 0u)]; d0[0u * 6u + i][2] += dot(w, d0_0); d0[1u * 6u + i][2] += dot(w, d1_0); }
      { let w = w1[row + (2u * 4u + 1u)]; d0[0u * 6u + i][2] += dot(w, d0_1); d0[1u * 6u + i][2] += dot(w, d1_1); }
      { let w = w1[row + (2u * 4u + 2u)]; d0[0u * 6u + i][2] += dot(w, d0_2); d0[1u * 6u + i][2] += dot(w, d1_2); }
      { let w = w1[row + (2u * 4u + 3u)]; d0[0u * 6u + i][2] += dot(w, d0_3); d0[1u * 6u + i][2] += dot(w, d1_3); }
      { let w = w1[row + (3u * 4u + 0u)]; d0[0u * 6u + i][3] += dot(w, d0_0); d0[1u * 6u + i][3] += dot(w, d1_0); }
      { let w = w1[row + (3u * 4u + 1u)]; d0[0u * 6u + i][3] += dot(w, d0_1); d0[1u * 6u + i][3] += dot(w, d1_1); }
      { let w = w1[row + (3u * 4u + 2u)]; d0[0u * 6u + i][3] += dot(w, d0_2); d0[1u * 6u + i][3] += dot(w, d1_2); }
      { let w = w1[row + (3u * 4u + 3u)]; d0[0u * 6u + i][3] += dot(w, d0_3); d0[1u * 6u + i][3] += dot(w, d1_3); }
      }
    }
  }
  if (u.wanted != 0u) {
    for (var r = 0u; r < min(rowsAtOnce, rows - n); r++) {
      let at = u32(cellAt(inTile(list[first + n + r]))) * recordSize + C;
      for (var i = 0u; i < N; i++) {
        next[at + i] = bitcast<vec4u>(d0[r * N + i]);
        workspaces[mine + at_d0 + i * blockRows + n + r] = d0[r * N + i];
      }
    }
  }
}

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
}

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
    workgroupBarrier();
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
      
      multiply(lane, rows, at_h0, 6u, at_d1, 4u, at_w1);
      addRows(lane, rows, at_d1, 4u, at_rest + b1);
      multiply(lane, rows, at_h1, 4u, at_d2, 4u, at_rest + w2);
      addRows(lane, rows, at_d2, 4u, at_rest + b2);
      multiply(lane, rows, at_h2, 4u, at_d3, 2u, at_rest + w3);
      addRows(lane, rows, at_d3, 2u, at_rest + b3);
      filters(lane, rows);
      storageBarrier();
      workgroupBarrier();
    }
  }
}
