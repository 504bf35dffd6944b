/** a·b + c in four lanes. With relaxed SIMD, the product is not rounded on machines with a fused instruction. */
// @ts-ignore: decorators on functions
@inline
export function mad(a: v128, b: v128, c: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? f32x4.relaxed_madd(a, b, c) : f32x4.add(f32x4.mul(a, b), c)
}
