/**
 * WGSL: smooth relatives of ReLUs and their derivatives; `src/backends/wasm/assembly/smooth.ts` has their equations.
 */
export const smooth: Readonly<Record<string, string>> = {
  gelu: 'fn gelu(x: f32) -> f32 { return x * logistic(1.5957691 * (x + 0.044715 * x * x * x)); }',
  geluSlope: `fn geluSlope(x: f32) -> f32 {
    let s = logistic(1.5957691 * (x + 0.044715 * x * x * x));
    return s * (1 + (1 - s) * 1.5957691 * (x + 0.134145 * x * x * x));
  }`,
  silu: 'fn silu(x: f32) -> f32 { return x * logistic(x); }',
  siluSlope: 'fn siluSlope(x: f32) -> f32 { let s = logistic(x); return s * (1 + x * (1 - s)); }',
  softplus: 'fn softplus(x: f32) -> f32 { return greatest(x, 0) + logarithmOfOneAnd(exponential(-abs(x))); }',
}
