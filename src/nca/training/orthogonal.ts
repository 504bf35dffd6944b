/**
 * The nearest matrix with orthogonal rows or columns, nearly: the Newton–Schulz iteration of Muon.
 *
 * With the singular value decomposition M = U Σ Vᵀ, the nearest such matrix is U Vᵀ: all singular values become 1. An odd polynomial
 * of M changes nothing but its singular values, so U Vᵀ comes from products of matrices alone,
 *
 *   X ← M / ‖M‖                         the Frobenius norm, so that no singular value exceeds 1
 *   X ← a X + b (X Xᵀ) X + c (X Xᵀ)² X        five times, a = 3.4445, b = −4.775, c = 2.0315
 *
 * These coefficients make small singular values grow fast and do not converge to 1: those that are not tiny end between about 0.7
 * and 1.2, which is as good for an optimiser (Jordan, Jin, Boza, You, Cesista, Newhouse & Bernstein, "Muon: An optimizer for
 * hidden layers in neural networks", 2024, where the coefficients are from).
 */
import { add, div, mul } from '../../tensor/ops/arithmetic.ts'
import { matmul } from '../../tensor/ops/matmul.ts'
import { norm } from '../../tensor/ops/norm.ts'
import { transpose } from '../../tensor/ops/transpose.ts'
import type { Tensor } from '../../tensor/tensor.ts'

const [a, b, c] = [3.4445, -4.775, 2.0315]

/** U Vᵀ, nearly, for a matrix `[rows,columns]`; zeros stay zeros. */
export function orthogonal(matrix: Tensor): Tensor {
  const [rows, columns] = matrix.shape
  const upright = rows > columns
  let x = upright ? transpose(matrix) : matrix // so that X Xᵀ is the smaller of the two products
  x = div(x, add(norm(x), 1e-7))
  for (let i = 0; i < 5; i++) {
    const square = matmul(x, transpose(x))
    x = add(mul(a, x), matmul(add(mul(b, square), mul(c, matmul(square, square))), x))
  }
  return upright ? transpose(x) : x
}
