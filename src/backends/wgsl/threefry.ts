/**
 * WGSL: `threefry(k: vec2u, c: vec2u) -> vec2u`, the random words of a key and a counter; see src/tensor/key.ts.
 */
const rotations = [[13, 15, 26, 6], [17, 29, 16, 24]]

export const threefryWgsl: string = `
  fn threefry(k: vec2u, c: vec2u) -> vec2u {
    let schedule = array(k.x, k.y, k.x ^ k.y ^ 0x1bd11bda);
    var x = c.x + k.x;
    var y = c.y + k.y;
    ${[0, 1, 2, 3, 4].map(group => `
      ${rotations[group & 1].map(n => `x += y; y = (y << ${n}) | (y >> ${32 - n}); y ^= x;`).join('\n')}
      x += schedule[${(group + 1) % 3}];
      y += schedule[${(group + 2) % 3}] + ${group + 1};`).join('')}
    return vec2u(x, y);
  }`
