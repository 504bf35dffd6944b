/**
 * Functions for WGSL kernels, with the same values as on the CPU.
 *
 * WGSL lets a GPU assume that there are no NaNs and infinities, flush numbers below 2⁻¹²⁶ to 0, and compute elementary
 * functions inaccurately: on some, the built-in tanh is NaN for large numbers, and sin is off by 2·10⁻⁴. So numbers are
 * classified and compared by their bits here, and functions are composed of +, −, × and ÷. Their relative errors are at most
 * 2⁻²¹ for all numbers (absolute errors for sine and cosine), and at most half of that on GPUs that round + − × ÷ correctly.
 * Results below 2⁻¹²⁶ may be 0.
 *
 *   exponential         e^x = 2^n · e^r,  |r| ≤ ½ ln 2
 *   logarithm           ln x = e·ln 2 + ln m,  √½ ≤ m < √2
 *   sine, cosine        of the remainder of x after whole quarter turns, in integer arithmetic
 *   hyperbolicTangent   a polynomial below 0.625, else 1 − 2/(e^2x + 1)
 *   power               a^b = 2^(b·log₂ a), with a logarithm in extended precision
 *
 * with the polynomials of Cephes in single precision (Moshier, https://www.netlib.org/cephes).
 */
import type { DType } from '../backend.ts'
import { smooth } from './smooth.ts'

/** Functions of a floating-point number x, by name. */
const floating: Readonly<Record<string, string>> = {
  ...smooth,

  isNan: 'fn isNan(x: f32) -> bool { return (bitcast<u32>(x) & 0x7fffffff) > 0x7f800000; }',

  /** Whether x counts as true: it is not 0. */
  isTrue: 'fn isTrue(x: f32) -> bool { return (bitcast<u32>(x) << 1) != 0; }',

  /** An integer that is greater for a greater x; −0 and 0 have the same. NaN lies beyond ±∞. */
  order: `fn order(x: f32) -> i32 {
    let bits = bitcast<i32>(x);
    return select(bits, -0x80000000 - bits, bits < 0);
  }`,

  /** The same with NaN above every number: the order of sorting. */
  rank: 'fn rank(x: f32) -> i32 { return select(order(x), 0x7fffffff, isNan(x)); }',

  comparable: 'fn comparable(a: f32, b: f32) -> bool { return !isNan(a) && !isNan(b); }',

  exceeds: 'fn exceeds(a: f32, b: f32) -> bool { return comparable(a, b) && order(a) > order(b); }',

  /** A GPU may flush a number below 2⁻¹²⁶ to 0, but its product with infinity must still be infinite. */
  product: `fn product(a: f32, b: f32) -> f32 {
    let y = a * b;
    if (!isNan(y) || !comparable(a, b) || !isTrue(a) || !isTrue(b)) { return y; }
    return float(0x7f800000 | ((bitcast<u32>(a) ^ bitcast<u32>(b)) & 0x80000000));
  }`,

  /** Equal numbers may differ in the sign of 0, which follows JavaScript. */
  greatest: `fn greatest(a: f32, b: f32) -> f32 {
    if (!comparable(a, b)) { return nan(); }
    if (order(a) == order(b)) { return float(bitcast<u32>(a) & bitcast<u32>(b)); }
    return select(b, a, order(a) > order(b));
  }`,
  least: `fn least(a: f32, b: f32) -> f32 {
    if (!comparable(a, b)) { return nan(); }
    if (order(a) == order(b)) { return float(bitcast<u32>(a) | bitcast<u32>(b)); }
    return select(b, a, order(a) < order(b));
  }`,

  nan: 'fn nan() -> f32 { return float(0x7fc00000); }',
  infinity: 'fn infinity() -> f32 { return float(0x7f800000); }',
  /** As a function, because a constant may not be NaN or infinite. */
  float: 'fn float(bits: u32) -> f32 { return bitcast<f32>(bits); }',

  floored: 'fn floored(x: f32) -> f32 { return floor(x); }',

  /** x as a whole number, with the fraction cut off, modulo 2³²; 0 for NaN and ±∞, as in JavaScript. */
  truncated: `fn truncated(x: f32) -> u32 {
    let bits = bitcast<u32>(x);
    let exponent = i32((bits >> 23) & 0xff) - 150;
    let digits = (bits & 0x7fffff) | 0x800000;
    if (exponent < -23 || exponent > 31) { return 0; }
    let whole = select(digits << u32(exponent), digits >> u32(-exponent), exponent < 0);
    return select(whole, 0 - whole, bits >> 31 == 1);
  }`,

  exponential: `fn exponential(x: f32) -> f32 {
    if (isNan(x)) { return x; }
    if (x > 88.7228317) { return infinity(); }
    if (x < -104) { return 0; }
    let n = round(x * 1.44269504);
    return scaled(nearOne(x - n * 0.693359375 + n * 2.12194440e-4), i32(n)); // ln 2 in two parts, the first of 9 bits
  }`,

  /** e^r for |r| ≤ ½ ln 2. */
  nearOne: `fn nearOne(r: f32) -> f32 {
    let p = ((((1.9875691500e-4 * r + 1.3981999507e-3) * r + 8.3334519073e-3) * r + 4.1665795894e-2) * r
      + 1.6666665459e-1) * r + 5.0000001201e-1;
    return p * r * r + r + 1;
  }`,

  /** x·2^n in two steps, since 2^n may overflow or underflow although the product does not. */
  scaled: `fn scaled(x: f32, n: i32) -> f32 {
    let half = n >> 1;
    return x * bitcast<f32>((half + 127) << 23) * bitcast<f32>((n - half + 127) << 23);
  }`,

  logarithm: `fn logarithm(x: f32) -> f32 {
    if (isNan(x) || order(x) == 0x7f800000) { return x; }
    if (order(x) <= 0) { return select(nan(), -infinity(), order(x) == 0); }
    let parts = split(x);
    let f = parts.x - 1;
    return (curve(f) - parts.y * 2.12194440e-4 - 0.5 * f * f + f) + parts.y * 0.693359375;
  }`,

  /** ln(1 + x): for small x, 1 + x would lose the last digits, so a polynomial of x itself is used. */
  logarithmOfOneAnd: `fn logarithmOfOneAnd(x: f32) -> f32 {
    if (!(abs(x) < 0.25)) { return logarithm(1 + x); }
    return curve(x) - 0.5 * x * x + x;
  }`,

  /** ln(1 + f) − f + ½f² for √½ ≤ 1 + f < √2. */
  curve: `fn curve(f: f32) -> f32 {
    let p = (((((((7.0376836292e-2 * f - 1.1514610310e-1) * f + 1.1676998740e-1) * f - 1.2420140846e-1) * f
      + 1.4249322787e-1) * f - 1.6668057665e-1) * f + 2.0000714765e-1) * f - 2.4999993993e-1) * f + 3.3333331174e-1;
    return f * f * f * p;
  }`,

  /** (m, e) with x = m·2^e and √½ ≤ m < √2, for positive x. */
  split: `fn split(x: f32) -> vec2f {
    let bits = bitcast<u32>(x);
    let shift = select(0, countLeadingZeros(bits) - 8, bits < 0x800000); // subnormal
    let past = (bits << shift) + (0x3f800000 - 0x3f3504f3);              // √½ has the bits 3f3504f3
    return vec2f(bitcast<f32>((past & 0x7fffff) + 0x3f3504f3), f32(i32(past >> 23) - 127 - i32(shift)));
  }`,

  sine: 'fn sine(x: f32) -> f32 { return wave(x, 0); }',
  cosine: 'fn cosine(x: f32) -> f32 { return wave(x, 1); }',

  /** sin(x + q·π/2) */
  wave: `fn wave(x: f32, q: u32) -> f32 {
    let bits = bitcast<u32>(x) & 0x7fffffff;
    if (bits >= 0x7f800000) { return nan(); }
    var r = x;
    var quadrant = q;
    if (bits > 0x3f490fdb) { // π/4
      let a = angle(bits);
      let turned = select(a, 0 - a, x < 0);
      let nearest = (turned + 0x20000000) >> 30;
      r = f32(i32(turned - (nearest << 30))) * 1.46291808e-9; // π/2 / 2³⁰
      quadrant += nearest;
    }
    let z = r * r;
    let s = ((-1.9515295891e-4 * z + 8.3321608736e-3) * z - 1.6666654611e-1) * z * r + r;
    let c = ((2.443315711809948e-5 * z - 1.388731625493765e-3) * z + 4.166664568298827e-2) * z * z - 0.5 * z + 1;
    let y = select(s, c, (quadrant & 1) == 1);
    return select(y, -y, (quadrant & 2) == 2);
  }`,

  /**
   * The angle x > ½, given by its bits, modulo one turn, in units of 2⁻³² turns: m·2^e·(2/π)/4 for x = m·2^e. Whole turns
   * overflow and vanish, so only the 64 bits of 2/π matter that, times the 24 bits of m, contribute to the fraction
   * (Payne and Hanek, "Radian reduction for trigonometric functions", 1983).
   */
  angle: `fn angle(bits: u32) -> u32 {
    let m = (bits & 0x7fffff) | 0x800000;
    let skip = (bits >> 23) - 120;
    let digits = array(0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u);
    let at = skip / 32;
    let left = skip % 32;
    let high = (digits[at] << left) | ((digits[at + 1] >> 1) >> (31 - left));
    let low = (digits[at + 1] << left) | ((digits[at + 2] >> 1) >> (31 - left));
    let carried = (((m >> 12) * (low >> 16)) >> 4) + (((m >> 12) * (low & 0xffff)) >> 20)
      + (((m & 0xfff) * (low >> 16)) >> 16); // m·low / 2³²
    return m * high + carried;
  }`,

  hyperbolicTangent: `fn hyperbolicTangent(x: f32) -> f32 {
    if (isNan(x)) { return x; }
    if (abs(x) < 0.625) {
      let z = x * x;
      let p = (((-5.70498872745e-3 * z + 2.06390887954e-2) * z - 5.37397155531e-2) * z + 1.33314422036e-1) * z
        - 3.33332819422e-1;
      return p * z * x + x;
    }
    let y = 1 - 2 / (exponential(2 * min(abs(x), 10)) + 1);
    return select(y, -y, x < 0);
  }`,

  logistic: 'fn logistic(x: f32) -> f32 { return 1 / (1 + exponential(-x)); }',

  squareRoot: 'fn squareRoot(x: f32) -> f32 { if (order(x) < 0) { return nan(); } return sqrt(x); }',

  /** a^b as in JavaScript: NaN for 1^±∞, 1 for NaN^0. */
  power: `fn power(a: f32, b: f32) -> f32 {
    if (!isTrue(b)) { return 1; }
    if (isNan(a) || isNan(b)) { return nan(); }
    let size = bitcast<u32>(a) & 0x7fffffff;
    let rising = order(b) > 0;
    if ((bitcast<u32>(b) & 0x7fffffff) == 0x7f800000) {
      if (size == 0x3f800000) { return nan(); }
      return select(0, infinity(), (size > 0x3f800000) == rising);
    }
    let whole = order(floor(b)) == order(b);
    let odd = whole && order(floor(b / 2) * 2) != order(b);
    if (size == 0 || size == 0x7f800000) {
      let edge = select(0, infinity(), (size == 0) != rising);
      return select(edge, -edge, odd && bitcast<u32>(a) != size);
    }
    if (order(a) < 0 && !whole) { return nan(); }
    let y = positivePower(bitcast<f32>(size), b);
    return select(y, -y, odd && order(a) < 0);
  }`,

  /**
   * a^b = 2^(b·log₂ a) for positive a. An error of the exponent is multiplied by up to 128 in the result, so log₂ a is
   * split into parts, and so is b: products of two numbers of 12 bits are exact. With a = m·2^e,
   *
   *   log₂ a = e + (2/ln 2)·artanh s,  s = (m − 1)/(m + 1),  artanh s = s + s³/3 + s⁵/5 + …
   */
  positivePower: `fn positivePower(a: f32, b: f32) -> f32 {
    let parts = split(a);
    let m = parts.x;
    let upper = leading(m + 1);
    let s = leading((m - 1) / (m + 1));
    let rest = ((m - 1) - s * upper - s * (m - (upper - 1))) / (m + 1); // what s lacks
    let z = (s + rest) * (s + rest);
    let series = ((0.11111111 * z + 0.14285715) * z + 0.2) * z + 0.33333334;
    // log₂ a = e + high + low; 2/ln 2 = 2.884765625 + 6.24456778e-4, of which the first has 12 digits
    let product = s * 2.884765625;
    let high = leading(product);
    let low = (product - high) + s * 6.24456778e-4 + 2.88539008 * (rest + (s + rest) * z * series);
    let c = leading(b);
    let first = c * parts.y;
    let second = c * high;
    let third = (b - c) * parts.y + (b - c) * high + b * low;
    if (abs(first + second + third) > 300) { return select(0, infinity(), first + second + third > 0); }
    let fraction = (first - round(first)) + (second - round(second)) + third;
    let n = round(first) + round(second) + round(fraction);
    return scaled(nearOne((fraction - round(fraction)) * 0.69314718), clamp(i32(n), -250, 250));
  }`,

  /** sum + factor·a^e·(ln a)^k, with the special points of src/tensor/ops/power.ts: an infinite sum stays as it is. */
  plusLogPower: `fn plusLogPower(sum: f32, factor: f32, a: f32, e: f32, k: u32) -> f32 {
    if (!isTrue(factor) || (bitcast<u32>(sum) & 0x7fffffff) == 0x7f800000) { return sum; }
    if (k > 0 && order(a) < 0) { return nan(); }
    let y = power(a, e);
    if (!isTrue(y) || (k > 0 && !isTrue(a) && !isTrue(e))) { return sum; }
    var term = factor * y;
    for (var i = 0u; i < k; i++) { term *= logarithm(a); }
    return sum + term;
  }`,

  /** The first 12 bits of x. */
  leading: 'fn leading(x: f32) -> f32 { return bitcast<f32>(bitcast<u32>(x) & 0xfffff000); }',
}

/** Those of these functions that also exist for whole numbers x. */
const whole: Readonly<Record<string, string>> = {
  isNan: 'fn isNan(x: X) -> bool { return false; }',
  isTrue: 'fn isTrue(x: X) -> bool { return x != 0; }',
  order: 'fn order(x: X) -> X { return x; }',
  rank: 'fn rank(x: X) -> X { return x; }',
  comparable: 'fn comparable(a: X, b: X) -> bool { return true; }',
  exceeds: 'fn exceeds(a: X, b: X) -> bool { return a > b; }',
  product: 'fn product(a: X, b: X) -> X { return a * b; }',
  greatest: 'fn greatest(a: X, b: X) -> X { return max(a, b); }',
  least: 'fn least(a: X, b: X) -> X { return min(a, b); }',
  floored: 'fn floored(x: X) -> X { return x; }',

  /** The nearest floating-point number, from two exact parts, since a conversion may be off by one. */
  rounded: `fn rounded(x: X) -> f32 {
    let size = select(u32(x), 0 - u32(x), x < 0);
    let y = f32(size >> 16) * 65536 + f32(size & 0xffff);
    return select(y, -y, x < 0);
  }`,

  power: `fn power(a: X, b: X) -> X {
    if (b < 0) { return select(X(), select(X(1), a, (b & 1) == 1), abs(a) == 1); }
    var y = X(1);
    var square = a;
    for (var n = u32(b); n > 0; n >>= 1) {
      if ((n & 1) == 1) { y *= square; }
      square *= square;
    }
    return y;
  }`,
}

/** The WGSL name of an element type. */
function wgslType(dtype: DType): string {
  return `${dtype[0]}32`
}

const completed = new Map<string, string>()

/**
 * The source, with those of the functions above that it calls and does not define itself, for arguments of the given type.
 *
 * @example withFunctions('fn main(i: u32) { out[i] = sine(x[i]); }')
 */
export function withFunctions(source: string, dtype: DType = 'float32'): string {
  const key = dtype + source
  if (!completed.has(key)) completed.set(key, complete(source, dtype))
  return completed.get(key)!
}

function complete(source: string, dtype: DType): string {
  const library = dtype === 'float32' ? floating : whole
  const own = new Set(Array.from(source.matchAll(/\bfn\s+(\w+)/g), ([, name]) => name))
  const found = new Set<string>()
  const search = (text: string): void => {
    for (const [name, code] of Object.entries(library)) {
      if (found.has(code) || !new RegExp(`\\b${name}\\(`).test(text)) continue
      if (own.has(name)) {
        if (text === source) continue
        throw new Error(`webgpu: a shader defines ${name}, which other functions that it calls need; give it another name.`)
      }
      found.add(code)
      search(code)
    }
  }
  search(source)
  return [...(dtype === 'float32' ? [] : [`alias X = ${wgslType(dtype)};`]), ...found, source].join('\n')
}
