/**
 * WGSL: windows (src/backends/window.ts), for operators and for fused rollouts.
 */
import { border, outputSize, type Padding, type Windows } from '../window.ts'
import { wholeLiteral } from './literal.ts'

/**
 * An expression for the cell at position i of an axis of n cells, like `wrap`: for numbers, or for both axes as vectors. With zero
 * padding a position outside of the grid stays as it is.
 */
export function wrapWgsl(padding: Padding, i: string, n: string): string {
  if (padding === 'zero') return i
  if (padding === 'circular') return `(${i} % ${n} + ${n}) % ${n}`
  return padding === 'reflect' ? `${n} - 1 - abs(${n} - 1 - abs(${i}))` : `clamp(${i}, 0 * ${n}, ${n} - 1)`
}

/**
 * `imageOf(i: i32, n: i32, number: u32) -> i32`: the positions at which a mirror shows cell i. Number 0 is the cell itself,
 * 1 and 2 are its reflections at either end, far outside if there is none.
 */
export const imageOfWgsl: string = `
fn imageOf(i: i32, n: i32, number: u32) -> i32 {
  let p = select(select(2 * (n - 1) - i, -i, number == 1u), i, number == 0u);
  return select(p, -0x10000000, number > 0u && p == i);
}`

/**
 * The links of src/tensor/ops/window.ts for a GPU, where every result looks up its own. The WGSL declares
 * `place(r: u32) -> vec3u`, the sample, y and x of cell r, and `linked(at: vec3u, e: u32) -> i32`: for each e below u.links, the
 * cell of the other grid that is linked with the cell at that place through tap e % taps, or −1 for none. `taps` is a constant
 * there.
 *
 * An output cell reads one cell through each tap. An input cell is read through each tap once for every image of it, that is,
 * for every position that `wrap` maps to it: itself, and outside of the grid its copies or its reflections; for an outermost
 * cell that is replicated, every position beyond it. On a torus with stride 1, only one of these has a reader.
 */
export function linksWgsl(direction: 'reads' | 'readers', win: Windows): { wgsl: string; u32: Record<string, number> } {
  const { padding, kernel } = win
  const [stride, dilation] = [wholeLiteral(win.stride), wholeLiteral(win.dilation)]
  const reading = direction === 'reads'
  const [own, other] = reading ? [outputSize(win), win.size] : [win.size, outputSize(win)]
  const pads = [border(win, 0), border(win, 1)]
  const turning = padding === 'circular' && win.stride === 1
  const images = pads.map(({ total, before }, axis) => {
    if (reading || padding === 'zero' || turning) return 1
    if (padding === 'replicate') return 1 + total
    return padding === 'reflect' ? 3 : 1 + 2 * Math.ceil(Math.max(before, total - before) / win.size[axis])
  })
  const taps = kernel[0] * kernel[1]
  const position = {
    zero: 'let p = i32(at);',
    circular: 'let p = i32(at) + (i32(image) - i32(images / 2)) * i32(own);',
    reflect: 'let p = imageOf(i32(at), i32(own), image);',
    replicate: `
        let ahead = image <= before;
        let outermost = select(own - 1u, 0u, ahead);
        let away = select(i32(image - before), -i32(image), ahead);
        let p = select(-0x10000000, i32(at) + away, image == 0u || at == outermost);`,
  }
  const read = `
        let i = i32(at * ${stride} + tap * ${dilation}) - i32(before);
        if (i >= 0 && i < n) { return i; }
        return ${padding === 'zero' ? '-1' : wrapWgsl(padding, 'i', 'n')};`
  const reader = turning ? `
        let i = i32(at + before) - i32(tap * ${dilation});
        return ${wrapWgsl('circular', 'i', 'n')};` : `
        ${position[padding]}
        let i = p + i32(before) - i32(tap * ${dilation});
        return select(-1, i / ${stride}, i >= 0 && i % ${stride} == 0 && i / ${stride} < n);`
  return {
    u32: {
      links: taps * images[0] * images[1], imagesY: images[0], imagesX: images[1],
      ownY: own[0], ownX: own[1], otherY: other[0], otherX: other[1], beforeY: pads[0].before, beforeX: pads[1].before,
    },
    wgsl: `${!reading && padding === 'reflect' ? imageOfWgsl : ''}
      const taps = ${taps}u;
      fn link(at: u32, tap: u32, image: u32, images: u32, own: u32, other: u32, before: u32) -> i32 {
        let n = i32(other);
        ${reading ? read : reader}
      }
      fn place(r: u32) -> vec3u {
        let line = r / u.ownX;
        return vec3u(line / u.ownY, line % u.ownY, r % u.ownX);
      }
      fn linked(at: vec3u, e: u32) -> i32 {
        let tap = e % taps;
        let image = e / taps;
        let y = link(at.y, tap / ${kernel[1]}, image / u.imagesX, u.imagesY, u.ownY, u.otherY, u.beforeY);
        let x = link(at.z, tap % ${kernel[1]}, image % u.imagesX, u.imagesX, u.ownX, u.otherX, u.beforeX);
        return select((i32(at.x * u.otherY) + y) * i32(u.otherX) + x, -1, y < 0 || x < 0);
      }`,
  }
}
